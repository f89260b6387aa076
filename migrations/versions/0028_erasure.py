"""accounts that are erased, what is kept of them, and legal holds"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column("people", sa.Column("kept_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("people", sa.Column("kept_until", _AT, nullable=True))
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("placed_at", _AT, nullable=False),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("lifted_at", _AT, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("legal_holds_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("legal_holds_pkey")),
    )
    op.create_index("legal_holds_person_id_idx", "legal_holds", ["person_id"])


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

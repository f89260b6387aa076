"""what a driver's licence said when they were insured"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "licence_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("said_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("licence_checks_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("licence_checks_pkey")),
    )
    op.create_index("licence_checks_rental_id_idx", "licence_checks", ["rental_id"])
    op.create_index("licence_checks_person_id_idx", "licence_checks", ["person_id"])


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

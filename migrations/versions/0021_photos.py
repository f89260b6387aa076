"""photos of a rental; the photos that a charge request and its answer name"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "photos",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("added_by", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("angle", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("sent_sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("taken_at", _AT, nullable=True),
        sa.Column("received_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name=op.f("photos_rental_id_fkey")),
        sa.ForeignKeyConstraint(["added_by"], ["people.id"], name=op.f("photos_added_by_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("photos_pkey")),
    )
    op.create_index(
        "photos_rental_sent_key", "photos", ["rental_id", "step", "angle", "sent_sha256"], unique=True
    )
    op.create_index("photos_added_by_idx", "photos", ["added_by"])
    for column in ("photos", "answer_photos"):
        none = sa.Column(column, postgresql.JSONB(), server_default="[]", nullable=False)
        op.add_column("charge_requests", none)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

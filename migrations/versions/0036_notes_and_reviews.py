"""what driver and owner write to and about each other"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("made_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["by_id"], ["people.id"], name=op.f("notes_by_id_fkey")),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name=op.f("notes_rental_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("notes_pkey")),
    )
    op.create_index("notes_rental_id_idx", "notes", ["rental_id"])
    op.create_index("notes_by_id_idx", "notes", ["by_id"])
    op.create_table(
        "reviews",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("made_at", _AT, nullable=False),
        sa.Column("opened_at", _AT, nullable=True),
        sa.CheckConstraint("side in ('driver', 'owner')", name=op.f("reviews_side_check")),
        sa.CheckConstraint("stars between 1 and 5", name=op.f("reviews_stars_check")),
        sa.ForeignKeyConstraint(["by_id"], ["people.id"], name=op.f("reviews_by_id_fkey")),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name=op.f("reviews_rental_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("reviews_pkey")),
        sa.UniqueConstraint("rental_id", "side", name="reviews_one_each_key"),
    )
    op.create_index("reviews_by_id_idx", "reviews", ["by_id"])


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

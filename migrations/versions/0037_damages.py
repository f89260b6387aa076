"""the register of damages; a car is unsafe where an operator barred it, or where a damage says so"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0037"
down_revision = "0036"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "damages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("car_id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=True),
        sa.Column("by_id", sa.Uuid(), nullable=False),
        sa.Column("before_unlock", sa.Boolean(), nullable=True),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("photos", postgresql.JSONB(), nullable=False),
        sa.Column("unsafe", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("made_at", _AT, nullable=False),
        sa.Column("repaired_at", _AT, nullable=True),
        sa.CheckConstraint("state in ('open', 'repaired')", name=op.f("damages_state_check")),
        sa.CheckConstraint(
            "(rental_id is null) = (before_unlock is null)", name=op.f("damages_seen_in_check")
        ),
        sa.ForeignKeyConstraint(["by_id"], ["people.id"], name=op.f("damages_by_id_fkey")),
        sa.ForeignKeyConstraint(["car_id"], ["cars.id"], name=op.f("damages_car_id_fkey")),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name=op.f("damages_rental_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("damages_pkey")),
    )
    op.create_index("damages_car_idx", "damages", ["car_id", "id"])
    op.create_index("damages_by_id_idx", "damages", ["by_id"])
    op.add_column("cars", sa.Column("barred", sa.Boolean(), server_default="false", nullable=False))
    op.execute("update cars set barred = true where unsafe")
    op.alter_column("cars", "barred", server_default=None)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""drivers named besides who booked; countries outside the territory in which a car was seen"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "named_drivers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("named_at", _AT, nullable=False),
        sa.Column("taken_off_at", _AT, nullable=True),
        sa.Column("taken_off_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("named_drivers_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("named_drivers_pkey")),
    )
    op.create_index("named_drivers_rental_id_idx", "named_drivers", ["rental_id"])
    op.create_index("named_drivers_person_id_idx", "named_drivers", ["person_id"])
    op.create_index(
        "named_drivers_once_key",
        "named_drivers",
        ["rental_id", "person_id"],
        unique=True,
        postgresql_where=sa.text("taken_off_at is null"),
    )
    op.add_column("covers", sa.Column("left_territory", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

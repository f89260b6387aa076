"""secret addresses at which a calendar program reads somebody's rentals; blocks count their changes"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "calendar_feeds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("car_id", sa.Uuid(), nullable=True),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["car_id"], ["cars.id"], name=op.f("calendar_feeds_car_id_fkey")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("calendar_feeds_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("calendar_feeds_pkey")),
        sa.UniqueConstraint("secret_hash", name=op.f("calendar_feeds_secret_hash_key")),
    )
    op.create_index("calendar_feeds_person_id_idx", "calendar_feeds", ["person_id"])
    op.add_column("blocks", sa.Column("changes", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "blocks",
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), server_default=sa.text("business_now()"), nullable=False
        ),
    )
    for column in ("changes", "changed_at"):
        op.alter_column("blocks", column, server_default=None)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

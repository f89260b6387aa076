"""hourly charge and 12 V readings, learned reachability of parking places, what alerts remember, a quote's foreseen range"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "hourly_readings",
        sa.Column("car_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("charge_percent", sa.Float(), nullable=True),
        sa.Column("battery_12v", sa.Float(), nullable=True),
        sa.Column("plugged", sa.Boolean(), nullable=True),
        sa.Column("charging", sa.Boolean(), nullable=True),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("car_no", "hour", name=op.f("hourly_readings_pkey")),
    )
    op.create_index(op.f("hourly_readings_hour_idx"), "hourly_readings", ["hour"])
    op.create_table(
        "reachability",
        sa.Column("car_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cell", sa.LargeBinary(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("unseen", sa.Integer(), nullable=False),
        sa.Column("visited_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("car_no", "cell", name=op.f("reachability_pkey")),
    )
    op.create_index(op.f("reachability_visited_on_idx"), "reachability", ["visited_on"])
    op.add_column(
        "boxes",
        sa.Column("watch", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    )
    op.execute(
        "update boxes set watch = jsonb_build_object('alerts', jsonb_build_object('charge_low',"
        " jsonb_build_object('since', now(), 'rental', null, 'owner', true)))"
        " where told_charge_low and removed_at is null"
    )
    op.add_column("quotes", sa.Column("range_km", sa.Integer(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

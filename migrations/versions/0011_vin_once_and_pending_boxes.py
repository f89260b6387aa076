"""a vehicle number is in use once; nobody is in an ended community; a box that replaces another waits for the broker"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_TWICE = (
    "select vin, count(*) from cars where removed_at is null group by vin having count(*) > 1 order by vin"
)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    twice = [row.vin for row in op.get_bind().execute(sa.text(_TWICE))]
    if twice:
        raise RuntimeError(
            f"these vehicle numbers are registered twice: {', '.join(twice)}. With the code before this migration let"
            " the owner remove one car of each (DELETE /v1/cars/...), then migrate again."
        )
    op.create_index(
        "cars_vin_once_key", "cars", ["vin"], unique=True, postgresql_where=sa.text("removed_at is null")
    )
    op.execute(
        "update memberships m set ended_at = c.ended_at from communities c"
        " where c.id = m.community_id and m.ended_at is null and c.ended_at is not null"
    )
    op.add_column("boxes", sa.Column("replaces_id", sa.Uuid(), nullable=True))
    op.drop_index("boxes_one_live_key", "boxes")
    op.create_index(
        "boxes_one_live_key",
        "boxes",
        ["car_id"],
        unique=True,
        postgresql_where=sa.text("removed_at is null and replaces_id is null"),
    )
    op.create_index(
        "boxes_one_pending_key",
        "boxes",
        ["car_id"],
        unique=True,
        postgresql_where=sa.text("removed_at is null and replaces_id is not null"),
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

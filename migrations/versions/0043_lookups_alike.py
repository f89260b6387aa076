"""look-ups of any car do the same work: whether the asker ever covered it is one look, and writing down needs none"""

from alembic import op

revision = "0043"
down_revision = "0042"

_INDEX = "covers_insurer_car_idx"


def upgrade() -> None:
    # as in 0023: none that writes here waits for the new index, and one that a failed try left invalid is built anew
    with op.get_context().autocommit_block():
        op.drop_index(_INDEX, "covers", if_exists=True, postgresql_concurrently=True)
        op.create_index(_INDEX, "covers", ["insurer_id", "car_no"], postgresql_concurrently=True)
    op.execute("set local lock_timeout = '5s'")
    op.execute("alter table coverage_lookups drop constraint if exists coverage_lookups_car_no_fkey")


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""which cover began last before an instant is one entry of an index, not the covers around it sorted"""

from alembic import op

revision = "0042"
down_revision = "0041"

_OLD, _NEW = "covers_at_idx", "covers_began_idx"


def upgrade() -> None:
    # as in 0023: none that writes here waits for the new index, and one that a failed try left invalid is built anew
    with op.get_context().autocommit_block():
        op.drop_index(_NEW, "covers", if_exists=True, postgresql_concurrently=True)
        op.create_index(_NEW, "covers", ["car_no", "from_at", "id"], postgresql_concurrently=True)
    op.execute("set local lock_timeout = '5s'")
    op.drop_index(_OLD, table_name="covers", if_exists=True)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""pushes wait in their own rows to be sent many at a time, no longer one job each"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"

_INDEXES = {
    "deliveries_outbox_idx": (["try_at"], "try_at is not null"),
    "deliveries_phone_outbox_idx": (["phone_id", "id"], "try_at is not null"),
}


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    # an index that is built beside the work commits what came before it: the next try finds the columns there
    for name in ("try_at", "tried_since"):
        column = sa.Column(name, sa.DateTime(timezone=True), nullable=True)
        op.add_column("deliveries", column, if_not_exists=True)
    # as in 0023: none that writes here waits for the new index, and one that a failed try left invalid is built anew
    with op.get_context().autocommit_block():
        for name, (columns, where) in _INDEXES.items():
            op.drop_index(name, "deliveries", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name, "deliveries", columns, postgresql_where=sa.text(where), postgresql_concurrently=True
            )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

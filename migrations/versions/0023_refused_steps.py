"""a capture or release that was refused for good no longer stands in the way of the next"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

_NAME, _TABLE = "payment_commands_target_key", "payment_commands"
_NEXT = "payment_commands_target_next"
_STUCK = "payment_commands_stuck_idx"
"""Counted at each scrape."""

_WAITS_SINCE = """
update payment_commands c set state = 'stuck' from payments p
where p.id = c.payment_id and p.intent_id = c.target and c.state = 'failed'
and (c.kind, p.state) in (('capture', 'capturing'), ('release', 'releasing'))
"""


def upgrade() -> None:
    # Every hold and capture writes here, so none waits for an index: the next key is built beside the old one, both are
    # committed by themselves, and one that a failed try left invalid is built anew.
    with op.get_context().autocommit_block():
        op.drop_index(_NEXT, _TABLE, if_exists=True, postgresql_concurrently=True)
        op.create_index(
            _NEXT,
            _TABLE,
            ["kind", "target"],
            unique=True,
            postgresql_where=sa.text("kind in ('capture', 'release') and state <> 'failed'"),
            postgresql_concurrently=True,
        )
        op.drop_index(_STUCK, _TABLE, if_exists=True, postgresql_concurrently=True)
        op.create_index(
            _STUCK,
            _TABLE,
            ["payment_id"],
            postgresql_where=sa.text("state = 'stuck'"),
            postgresql_concurrently=True,
        )
    op.execute("set local lock_timeout = '5s'")
    # the code before this one adds its steps with "on conflict do nothing", which needs no index of that very shape
    op.drop_index(_NAME, table_name=_TABLE)
    op.execute(f"alter index {_NEXT} rename to {_NAME}")
    op.execute(_WAITS_SINCE)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""an owner may be sent what they earned again: one transfer of a payment at a time, no longer one for good"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"

_OLD, _NEW = "payment_commands_transfer_key", "payment_commands_transfer_open_key"


def upgrade() -> None:
    # as in 0023: none that writes here waits for the new index, and one that a failed try left invalid is built anew
    with op.get_context().autocommit_block():
        op.drop_index(_NEW, "payment_commands", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            _NEW,
            "payment_commands",
            ["payment_id"],
            unique=True,
            postgresql_where=sa.text("kind = 'transfer' and state = 'open'"),
            postgresql_concurrently=True,
        )
    op.execute("set local lock_timeout = '5s'")
    op.drop_index(_OLD, table_name="payment_commands", if_exists=True)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

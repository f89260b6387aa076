"""pushes that cannot wait are found before all others that may go out"""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"

_NEW, _OLD = "deliveries_ahead_idx", "deliveries_outbox_idx"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    # an index that is built beside the work commits what came before it: the next try finds the column there
    op.add_column(
        "deliveries",
        sa.Column("ahead", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        if_not_exists=True,
    )
    # as in 0023: none that writes here waits for the new index, and one that a failed try left invalid is built anew
    with op.get_context().autocommit_block():
        op.drop_index(_NEW, "deliveries", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            _NEW,
            "deliveries",
            [sa.text("ahead desc"), "try_at"],
            postgresql_where=sa.text("try_at is not null"),
            postgresql_concurrently=True,
        )
        op.drop_index(_OLD, "deliveries", if_exists=True, postgresql_concurrently=True)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

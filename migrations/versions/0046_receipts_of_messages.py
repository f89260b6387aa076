"""when a message came to its reader's app: without a receipt an urgent one is mailed"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column("messages", sa.Column("received_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

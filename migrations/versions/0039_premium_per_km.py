"""the kilometres a premium is for, and how they were counted"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column("covers", sa.Column("charged_km", sa.Integer(), nullable=True))
    op.add_column("covers", sa.Column("km_from", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

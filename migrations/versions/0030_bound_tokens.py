"""insurers' clients may be bound to a certificate"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column("partner_clients", sa.Column("certificate_sha256", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

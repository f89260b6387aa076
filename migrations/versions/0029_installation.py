"""an id of the installation, which marks the place of its photos"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "installation",
        sa.Column("single", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("single", name=op.f("installation_pkey")),
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""a registration waits with the code that was mailed for it"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column(
        "email_codes", sa.Column("registration", postgresql.JSONB(astext_type=sa.Text()), nullable=True)
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

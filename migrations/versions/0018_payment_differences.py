"""the report of what differs between our books and the provider"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "payment_differences",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("ours", sa.Text(), nullable=True),
        sa.Column("theirs", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("first_at", _AT, nullable=False),
        sa.Column("last_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", name=op.f("payment_differences_pkey")),
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""what the sealer looks for, found at once"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("create index facts_unsealed_idx on facts (seq) where position is null")


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

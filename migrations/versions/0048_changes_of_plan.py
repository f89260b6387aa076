"""what changed in a rental's plan: the car it was swapped from, when the driver will be back, when the car failed"""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column("rentals", sa.Column("instead_of_id", sa.Uuid(), nullable=True))
    op.add_column("rentals", sa.Column("back_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("rentals", sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("rentals", sa.Column("failed_km", sa.Float(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""a box has a second account while it changes its password; when the broker had let go of a box"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column("boxes", sa.Column("next_username", sa.Text(), nullable=True))
    op.add_column("boxes", sa.Column("next_password_hash", sa.Text(), nullable=True))
    op.add_column("boxes", sa.Column("cut_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("update boxes set cut_at = removed_at where removed_at is not null")
    op.create_unique_constraint("boxes_next_username_key", "boxes", ["next_username"])
    op.create_check_constraint(
        op.f("boxes_next_account_whole_check"),
        "boxes",
        "(next_username is null) = (next_password_hash is null)",
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""who was kept out at the door, and who has been told of the receipt"""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute(
        "alter table rentals add column kept_out_at timestamptz, add column receipt_told_at timestamptz"
    )
    op.execute(
        "alter table cover_confirmations add column confirmed_from_at timestamptz, add column confirmed_to_at timestamptz"
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

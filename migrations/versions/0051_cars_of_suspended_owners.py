"""the windows of those who are suspended are worked out anew at once: they come to nothing"""

from alembic import op

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute(
        "update deadlines d set due_at = business_now() from cars c join people p on p.id = c.owner_id"
        " where d.kind = 'offer' and d.ref = 'car_' || replace(c.id::text, '-', '') and p.suspended_at is not null"
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

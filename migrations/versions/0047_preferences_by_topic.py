"""channels by topic, and pushes that came thick and fast gathered into one"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0047"
down_revision = "0046"

_INDEXES = {
    "deliveries_phone_sent_idx": (["phone_id", "at"], "phone_id is not null and state = 'sent'"),
    "deliveries_gathered_idx": (["gathered_in"], "gathered_in is not null"),
}


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    # an index that is built beside the work commits what came before it: the next try finds the columns there
    op.add_column(
        "message_preferences",
        sa.Column(
            "topics", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        if_not_exists=True,
    )
    op.add_column("deliveries", sa.Column("gathered_in", sa.Uuid(), nullable=True), if_not_exists=True)
    # as in 0023: none that writes here waits for the new index, and one that a failed try left invalid is built anew
    with op.get_context().autocommit_block():
        for name, (columns, where) in _INDEXES.items():
            op.drop_index(name, "deliveries", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name, "deliveries", columns, postgresql_where=sa.text(where), postgresql_concurrently=True
            )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

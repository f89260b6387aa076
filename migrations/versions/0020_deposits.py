"""deposits held as an intent of their own, and what a charge request took of one"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    # Concurrently built, it is committed by itself: it comes first, so that whatever fails leaves nothing else behind, and
    # one that a failed try left invalid is built anew.
    with op.get_context().autocommit_block():
        op.drop_index("payments_one_deposit_key", "payments", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "payments_one_deposit_key",
            "payments",
            ["rental_id"],
            unique=True,
            postgresql_where=sa.text("purpose = 'deposit'"),
            postgresql_concurrently=True,
        )
    op.execute("set local lock_timeout = '5s'")
    op.add_column("payments", sa.Column("inspect_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("charge_requests", sa.Column("deposit_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("charge_requests_deposit_id_fkey"), "charge_requests", "payments", ["deposit_id"], ["id"]
    )
    op.create_unique_constraint(op.f("charge_requests_deposit_id_key"), "charge_requests", ["deposit_id"])
    op.create_check_constraint(
        op.f("charge_requests_taken_when_closed_check"),
        "charge_requests",
        "deposit_id is null or state = 'closed'",
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

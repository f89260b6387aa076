"""charge requests; a payment that a hearing settled may be of a driver who has no card"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.alter_column("payments", "card_id", nullable=True)
    op.create_table(
        "charge_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("payee", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("occurred_at", _AT, nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("document_amount", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("made_at", _AT, nullable=False),
        sa.Column("answer_by", _AT, nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_at", _AT, nullable=True),
        sa.Column("decided_amount", sa.BigInteger(), nullable=True),
        sa.Column("decided_reason", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", _AT, nullable=True),
        sa.Column("appealed_by", sa.Text(), nullable=True),
        sa.Column("appeal", sa.Text(), nullable=True),
        sa.Column("appealed_at", _AT, nullable=True),
        sa.Column("final_amount", sa.BigInteger(), nullable=True),
        sa.Column("final_reason", sa.Text(), nullable=True),
        sa.Column("final_by", sa.Uuid(), nullable=True),
        sa.Column("final_at", _AT, nullable=True),
        sa.Column("charge_not_before", _AT, nullable=True),
        sa.Column("closed_at", _AT, nullable=True),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("charge_requests_amount_check")),
        sa.CheckConstraint(
            "decided_amount between 0 and amount", name=op.f("charge_requests_decided_amount_check")
        ),
        sa.CheckConstraint(
            "final_amount between 0 and amount", name=op.f("charge_requests_final_amount_check")
        ),
        sa.CheckConstraint(
            "payment_id is null or state = 'closed'", name=op.f("charge_requests_paid_when_closed_check")
        ),
        *(
            sa.ForeignKeyConstraint([column], [target], name=op.f(f"charge_requests_{column}_fkey"))
            for column, target in (
                ("rental_id", "rentals.id"),
                ("driver_id", "people.id"),
                ("made_by", "people.id"),
                ("decided_by", "people.id"),
                ("final_by", "people.id"),
                ("payment_id", "payments.id"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("charge_requests_pkey")),
        sa.UniqueConstraint("payment_id", name=op.f("charge_requests_payment_id_key")),
    )
    op.create_index(op.f("charge_requests_rental_id_idx"), "charge_requests", ["rental_id"])
    op.create_index(op.f("charge_requests_driver_id_idx"), "charge_requests", ["driver_id"])
    op.create_index("charge_requests_state_idx", "charge_requests", ["state", "id"])


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""payout accounts, transfers to owners, payouts to their banks, disputes, early-fraud warnings"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    # Concurrently built, it is committed by itself: it comes first, so that whatever fails leaves nothing else behind, and
    # one that a failed try left invalid is built anew.
    with op.get_context().autocommit_block():
        op.drop_index(
            "payment_commands_transfer_key", "payment_commands", if_exists=True, postgresql_concurrently=True
        )
        op.create_index(
            "payment_commands_transfer_key",
            "payment_commands",
            ["payment_id"],
            unique=True,
            postgresql_where=sa.text("kind = 'transfer' and state <> 'failed'"),
            postgresql_concurrently=True,
        )
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "payout_accounts",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("missing", postgresql.JSONB(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("payout_accounts_person_id_fkey")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("payout_accounts_pkey")),
        sa.UniqueConstraint("key", name=op.f("payout_accounts_key_key")),
        sa.UniqueConstraint("external_id", name=op.f("payout_accounts_external_id_key")),
    )
    op.create_table(
        "transfers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("payee", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reversed", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("reversed between 0 and amount", name=op.f("transfers_reversed_check")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("transfers_payment_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("transfers_pkey")),
        sa.UniqueConstraint("payment_id", name=op.f("transfers_payment_id_key")),
        sa.UniqueConstraint("external_id", name=op.f("transfers_external_id_key")),
    )
    op.create_index("transfers_payee_idx", "transfers", ["payee", "currency"])
    op.create_index(
        "transfers_unsent_idx",
        "transfers",
        ["payee"],
        postgresql_where=sa.text("state in ('waiting', 'payable_blocked')"),
    )
    op.create_table(
        "bank_payouts",
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("bank_payouts_person_id_fkey")),
        sa.PrimaryKeyConstraint("external_id", name=op.f("bank_payouts_pkey")),
    )
    op.create_index(op.f("bank_payouts_person_id_idx"), "bank_payouts", ["person_id"])
    _disputes()
    op.add_column("webhook_events", sa.Column("account", sa.Text(), nullable=True))


def _disputes() -> None:
    op.create_table(
        "disputes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("refundable", sa.Boolean(), nullable=False),
        sa.Column("borne_by", sa.Text(), nullable=False),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence", postgresql.JSONB(), nullable=True),
        sa.Column("evidence_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("disputes_payment_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("disputes_pkey")),
        sa.UniqueConstraint("external_id", name=op.f("disputes_external_id_key")),
        sa.UniqueConstraint("key", name=op.f("disputes_key_key")),
    )
    op.create_index(op.f("disputes_payment_id_idx"), "disputes", ["payment_id"])
    op.create_index("disputes_state_idx", "disputes", ["state"])
    op.create_table(
        "fraud_warnings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cleared_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fraud_warnings_payment_id_fkey")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fraud_warnings_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("fraud_warnings_pkey")),
        sa.UniqueConstraint("external_id", name=op.f("fraud_warnings_external_id_key")),
    )
    op.create_index(op.f("fraud_warnings_payment_id_idx"), "fraud_warnings", ["payment_id"])
    op.create_index(
        "fraud_warnings_open_idx",
        "fraud_warnings",
        ["person_id"],
        postgresql_where=sa.text("cleared_at is null"),
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

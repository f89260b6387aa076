"""writing off arrears; accounts and tax details of communities, and their payouts"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"

_AT = sa.DateTime(timezone=True)


def _account() -> None:
    op.create_table(
        "community_payout_accounts",
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("missing", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", _AT, nullable=False),
        sa.Column("changed_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("community_payout_accounts_community_id_fkey")
        ),
        sa.PrimaryKeyConstraint("community_id", name=op.f("community_payout_accounts_pkey")),
        sa.UniqueConstraint("key", name=op.f("community_payout_accounts_key_key")),
        sa.UniqueConstraint("external_id", name=op.f("community_payout_accounts_external_id_key")),
    )


def _tax_details() -> None:
    op.create_table(
        "community_tax_details",
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("legal_name", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("registration_number", sa.Text(), nullable=True),
        sa.Column("vat_number", sa.Text(), nullable=True),
        sa.Column("tin_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("tin_end", sa.Text(), nullable=True),
        sa.Column("tin_country", sa.Text(), nullable=True),
        sa.Column("iban_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("iban_end", sa.Text(), nullable=True),
        sa.Column("changed_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("community_tax_details_community_id_fkey")
        ),
        sa.PrimaryKeyConstraint("community_id", name=op.f("community_tax_details_pkey")),
    )


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    # a constant default fills the rows that are there without rewriting the table, and serves the code before this one
    op.add_column(
        "payments", sa.Column("receivable", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("payments", sa.Column("written_off_at", _AT, nullable=True))
    op.add_column("payments", sa.Column("bar_lifted_at", _AT, nullable=True))
    _account()
    _tax_details()
    op.alter_column("bank_payouts", "person_id", nullable=True)
    op.add_column("bank_payouts", sa.Column("community_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("bank_payouts_community_id_fkey"), "bank_payouts", "communities", ["community_id"], ["id"]
    )
    op.create_index(op.f("bank_payouts_community_id_idx"), "bank_payouts", ["community_id"])


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

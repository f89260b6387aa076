"""billing: customers, cards, payments and their commands, the ledger and what keeps it true, the provider's events"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

BALANCED = """
create function ledger_entry_balanced() returns trigger language plpgsql as $$
declare
  entry bigint := case when tg_table_name = 'postings' then (to_jsonb(new) ->> 'entry_id')::bigint else new.id end;
begin
  if not exists (select 1 from postings where entry_id = entry)
     or exists (select 1 from postings where entry_id = entry group by currency having sum(amount) <> 0) then
    raise exception 'ledger entry % does not sum to zero', entry
      using errcode = 'check_violation', constraint = 'ledger_entry_balanced';
  end if;
  return null;
end $$
"""
FROZEN = """
create function ledger_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name
    using errcode = 'check_violation', constraint = 'ledger_is_append_only';
end $$
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")

    op.create_table(
        "provider_cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("provider_cursors_pkey")),
    )
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("webhook_events_pkey")),
        sa.UniqueConstraint("endpoint", "event_id", name=op.f("webhook_events_endpoint_event_id_key")),
    )
    op.create_index(op.f("webhook_events_received_at_idx"), "webhook_events", ["received_at"], unique=False)
    op.create_table(
        "cards",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("setup_id", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("last4", sa.Text(), nullable=True),
        sa.Column("exp_month", sa.Integer(), nullable=True),
        sa.Column("exp_year", sa.Integer(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("cards_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("cards_pkey")),
        sa.UniqueConstraint("external_id", name=op.f("cards_external_id_key")),
        sa.UniqueConstraint("setup_id", name=op.f("cards_setup_id_key")),
    )
    op.create_index(op.f("cards_person_id_idx"), "cards", ["person_id"], unique=False)
    op.create_table(
        "customers",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("customers_person_id_fkey")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("customers_pkey")),
        sa.UniqueConstraint("external_id", name=op.f("customers_external_id_key")),
        sa.UniqueConstraint("key", name=op.f("customers_key_key")),
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=True),
        sa.Column("payee", sa.Text(), nullable=False),
        sa.Column("card_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("owed", sa.BigInteger(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("on_session", sa.Boolean(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=True),
        sa.Column("intent_id", sa.Text(), nullable=True),
        sa.Column("charge_id", sa.Text(), nullable=True),
        sa.Column("capture_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_hard", sa.Boolean(), nullable=False),
        sa.Column("action_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("payments_amount_check")),
        sa.CheckConstraint(
            "captured >= 0 and refunded between 0 and captured", name=op.f("payments_refunded_check")
        ),
        sa.CheckConstraint("owed >= 0", name=op.f("payments_owed_check")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("payments_card_id_fkey")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("payments_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("payments_pkey")),
        sa.UniqueConstraint("intent_id", name=op.f("payments_intent_id_key")),
    )
    op.create_index(op.f("payments_card_id_idx"), "payments", ["card_id"], unique=False)
    op.create_index(
        "payments_one_rent_key",
        "payments",
        ["rental_id"],
        unique=True,
        postgresql_where=sa.text("purpose = 'rent'"),
    )
    op.create_index("payments_open_idx", "payments", ["state", "made_at"], unique=False)
    op.create_index(op.f("payments_person_id_idx"), "payments", ["person_id"], unique=False)
    op.create_index(op.f("payments_rental_id_idx"), "payments", ["rental_id"], unique=False)
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("rental_id", sa.Uuid(), nullable=True),
        sa.Column("fact_seq", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("ledger_entries_payment_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("ledger_entries_pkey")),
        sa.UniqueConstraint(
            "source_type", "source_id", "kind", name=op.f("ledger_entries_source_type_source_id_kind_key")
        ),
    )
    op.create_index(op.f("ledger_entries_payment_id_idx"), "ledger_entries", ["payment_id"], unique=False)
    op.create_index(op.f("ledger_entries_rental_id_idx"), "ledger_entries", ["rental_id"], unique=False)
    op.create_table(
        "payment_commands",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("card_id", sa.Uuid(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("params_hash", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(payment_id, card_id) = 1", name=op.f("payment_commands_one_subject_check")
        ),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("payment_commands_card_id_fkey")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("payment_commands_payment_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("payment_commands_pkey")),
        sa.UniqueConstraint("key", name=op.f("payment_commands_key_key")),
    )
    op.create_index(op.f("payment_commands_card_id_idx"), "payment_commands", ["card_id"], unique=False)
    op.create_index(
        "payment_commands_live_key",
        "payment_commands",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open' and kind in ('hold', 'charge')"),
    )
    op.create_index(op.f("payment_commands_object_id_idx"), "payment_commands", ["object_id"], unique=False)
    op.create_index(op.f("payment_commands_payment_id_idx"), "payment_commands", ["payment_id"], unique=False)
    op.create_index(
        "payment_commands_target_key",
        "payment_commands",
        ["kind", "target"],
        unique=True,
        postgresql_where=sa.text("kind in ('capture', 'release')"),
    )
    op.create_table(
        "postings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("postings_amount_check")),
        sa.ForeignKeyConstraint(["entry_id"], ["ledger_entries.id"], name=op.f("postings_entry_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("postings_pkey")),
    )
    op.create_index("postings_account_idx", "postings", ["account", "subject", "currency"], unique=False)
    op.create_index(op.f("postings_entry_id_idx"), "postings", ["entry_id"], unique=False)

    op.execute(BALANCED)
    op.execute(FROZEN)
    for table in ("ledger_entries", "postings"):
        op.execute(
            f"create constraint trigger {table}_balanced after insert on {table}"
            " deferrable initially deferred for each row execute function ledger_entry_balanced()"
        )
        op.execute(
            f"create trigger {table}_append_only before update or delete on {table}"
            " for each row execute function ledger_is_append_only()"
        )
        op.execute(
            f"create trigger {table}_never_emptied before truncate on {table}"
            " for each statement execute function ledger_is_append_only()"
        )
    op.execute(
        "insert into deadlines (kind, ref, due_at) values ('reconcile', 'payments', business_now())"
        " on conflict do nothing"
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""receipts and credit notes with numbers without gaps; tax details of who earns, and when they are asked for"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"

FROZEN = """
create function document_never_changes() returns trigger language plpgsql as $$
begin
  raise exception '% never change: issue a credit note', tg_table_name
    using errcode = 'check_violation', constraint = 'document_never_changes';
end $$
"""
NEXT_NOVEMBER = """
insert into deadlines (kind, ref, due_at)
select 'tax_reminder', 'owners', day + case when day <= business_now() then interval '1 year' else interval '0' end
from (select date_trunc('year', business_now()) + interval '10 months 8 hours' as day) d
on conflict do nothing
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "document_series",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("document_series_pkey")),
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("no > 0", name=op.f("documents_no_check")),
        sa.CheckConstraint(
            "case kind when 'receipt' then amount > 0 when 'credit_note' then amount < 0 else false end",
            name=op.f("documents_kind_check"),
        ),
        sa.CheckConstraint(
            "(kind = 'credit_note') = (corrects_id is not null)", name=op.f("documents_corrects_check")
        ),
        sa.ForeignKeyConstraint(["series"], ["document_series.name"], name=op.f("documents_series_fkey")),
        sa.ForeignKeyConstraint(["corrects_id"], ["documents.id"], name=op.f("documents_corrects_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("documents_pkey")),
        sa.UniqueConstraint("series", "no", name=op.f("documents_series_no_key")),
    )
    op.create_index("documents_rental_idx", "documents", ["rental_id", "id"])
    op.create_table(
        "tax_details",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("tin_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("tin_end", sa.Text(), nullable=True),
        sa.Column("tin_country", sa.Text(), nullable=True),
        sa.Column("birth_place", sa.Text(), nullable=True),
        sa.Column("vat_number", sa.Text(), nullable=True),
        sa.Column("iban_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("iban_end", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("tax_details_person_id_fkey")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("tax_details_pkey")),
    )
    op.execute(FROZEN)
    op.execute(
        "create trigger documents_never_change before update or delete on documents"
        " for each row execute function document_never_changes()"
    )
    op.execute(
        "create trigger documents_never_emptied before truncate on documents"
        " for each statement execute function document_never_changes()"
    )
    op.execute(NEXT_NOVEMBER)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

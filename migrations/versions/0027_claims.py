"""insurers' claims on their covers, version by version, who took their evidence, how cars were used under covers"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"

_AT = sa.DateTime(timezone=True)
_AMOUNTS = ("reserve_indemnity", "reserve_fees", "paid_indemnity", "paid_fees")


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "claims",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("insurer_id", sa.Uuid(), nullable=False),
        sa.Column("cover_id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("occurred_at", _AT, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("denied", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _AMOUNTS),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("notified_at", _AT, nullable=False),
        sa.Column("changed_at", _AT, nullable=False),
        sa.Column("over_at", _AT, nullable=True),
        sa.ForeignKeyConstraint(["insurer_id"], ["insurers.id"], name=op.f("claims_insurer_id_fkey")),
        sa.ForeignKeyConstraint(["cover_id"], ["covers.id"], name=op.f("claims_cover_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("claims_pkey")),
        sa.UniqueConstraint("insurer_id", "reference", name=op.f("claims_insurer_id_reference_key")),
    )
    op.create_index("claims_insurer_idx", "claims", ["insurer_id", "id"])
    op.create_index("claims_cover_id_idx", "claims", ["cover_id"])
    op.create_index("claims_rental_id_idx", "claims", ["rental_id"])
    op.create_table(
        "claim_versions",
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fact_seq", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", _AT, nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("claim_versions_claim_id_fkey")),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["partner_clients.id"], name=op.f("claim_versions_recorded_by_fkey")
        ),
        sa.PrimaryKeyConstraint("claim_id", "version", name=op.f("claim_versions_pkey")),
        sa.UniqueConstraint("fact_seq", name=op.f("claim_versions_fact_seq_key")),
    )
    op.create_table(
        "claims_reported",
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("paid_indemnity", sa.BigInteger(), nullable=False),
        sa.Column("paid_fees", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("claims_reported_claim_id_fkey")),
        sa.PrimaryKeyConstraint("claim_id", name=op.f("claims_reported_pkey")),
    )
    op.create_table(
        "evidence_read",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("read_at", _AT, nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("evidence_read_claim_id_fkey")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["partner_clients.id"], name=op.f("evidence_read_client_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("evidence_read_pkey")),
    )
    op.create_index("evidence_read_claim_id_idx", "evidence_read", ["claim_id"])
    op.create_table(
        "cover_use",
        sa.Column("cover_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("derived_at", _AT, nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["cover_id"], ["covers.id"], name=op.f("cover_use_cover_id_fkey")),
        sa.PrimaryKeyConstraint("cover_id", name=op.f("cover_use_pkey")),
    )
    op.add_column("hourly_readings", sa.Column("battery_celsius", sa.Float(), nullable=True))
    op.execute(
        "create trigger claim_versions_append_only before update or delete on claim_versions"
        " for each row execute function append_only()"
    )
    with op.get_context().autocommit_block():
        op.create_index(
            "facts_befell_idx",
            "facts",
            [sa.text("(data ->> 'car')"), "at"],
            postgresql_where=sa.text(
                "kind in ('AlarmSounded', 'CarCarried', 'DoorLeftOpen', 'TwelveVoltLow', 'TyreSoft')"
            ),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""coverage"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

# What an insurer has read stays as it was: rows of versions are only added.
APPEND_ONLY = """
create function cover_versions_stay() returns trigger language plpgsql as $$
begin
  raise exception 'cover_versions is append-only';
end $$
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")

    op.create_table(
        "insurers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("insurers_pkey")),
        sa.UniqueConstraint("name", name=op.f("insurers_name_key")),
    )
    op.create_table(
        "master_policies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("insurer_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["insurer_id"], ["insurers.id"], name=op.f("master_policies_insurer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("master_policies_pkey")),
        sa.UniqueConstraint(
            "insurer_id", "number", "version", name=op.f("master_policies_insurer_id_number_version_key")
        ),
    )
    op.create_table(
        "partner_clients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("insurer_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=True),
        sa.Column("public_keys", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["insurer_id"], ["insurers.id"], name=op.f("partner_clients_insurer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("partner_clients_pkey")),
    )
    op.create_index(op.f("partner_clients_insurer_id_idx"), "partner_clients", ["insurer_id"], unique=False)
    op.create_table(
        "cover_confirmations",
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("cover_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("driver_ref", sa.Text(), nullable=False),
        sa.Column("car", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state in ('asked', 'pending', 'confirmed', 'refused')",
            name=op.f("cover_confirmations_state_check"),
        ),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["people.id"], name=op.f("cover_confirmations_driver_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["master_policies.id"], name=op.f("cover_confirmations_policy_id_fkey")
        ),
        sa.PrimaryKeyConstraint("rental_id", name=op.f("cover_confirmations_pkey")),
        sa.UniqueConstraint("cover_id", name=op.f("cover_confirmations_cover_id_key")),
    )
    op.create_table(
        "partner_assertions",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["partner_clients.id"], name=op.f("partner_assertions_client_id_fkey")
        ),
        sa.PrimaryKeyConstraint("client_id", "jti", name=op.f("partner_assertions_pkey")),
    )
    op.create_index(
        op.f("partner_assertions_expires_at_idx"), "partner_assertions", ["expires_at"], unique=False
    )
    op.create_table(
        "policies_in_force",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("insurer_id", sa.Uuid(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "during",
            postgresql.TSTZRANGE(),
            sa.Computed("tstzrange(from_at, to_at, '[)')", persisted=True),
            nullable=False,
        ),
        postgresql.ExcludeConstraint(
            (sa.text("int8range(hashtextextended(country, 0), hashtextextended(country, 0), '[]')"), "&&"),
            (sa.column("during"), "&&"),
            using="gist",
            name="policies_in_force_one_at_once",
        ),
        sa.CheckConstraint("from_at <= to_at", name=op.f("policies_in_force_forward_check")),
        sa.ForeignKeyConstraint(
            ["insurer_id"], ["insurers.id"], name=op.f("policies_in_force_insurer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["master_policies.id"], name=op.f("policies_in_force_policy_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("policies_in_force_pkey")),
    )
    op.create_index("policies_in_force_at_idx", "policies_in_force", ["country", "from_at"], unique=False)
    op.create_index(op.f("policies_in_force_policy_id_idx"), "policies_in_force", ["policy_id"], unique=False)
    op.create_table(
        "coverage_lookups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("insurer_id", sa.Uuid(), nullable=False),
        sa.Column("car_no", sa.Integer(), nullable=True),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("plate", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("covered", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["car_no"], ["cars.no"], name=op.f("coverage_lookups_car_no_fkey")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["partner_clients.id"], name=op.f("coverage_lookups_client_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["insurer_id"], ["insurers.id"], name=op.f("coverage_lookups_insurer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("coverage_lookups_pkey")),
    )
    op.create_index("coverage_lookups_car_idx", "coverage_lookups", ["car_no", "id"], unique=False)
    op.create_table(
        "covers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("certificate_id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("car_no", sa.Integer(), nullable=False),
        sa.Column("car_id", sa.Uuid(), nullable=False),
        sa.Column("insurer_id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("driver_ref", sa.Text(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("car", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("declared_value", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("own_damage_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overrun_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_late_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("odometer_start_km", sa.Integer(), nullable=True),
        sa.Column("odometer_end_km", sa.Integer(), nullable=True),
        sa.Column("covered_minutes", sa.Integer(), nullable=True),
        sa.Column("charged_minutes", sa.Integer(), nullable=True),
        sa.Column("premium", sa.BigInteger(), nullable=True),
        sa.Column("end_evidence", sa.Text(), nullable=True),
        sa.Column("pending_version", sa.Integer(), nullable=True),
        sa.Column("acknowledged_version", sa.Integer(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("refused_reason", sa.Text(), nullable=True),
        sa.Column(
            "during",
            postgresql.TSTZRANGE(),
            sa.Computed("tstzrange(from_at, to_at, '[)')", persisted=True),
            nullable=False,
        ),
        postgresql.ExcludeConstraint(
            (sa.text("int4range(car_no, car_no, '[]')"), "&&"),
            (sa.column("during"), "&&"),
            using="gist",
            name="covers_never_two_at_once",
        ),
        sa.CheckConstraint(
            "(to_at is null) = (state in ('bound', 'active'))", name=op.f("covers_open_check")
        ),
        sa.CheckConstraint(
            "state in ('conditional', 'bound', 'active', 'closed', 'void')", name=op.f("covers_state_check")
        ),
        sa.CheckConstraint("from_at <= to_at", name=op.f("covers_forward_check")),
        sa.ForeignKeyConstraint(["car_id"], ["cars.id"], name=op.f("covers_car_id_fkey")),
        sa.ForeignKeyConstraint(["car_no"], ["cars.no"], name=op.f("covers_car_no_fkey")),
        sa.ForeignKeyConstraint(["driver_id"], ["people.id"], name=op.f("covers_driver_id_fkey")),
        sa.ForeignKeyConstraint(["insurer_id"], ["insurers.id"], name=op.f("covers_insurer_id_fkey")),
        sa.ForeignKeyConstraint(["policy_id"], ["master_policies.id"], name=op.f("covers_policy_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("covers_pkey")),
        sa.UniqueConstraint("certificate_id", name=op.f("covers_certificate_id_key")),
    )
    op.create_index("covers_at_idx", "covers", ["car_no", "from_at"], unique=False)
    op.create_index("covers_changed_idx", "covers", ["insurer_id", "recorded_at"], unique=False)
    op.create_index(op.f("covers_driver_id_idx"), "covers", ["driver_id"], unique=False)
    op.create_index("covers_insurer_idx", "covers", ["insurer_id", "id"], unique=False)
    op.create_index(
        "covers_one_open_key", "covers", ["car_no"], unique=True, postgresql_where=sa.text("to_at is null")
    )
    op.create_index(op.f("covers_rental_id_idx"), "covers", ["rental_id"], unique=False)
    op.create_index(
        "covers_unacknowledged_idx",
        "covers",
        ["policy_id", "from_at"],
        unique=False,
        postgresql_where=sa.text("acknowledged_version is null and state <> 'void'"),
    )
    op.create_table(
        "cover_versions",
        sa.Column("cover_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fact_seq", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("insurer_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["cover_id"], ["covers.id"], name=op.f("cover_versions_cover_id_fkey")),
        sa.PrimaryKeyConstraint("cover_id", "version", name=op.f("cover_versions_pkey")),
        sa.UniqueConstraint("fact_seq", name=op.f("cover_versions_fact_seq_key")),
    )
    op.create_table(
        "driver_blocks",
        sa.Column("insurer_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("cover_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["insurer_id"], ["insurers.id"], name=op.f("driver_blocks_insurer_id_fkey")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("driver_blocks_person_id_fkey")),
        sa.PrimaryKeyConstraint("insurer_id", "person_id", name=op.f("driver_blocks_pkey")),
    )
    op.create_index("cars_vin_idx", "cars", ["vin"], unique=False)
    op.create_index("facts_sealed_idx", "facts", ["sealed_at", "position"], unique=False)
    op.execute(APPEND_ONLY)
    op.execute(
        "create trigger cover_versions_append_only before update or delete on cover_versions"
        " for each row execute function cover_versions_stay()"
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

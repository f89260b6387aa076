"""quotes, rentals and their commands"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "quotes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("car_id", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=True),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expected_km", sa.Integer(), nullable=True),
        sa.Column("fare", sa.Text(), nullable=False),
        sa.Column("terms_version", sa.Integer(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("price", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("conditions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["car_id"], ["cars.id"], name=op.f("quotes_car_id_fkey")),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name=op.f("quotes_community_id_fkey")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("quotes_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("quotes_pkey")),
    )
    op.create_index(op.f("quotes_expires_at_idx"), "quotes", ["expires_at"], unique=False)
    op.create_table(
        "rentals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("car_id", sa.Uuid(), nullable=False),
        sa.Column("car_no", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fare", sa.Text(), nullable=False),
        sa.Column("terms_version", sa.Integer(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("price", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("card", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("meter_stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("odometer_start", sa.Double(), nullable=True),
        sa.Column("odometer_end", sa.Double(), nullable=True),
        sa.Column("charge_start", sa.Double(), nullable=True),
        sa.Column("charge_end", sa.Double(), nullable=True),
        sa.Column("keys_stated", sa.Boolean(), nullable=True),
        sa.Column("plugged_stated", sa.Boolean(), nullable=True),
        sa.Column("final_price", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("end_evidence", sa.Text(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("extension", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("still_has_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("over_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["car_id"], ["cars.id"], name=op.f("rentals_car_id_fkey")),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name=op.f("rentals_community_id_fkey")),
        sa.ForeignKeyConstraint(["driver_id"], ["people.id"], name=op.f("rentals_driver_id_fkey")),
        sa.ForeignKeyConstraint(["quote_id"], ["quotes.id"], name=op.f("rentals_quote_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("rentals_pkey")),
        sa.UniqueConstraint("quote_id", name=op.f("rentals_quote_id_key")),
    )
    op.create_index("rentals_car_idx", "rentals", ["car_id", "id"], unique=False)
    op.create_index(op.f("rentals_community_id_idx"), "rentals", ["community_id"], unique=False)
    op.create_index("rentals_driver_idx", "rentals", ["driver_id", "id"], unique=False)
    op.create_index(
        "rentals_one_out_per_car_key",
        "rentals",
        ["car_no"],
        unique=True,
        postgresql_where=sa.text("state in ('unlocking', 'active', 'locking')"),
    )
    op.create_table(
        "commands",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("car_id", sa.Uuid(), nullable=False),
        sa.Column("car_no", sa.Integer(), nullable=False),
        sa.Column("box_id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=True),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_on", sa.Uuid(), nullable=True),
        sa.Column("asked_session", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("conditions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sent_text", sa.Text(), nullable=True),
        sa.Column("answer_text", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["box_id"], ["boxes.id"], name=op.f("commands_box_id_fkey")),
        sa.ForeignKeyConstraint(["car_id"], ["cars.id"], name=op.f("commands_car_id_fkey")),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name=op.f("commands_rental_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("commands_pkey")),
    )
    op.create_index("commands_car_idx", "commands", ["car_id", "id"], unique=False)
    op.create_index(
        "commands_one_open_per_car_key",
        "commands",
        ["car_no"],
        unique=True,
        postgresql_where=sa.text("state in ('created', 'sent')"),
    )
    op.create_index("commands_rental_idx", "commands", ["rental_id", "id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""offline access grants: companions of boxes, grants handed out, receipts of boxes, covers that hold on condition"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    # Concurrently built, the index is committed by itself, and its column with it: they come first, so that whatever fails
    # leaves nothing else behind, and an index that a failed try left invalid is built anew.
    op.add_column(
        "covers", sa.Column("conditional_to", sa.DateTime(timezone=True), nullable=True), if_not_exists=True
    )
    with op.get_context().autocommit_block():
        op.drop_index("covers_conditional_idx", "covers", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "covers_conditional_idx",
            "covers",
            ["car_no", "conditional_to"],
            postgresql_where=sa.text("conditional_to is not null"),
            postgresql_concurrently=True,
        )
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "companions",
        sa.Column("box_id", sa.Uuid(), nullable=False),
        sa.Column("hardware_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("floor", sa.Integer(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("next_kid", sa.Text(), nullable=False),
        sa.Column("acked_serial", sa.Integer(), nullable=False),
        sa.Column("acked_sequence", sa.BigInteger(), nullable=False),
        sa.Column("settled_sequence", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["box_id"], ["boxes.id"], name=op.f("companions_box_id_fkey")),
        sa.PrimaryKeyConstraint("box_id", name=op.f("companions_pkey")),
        sa.UniqueConstraint("hardware_id", name=op.f("companions_hardware_id_key")),
    )
    op.create_table(
        "grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("box_id", sa.Uuid(), nullable=False),
        sa.Column("phone_id", sa.Uuid(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("floor", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_for", sa.Text(), nullable=True),
        sa.Column("revoked_serial", sa.Integer(), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name=op.f("grants_rental_id_fkey")),
        sa.ForeignKeyConstraint(["box_id"], ["boxes.id"], name=op.f("grants_box_id_fkey")),
        sa.ForeignKeyConstraint(["phone_id"], ["phones.id"], name=op.f("grants_phone_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("grants_pkey")),
    )
    op.create_index("grants_rental_idx", "grants", ["rental_id"])
    op.create_index("grants_box_idx", "grants", ["box_id"], postgresql_where=sa.text("dead_at is null"))
    op.create_index("grants_phone_id_idx", "grants", ["phone_id"])
    op.create_table(
        "offline_receipts",
        sa.Column("box_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("box_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("odometer_km", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_from", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["box_id"], ["boxes.id"], name=op.f("offline_receipts_box_id_fkey")),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("offline_receipts_grant_id_fkey")),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name=op.f("offline_receipts_rental_id_fkey")),
        sa.PrimaryKeyConstraint("box_id", "sequence", name=op.f("offline_receipts_pkey")),
    )
    op.create_index("offline_receipts_rental_idx", "offline_receipts", ["rental_id"])
    op.create_index(
        "offline_receipts_waiting_idx",
        "offline_receipts",
        ["box_id", "sequence"],
        postgresql_where=sa.text("at is null"),
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""messages"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")

    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("fact_seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rental_id", sa.Uuid(), nullable=True),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("messages_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("messages_pkey")),
        sa.UniqueConstraint(
            "fact_seq", "person_id", "kind", name="messages_told_once_key", postgresql_nulls_not_distinct=True
        ),
    )
    op.create_index("messages_person_idx", "messages", ["person_id", "id"], unique=False)
    op.create_index(
        "messages_unread_idx",
        "messages",
        ["person_id", "id"],
        unique=False,
        postgresql_where=sa.text("read_at is null"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("phone_id", sa.Uuid(), nullable=True),
        sa.Column("address_hash", sa.LargeBinary(), nullable=True),
        sa.Column("address_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("deliveries_message_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("deliveries_pkey")),
        sa.UniqueConstraint(
            "message_id",
            "channel",
            "phone_id",
            name="deliveries_one_each_key",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(
        "deliveries_digest_idx",
        "deliveries",
        ["person_id", "message_id"],
        unique=False,
        postgresql_where=sa.text("digest and state = 'waiting'"),
    )
    op.create_table(
        "message_preferences",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_to", sa.Time(), nullable=True),
        sa.Column("channels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("message_preferences_person_id_fkey")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("message_preferences_pkey")),
    )
    op.create_index(
        "facts_rental_idx",
        "facts",
        [sa.literal_column("(data ->> 'rental')"), "seq"],
        unique=False,
        postgresql_where=sa.text("(data ->> 'rental') is not null"),
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

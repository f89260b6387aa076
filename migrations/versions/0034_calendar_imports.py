"""calendars of car owners, imported from an address: what they say narrows what is offered"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "calendar_imports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("car_id", sa.Uuid(), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("url_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", _AT, nullable=False),
        sa.Column("asked_at", _AT, nullable=False),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("busy", postgresql.TSTZMULTIRANGE(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("skipped", postgresql.JSONB(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("read_at", _AT, nullable=True),
        sa.Column("last_sync_at", _AT, nullable=True),
        sa.Column("tried_at", _AT, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", _AT, nullable=True),
        sa.ForeignKeyConstraint(["by_id"], ["people.id"], name=op.f("calendar_imports_by_id_fkey")),
        sa.ForeignKeyConstraint(["car_id"], ["cars.id"], name=op.f("calendar_imports_car_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("calendar_imports_pkey")),
    )
    op.create_index("calendar_imports_by_id_idx", "calendar_imports", ["by_id"])
    op.create_index("calendar_imports_car_id_idx", "calendar_imports", ["car_id"])


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

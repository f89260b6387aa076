"""monthly bordereaux, line by line as they were handed out"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "bordereaux",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("insurer_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("csv_head", sa.Text(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("csv_sha256", sa.Text(), nullable=False),
        sa.Column("json_sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["insurer_id"], ["insurers.id"], name=op.f("bordereaux_insurer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("bordereaux_pkey")),
        sa.UniqueConstraint(
            "insurer_id", "number", "month", "kind", name=op.f("bordereaux_insurer_id_number_month_kind_key")
        ),
    )
    op.create_table(
        "bordereau_rows",
        sa.Column("bordereau_id", sa.Uuid(), nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cover_id", sa.Uuid(), nullable=False),
        sa.Column("csv", sa.Text(), nullable=False),
        sa.Column("json", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bordereau_id"], ["bordereaux.id"], name=op.f("bordereau_rows_bordereau_id_fkey")
        ),
        sa.PrimaryKeyConstraint("bordereau_id", "no", name=op.f("bordereau_rows_pkey")),
    )
    op.create_index("bordereau_rows_cover_id_idx", "bordereau_rows", ["cover_id"])
    op.create_table(
        "covers_reported",
        sa.Column("cover_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("premium", sa.BigInteger(), nullable=True),
        sa.Column("voided", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["cover_id"], ["covers.id"], name=op.f("covers_reported_cover_id_fkey")),
        sa.PrimaryKeyConstraint("cover_id", name=op.f("covers_reported_pkey")),
    )
    op.execute(
        "create trigger bordereau_rows_append_only before update or delete on bordereau_rows"
        " for each row execute function append_only()"
    )
    op.execute("insert into deadlines (kind, ref, due_at) values ('bordereaux', 'all', business_now())")


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

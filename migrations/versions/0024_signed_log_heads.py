"""signed heads of the log: one a day"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


# What was handed out stays as it was: of heads, and of tables to come.
APPEND_ONLY = """
create function append_only() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'check_violation', constraint = 'append_only';
end $$
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "log_heads",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("nodes", sa.LargeBinary(), nullable=False),
        sa.Column("signed", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("log_heads_pkey")),
        sa.UniqueConstraint("last", name=op.f("log_heads_last_key")),
    )
    op.execute(APPEND_ONLY)
    op.execute(
        "create trigger log_heads_append_only before update or delete on log_heads"
        " for each row execute function append_only()"
    )
    op.execute("insert into deadlines (kind, ref, due_at) values ('log_head', 'facts', business_now())")


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

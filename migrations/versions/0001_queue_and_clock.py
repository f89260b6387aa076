"""The job queue's own schema, as the pinned procrastinate ships it, and business time."""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None

BUSINESS_NOW = """
create function business_now() returns timestamptz language plpgsql volatile parallel safe as $$
begin
  return date_trunc('milliseconds', clock_timestamp()
    + make_interval(secs => coalesce((select milliseconds from clock_offset), 0) / 1000.0));
end $$
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.get_bind().connection.cursor().execute(SchemaManager.get_schema().encode())
    op.execute(
        "create table clock_offset (single boolean constraint clock_offset_pkey primary key, milliseconds bigint not null)"
    )
    op.execute(BUSINESS_NOW)


def downgrade() -> None:
    raise NotImplementedError("there is nothing before the first migration")

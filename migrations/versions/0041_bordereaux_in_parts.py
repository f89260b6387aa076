"""a bordereau is written in parts and shown once whole; a cover keeps the zone it was given in"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"

ROWS_STAY = """
create function bordereau_rows_stay() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and exists (select 1 from bordereaux where id = old.bordereau_id and not whole) then
    return old;
  end if;
  raise exception '% is append-only', tg_table_name using errcode = 'check_violation', constraint = 'append_only';
end $$
"""


def upgrade() -> None:
    # covers_reported is used while bordereaux are made and at no other time: that it is locked while its key is built
    # holds up nobody
    op.execute("set local lock_timeout = '5s'")
    op.add_column("covers", sa.Column("time_zone", sa.Text(), nullable=True))
    op.add_column(
        "bordereaux", sa.Column("whole", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )
    op.execute(
        "create trigger bordereaux_append_only before update or delete on bordereaux"
        " for each row when (old.whole) execute function append_only()"
    )
    op.execute(ROWS_STAY)
    op.execute("drop trigger bordereau_rows_append_only on bordereau_rows")
    op.execute(
        "create trigger bordereau_rows_append_only before update or delete on bordereau_rows"
        " for each row execute function bordereau_rows_stay()"
    )
    op.drop_constraint(op.f("covers_reported_pkey"), "covers_reported")
    op.create_primary_key(op.f("covers_reported_pkey"), "covers_reported", ["cover_id", "version"])
    op.add_column("covers_reported", sa.Column("bordereau_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("covers_reported_bordereau_id_fkey"), "covers_reported", "bordereaux", ["bordereau_id"], ["id"]
    )
    op.create_index("covers_reported_bordereau_id_idx", "covers_reported", ["bordereau_id"])


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

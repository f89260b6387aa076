"""what was known of custody at any instant stays readable: an entry of the ledger for each change, by trigger"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"

_AT = sa.DateTime(timezone=True)

# One entry for one span that somebody is newly said to have held, and the fact that binds it. A reader takes the newest
# entry that holds the instant, so a span that only became shorter needs none: whoever has the rest from then on has one.
NOTE = """
create or replace function note_custody(span custody) returns void language plpgsql as $$
declare
  known_at timestamptz := business_now();
  number int;
  fact bigint;
begin
  select coalesce(max(sequence), 0) + 1 into number from custody_entries where car_no = span.car_no;
  insert into facts (kind, data, at) values ('CustodyRecorded', jsonb_build_object(
    'car', (select 'car_' || replace(id::text, '-', '') from cars where no = span.car_no),
    'sequence', number,
    'holder', span.holder,
    'person', 'per_' || replace(span.person_id::text, '-', ''),
    'rental', 'ren_' || replace(span.rental_id::text, '-', ''),
    'held_from', to_char(span.from_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'held_to', to_char(span.to_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'recorded_at', to_char(known_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  ), known_at) returning seq into fact;
  insert into custody_entries (car_no, sequence, fact_seq, holder, person_id, rental_id, from_at, to_at, recorded_at)
  values (span.car_no, number, fact, span.holder, span.person_id, span.rental_id, span.from_at, span.to_at, known_at);
  perform pg_notify('facts', '');
end $$
"""
CHANGED = """
create or replace function custody_changed() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    raise exception 'custody is never deleted' using errcode = 'check_violation', constraint = 'append_only';
  end if;
  if new.from_at = new.to_at then
    return null;
  end if;
  if tg_op = 'UPDATE' then
    if (new.car_no, new.holder, new.person_id, new.rental_id)
      is not distinct from (old.car_no, old.holder, old.person_id, old.rental_id)
      and tstzrange(new.from_at, new.to_at) <@ tstzrange(old.from_at, old.to_at) then
      return null;
    end if;
  end if;
  perform note_custody(new);
  return null;
end $$
"""
# From the span before the one that was changed to the present: each ends where the next begins, and the last is open.
WHOLE = """
create or replace function custody_is_whole() returns trigger language plpgsql as $$
declare
  since timestamptz := case when tg_op = 'UPDATE' then least(new.from_at, old.from_at) else new.from_at end;
begin
  if exists (
    select 1 from (
      select to_at, lead(from_at) over (order by from_at) as following from custody
      where car_no = new.car_no and (to_at is null or to_at > from_at) and from_at >= coalesce((
        select max(from_at) from custody where car_no = new.car_no and to_at > from_at and from_at < since), '-infinity')
    ) spans where to_at is distinct from following
  ) then
    raise exception 'custody of car % has a gap or an overlap', new.car_no
      using errcode = 'check_violation', constraint = 'custody_is_whole';
  end if;
  return null;
end $$
"""
# In turn, each with its car locked as every change of custody has it: the present spans, as known from now on.
FILL = """
do $$
declare
  number int;
  span custody;
begin
  for number in select no from cars order by no loop
    perform 1 from cars where no = number for no key update;
    for span in
      select c.* from custody c where c.car_no = number and (c.to_at is null or c.to_at > c.from_at)
      and not exists (
        select 1 from custody_entries e where e.car_no = c.car_no and e.from_at = c.from_at
        and (e.holder, e.person_id, e.rental_id) is not distinct from (c.holder, c.person_id, c.rental_id)
      ) order by c.from_at
    loop
      perform note_custody(span);
    end loop;
    commit;
  end loop;
end $$
"""


def upgrade() -> None:
    # Unlocks go on: the trigger stands before what came earlier is filled in, car by car; a try that was cut off may be
    # made again.
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "custody_entries",
        sa.Column("car_no", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("fact_seq", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("rental_id", sa.Uuid(), nullable=True),
        sa.Column("from_at", _AT, nullable=False),
        sa.Column("to_at", _AT, nullable=True),
        sa.Column("recorded_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("car_no", "sequence", name=op.f("custody_entries_pkey")),
        sa.UniqueConstraint("fact_seq", name=op.f("custody_entries_fact_seq_key")),
        if_not_exists=True,
    )
    for function in (NOTE, CHANGED, WHOLE):
        op.execute(function)
    op.execute(
        "create or replace trigger custody_entries_append_only before update or delete on custody_entries"
        " for each row execute function append_only()"
    )
    op.execute(
        "create or replace trigger custody_entries_never_emptied before truncate on custody_entries"
        " for each statement execute function append_only()"
    )
    op.execute(
        "create or replace trigger custody_changed after insert or update or delete on custody"
        " for each row execute function custody_changed()"
    )
    op.execute("drop trigger if exists custody_is_whole on custody")
    op.execute(
        "create constraint trigger custody_is_whole after insert or update on custody"
        " deferrable initially deferred for each row execute function custody_is_whole()"
    )
    with op.get_context().autocommit_block():
        op.execute(FILL)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")

"""A car's calendar: what is free, held and blocked; by whom, and what imported calendars say, is for its owner alone."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.cars import access
from app.cars.calendar_picture import Sheet, Shown, midnight, month_of, week_of
from app.cars.models import CAR
from app.kit import clock, i18n, locales
from app.kit.db import bare
from app.kit.driver import read
from app.kit.errors import NotFound, Validation

LONGEST = timedelta(days=92)
# The right to see it, and what is seen, of one snapshot. The first line is always there, if the car may be seen.
_CALENDAR = text(f"""
with mine as materialized ({access.MINE}), car as materialized ({access.SEEN}),
span as (select tstzrange(:a, :b, '[)') as s),
busy as materialized (
  select x.kind, x.ref, x.during from car, span, occupancy x
  where int4range(x.car_no, x.car_no, '[]') && int4range(car.no, car.no, '[]') and x.during && s
), imported as (
  select unnest((select range_agg(i.busy) from calendar_imports i where i.car_id = :car) * tstzmultirange(s)
    - coalesce((select range_agg(during) from busy), '{{}}')) as during from car, span where car.runs
), free as (
  select unnest(tstzmultirange(s) * o.spans - coalesce((select range_agg(during) from busy), '{{}}')) as during
  from car join offers o on o.car_no = car.no, span
)
select runs, null as kind, null as ref, cast(null as timestamptz) as a, cast(null as timestamptz) as b from car
union all select null, 'free', null, lower(during), upper(during) from free
union all select null, 'blocked', null, lower(during), upper(during) from imported
union all select null, case kind when 'block' then 'blocked' else 'held' end, ref,
  greatest(lower(during), :a), least(upper(during), :b) from busy
order by a nulls first
""")  # noqa: S608 the parts are constants of ours


def of(person: str, car_id: str, from_at: datetime, to_at: datetime) -> list[dict[str, Any]]:
    """The spans of at most 92 days, in order. Raises NotFound, Validation."""
    if not from_at < to_at <= from_at + LONGEST:
        raise Validation(
            errors=[{"parameter": "to", "code": "invalid", "detail": "After `from`, at most 92 days later."}]
        )
    values = {"person": bare(person, "per"), "car": bare(car_id, CAR), "a": from_at, "b": to_at}
    rows = read(_CALENDAR, values)
    if not rows:
        raise NotFound
    mine = rows[0].runs
    return [
        {"from_at": row.a, "to_at": row.b, "kind": row.kind, "ref": row.ref if mine else None}
        for row in rows[1:]
    ]


def picture(person: str, car_id: str, day: date | None, span: str) -> str:
    """The week or month around a day, drawn; today on the clocks of the car when left out. Raises NotFound."""
    car = access.may_see(car_id, person)
    zone = ZoneInfo(car.time_zone)
    day = day or clock.now().astimezone(zone).date()
    days = month_of(day) if span == "month" else week_of(day)
    begins, ends = midnight(days[0], zone), midnight(days[-1] + timedelta(days=1), zone)
    spans = [Shown(one["kind"], one["from_at"], one["to_at"]) for one in of(person, car_id, begins, ends)]
    language = i18n.reader()
    words = {kind: i18n.say(f"calendar.{kind}", language) for kind in ("free", "held", "blocked")}
    locale = locales.locale_of(language, car.country)
    return Sheet(days, zone, words, locale).svg(f"{car.make} {car.model}", spans)

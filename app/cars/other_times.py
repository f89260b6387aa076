"""What is free at another time: cars one may book, each at the time nearest to a span in which it is not free."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from app.cars import find
from app.cars.occupancy import KEPT_FREE
from app.cars.terms import LIMITS
from app.kit import clock
from app.kit.driver import read

AROUND = timedelta(days=2)
MOST_CARS = 500
_NEAREST = text(f"""{find.PICKED.format(each="")}
  and not c.unsafe and c.rank > 0 {find.IN_ORDER.format(limit=":cars")}
), may as materialized (
  select p.*, c.no, make_interval(mins => buffer_min) as buffer, tstzrange(
    greatest(:earliest, (select now from clock) + make_interval(mins => notice_min)),
    least(:latest, p.until + :length)) as span
  from picked p join cars c on c.id = p.id
  cross join lateral {LIMITS.format(car="p.id", community="p.through")} as limits
  where :length between make_interval(mins => min_min) and make_interval(mins => max_min)
    and (select now from clock) + make_interval(mins => notice_min) < least(:latest, p.until + :length)
), gaps as materialized (
  select may.*, unnest(o.spans * tstzmultirange(may.span) - coalesce((select
    range_agg({KEPT_FREE.format(buffer="may.buffer")}) from occupancy x
    where int4range(x.car_no, x.car_no, '[]') && int4range(may.no, may.no, '[]')
    and x.during && tstzrange(lower(may.span), upper(may.span) + may.buffer, '[)')
    and not isempty(x.during)), '{{}}')) as gap
  from may join offers o on o.car_no = may.no
), fits as (
  select distinct on (id) * from (
    select gaps.*, greatest(lower(gap), least(:begin, upper(gap) - :length)) as begins from gaps
    where upper(gap) - lower(gap) >= :length
  ) as every order by id, abs(extract(epoch from begins - :begin)), rank, best, membership nulls first
)
select c.*, p.through, p.fare, p.rank, p.km, t.data::text as terms, b.id as box_id, p.begins from fits p
join cars c on c.id = p.id
left join lateral (select data from terms where terms.car_id = p.id and terms.community_id = p.through
  order by version desc limit 1) t on true
left join boxes b on b.car_id = p.id and b.removed_at is null and b.replaces_id is null
where p.begins <> :begin order by abs(extract(epoch from p.begins - :begin)), p.km, c.id limit :limit
""")  # noqa: S608 the part is a constant of ours


def nearest(person: str, query: dict[str, Any]) -> list[tuple[Any, datetime, datetime]]:
    """Rows of cars with the span of the same length that begins nearest, at most two days away, the nearest first."""
    begin, end = query["free_from"], query["free_to"]
    earliest = max(clock.now(), begin - AROUND)
    if earliest >= end + AROUND:
        return []
    values = find.values(person, query) | {
        "begins": earliest,
        "cars": MOST_CARS,
        "begin": begin,
        "length": end - begin,
        "earliest": earliest,
        "latest": end + AROUND,
    }
    return [(row, row.begins, row.begins + (end - begin)) for row in read(_NEAREST, values)]

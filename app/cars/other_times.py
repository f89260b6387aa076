"""What is free at another time: cars one may book, each at the time nearest to a span in which it is not free."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from app.cars import find
from app.cars.occupancy import KEPT_FREE
from app.cars.terms import BUFFER
from app.kit import clock
from app.kit.driver import read

AROUND = timedelta(days=2)
MOST_CARS = 500
_NEAREST = text(f"""{find.PICKED}
  and not c.unsafe and c.rank > 0 order by c.id desc limit :cars
), around as (
  select tstzrange(cast(:earliest as timestamptz), cast(:latest as timestamptz), '[)') as span
), gaps as materialized (
  select p.id, unnest(o.spans * tstzmultirange(around.span) - coalesce((select
    range_agg({KEPT_FREE.format(buffer="buffer")}) from occupancy x
    where int4range(x.car_no, x.car_no, '[]') && int4range(c.no, c.no, '[]')
    and x.during && tstzrange(lower(around.span), upper(around.span) + buffer, '[)')
    and not isempty(x.during)), '{{}}')) as gap
  from around, picked p join cars c on c.id = p.id join offers o on o.car_no = c.no
  cross join lateral (select {BUFFER.format(car="p.id", community="p.through")} as buffer) behind
), fits as (
  select distinct on (id) id, begins from (
    select id, greatest(lower(gap), least(:begin, upper(gap) - cast(:length as interval))) as begins from gaps
    where upper(gap) - lower(gap) >= cast(:length as interval)
  ) as every order by id, abs(extract(epoch from begins - :begin))
)
select c.*, p.through, p.fare, p.rank, t.data::text as terms, b.id as box_id, f.begins from fits f
join picked p on p.id = f.id join cars c on c.id = f.id
left join lateral (select data from terms where terms.car_id = p.id and terms.community_id = p.through
  order by version desc limit 1) t on true
left join boxes b on b.car_id = p.id and b.removed_at is null and b.replaces_id is null
where f.begins <> :begin order by abs(extract(epoch from f.begins - :begin)), c.id limit :limit
""")  # noqa: S608 the part is a constant of ours


def nearest(person: str, query: dict[str, Any]) -> list[tuple[Any, datetime, datetime]]:
    """Rows of cars with the span of the same length that begins nearest, at most two days away, the nearest first."""
    begin, end = query["free_from"], query["free_to"]
    earliest = max(clock.now(), begin - AROUND)
    if earliest >= end + AROUND:
        return []
    values = find.values(person, query) | {
        "cursor": None,
        "cars": MOST_CARS,
        "limit": MOST_CARS,
        "begin": begin,
        "length": end - begin,
        "earliest": earliest,
        "latest": end + AROUND,
    }
    rows = read(_NEAREST, values)
    if query.get("near"):
        radius = query.get("radius_km", find.RADIUS_KM)
        rows = [row for row in rows if find.distance_km(row, query["near"]) <= radius]
    return [(row, row.begins, row.begins + (end - begin)) for row in rows[: query["limit"]]]

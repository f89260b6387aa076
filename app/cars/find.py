"""Find cars: one's own and those one may book, free for a whole span, with total and distance."""

import functools
import math
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import TextClause, text

from app.cars.access import MINE
from app.cars.terms import BUFFER, DEFAULTS, tariff
from app.kit.db import bare
from app.kit.driver import read
from app.kit.http import to_cursor, uncursor
from payments.pricing import estimate
from payments.tariff import Fare, Price

EARTH_KM = 6371.0
BLUR_KM = 0.5
RADIUS_KM = 50
# What the search asks of a car goes with it from the start: joined again further down, the cars of all are looked through.
_CAR = "c.id, c.no, c.unsafe, c.seats, c.powertrain, c.home_lat, c.home_lon"
PICKED = f"""
with mine as materialized ({MINE}), seen as materialized (
  select distinct on (id) * from (
    select {_CAR}, null::uuid as through, 'free' as fare, 0 as rank from cars c
      where c.owner_id = :person and c.removed_at is null
    union all
    select {_CAR}, mine.community_id, mine.fare, 1 from cars c join mine on mine.community_id = c.community_id
      where c.removed_at is null
    union all
    select {_CAR}, mine.community_id, mine.fare, 2 from car_shares s join mine on mine.community_id = s.community_id
      join cars c on c.id = s.car_id where s.ended_at is null and c.removed_at is null
  ) as every where cast(:community as uuid) is null or through = cast(:community as uuid)
  order by id, rank
), picked as materialized (
  select c.id, c.through, c.fare, c.rank from (
    select c.* from seen c
    where (cast(:cursor as uuid) is null or c.id < cast(:cursor as uuid))
    and (cast(:south as float) is null or (c.home_lat between :south and :north and c.home_lon between :west and :east))
    and (cast(:seats as int) is null or c.seats >= cast(:seats as int))
    and (cast(:powertrain as text) is null or c.powertrain = :powertrain)
    and (cast(:fare as text) is null or c.fare = :fare)
    order by c.id desc offset 0
  ) as c where (cast(:range_km as int) is null or :range_km <= (
    select cast(b.state->'range_km'->>'value' as float) from boxes b
    where b.car_id = c.id and b.removed_at is null and b.replaces_id is null))
"""  # noqa: S608 the part is a constant of ours
# The offset keeps looks that are dear for each car, those at the range and below, behind the order: they end with the last
# car of the page, and the guess that hardly a car is free cannot turn the join above into a loop in a loop. Before the order
# they would also make PostgreSQL plan each search anew, which takes longer than most searches.
_FREE = f"""
  and not c.unsafe
  and (select o.spans @> tstzrange(:free_from, :free_to, '[)') from offers o where o.car_no = c.no)
  and (select count(*) from (select 1 from occupancy x
     where int4range(x.car_no, x.car_no, '[]') && int4range(c.no, c.no, '[]')
     and x.during && tstzrange(:free_from, :free_to + {BUFFER.format(car="c.id", community="c.through")}, '[)')
     and (x.from_at < :free_to or x.kind <> 'block') limit 1) as busy) = 0
"""  # noqa: S608 the part is a constant of ours
_SHOWN = """
  order by c.id desc limit :limit
)
select c.*, p.through, p.fare, p.rank, t.data::text as terms, b.id as box_id from picked p join cars c on c.id = p.id
left join lateral (select data from terms where terms.car_id = p.id and terms.community_id = p.through
  order by version desc limit 1) t on true
left join boxes b on b.car_id = p.id and b.removed_at is null and b.replaces_id is null
order by c.id desc
"""


def find(person: str, query: dict[str, Any]) -> tuple[list[Any], str | None]:
    """Rows of cars, newest first, and the cursor of the next page."""
    free = query.get("free_from") is not None
    return _pages(_statement(free), values(person, query), query)


def values(person: str, query: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the search."""
    return _box(query) | {
        "person": bare(person, "per"),
        "community": bare(query["community"], "com") if query.get("community") else None,
        "cursor": bare(uncursor(query["cursor"], "car"), "car") if query.get("cursor") else None,
        "seats": query.get("seats"),
        "powertrain": query.get("powertrain"),
        "fare": query.get("fare"),
        "range_km": query.get("range_km"),
        "free_from": query.get("free_from"),
        "free_to": query.get("free_to"),
        "buffer": query.get("buffer"),
        "limit": query["limit"] + 1,
    }


def _pages(
    statement: TextClause, parameters: dict[str, Any], query: dict[str, Any]
) -> tuple[list[Any], str | None]:
    """Page after page until `limit` cars lie within the radius: the box around it holds few others."""
    limit, found = query["limit"], list[Any]()
    while True:
        rows = read(statement, parameters)
        for row in rows[:limit]:
            if not query.get("near") or distance_km(row, query["near"]) <= query.get("radius_km", RADIUS_KM):
                found.append(row)
            if len(found) == limit and (len(rows) > limit or row is not rows[-1]):
                return found, to_cursor(f"car_{row.id.hex}")
        if len(rows) <= limit:
            return found, None
        parameters = {**parameters, "cursor": rows[limit - 1].id}


def _box(query: dict[str, Any]) -> dict[str, Any]:
    """The degrees that surely hold the circle; shown places lie up to 500 m beside the real ones."""
    if not query.get("near"):
        return {"south": None, "north": None, "west": None, "east": None}
    lat, lon = query["near"]
    high = (query.get("radius_km", RADIUS_KM) + 2 * BLUR_KM) / 111.0
    wide = high / max(0.01, math.cos(math.radians(min(89.0, abs(lat) + high))))
    return {"south": lat - high, "north": lat + high, "west": lon - wide, "east": lon + wide}


@functools.cache
def _statement(free: bool) -> TextClause:  # noqa: FBT001
    return text(sql(free=free))


def sql(*, free: bool) -> str:
    """The one statement of the search."""
    return PICKED + (_FREE if free else "") + _SHOWN


def total(row: Any, from_at: datetime, to_at: datetime) -> dict[str, Any] | None:
    """What the span would cost this person; None for one's own car."""
    if row.rank == 0:
        return None
    price = _price(row.terms, row.fare, from_at, to_at, row.time_zone)
    return price.total.to_dict()


@functools.lru_cache(maxsize=4096)
def _price(terms: str | None, fare: str, from_at: datetime, to_at: datetime, zone: str) -> Price:
    """Terms as PostgreSQL writes them: cars on the same ones cost the same, without being read again."""
    return estimate(
        tariff(orjson.loads(terms) if terms else DEFAULTS), Fare(fare), from_at, to_at, ZoneInfo(zone)
    )


def distance_km(row: Any, near: tuple[float, float]) -> float:
    """Great circle from `near` to the shown place of the car."""
    lat, lon = blurred(row)
    a, b = math.radians(near[0]), math.radians(lat)
    half = (
        math.sin((b - a) / 2) ** 2
        + math.cos(a) * math.cos(b) * math.sin(math.radians(lon - near[1]) / 2) ** 2
    )
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def blurred(car: Any) -> tuple[float, float]:
    """The home place moved by this car's own fixed offset, at most 500 m in all."""
    length = max(1.0, math.hypot(car.blur_lat, car.blur_lon))
    north, east = car.blur_lat / length * BLUR_KM, car.blur_lon / length * BLUR_KM
    lat = car.home_lat + north / 111.2
    lon = car.home_lon + east / (111.2 * max(0.01, math.cos(math.radians(car.home_lat))))
    return round(lat, 4), round(lon, 4)

"""Find cars: one's own and those one may book, free for a whole span, with total and distance."""

import functools
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import TextClause, text

from app.cars import blur
from app.cars.access import FARE_ORDER, MINE
from app.cars.occupancy import IN_THE_WAY
from app.cars.terms import BACKDATED, DEFAULTS, LIMITS, tariff
from app.communities.models import RULES
from app.kit.db import bare, in_transaction
from app.kit.driver import plain, read
from app.kit.http import CURSOR, to_cursor, uncursor
from payments.pricing import estimate
from payments.tariff import Fare, Price

RADIUS_KM = 50
_NEAR_CURSOR = re.compile(rf"({CURSOR.pattern})@(\d+(?:\.\d+)?(?:e-\d+)?)")
"""Of a list by distance: after which car of which distance."""
# What the search asks of a car goes with it from the start: joined again further down, the cars of all are looked through.
_CAR = "c.id, c.no, c.unsafe, c.seats, c.powertrain, c.home_lat, c.home_lon, c.blur_lat, c.blur_lon"
_BEST_FIRST = "c.rank, c.best, c.membership nulls first"
IN_ORDER = f"order by c.km, c.id desc, {_BEST_FIRST} limit {{limit}}"
"""A car seen through several communities is shown through the one that a quote would take, of those where it may be had."""
PICKED = f"""
with clock as materialized (select business_now() as now), mine as materialized (
  select m.*, {FARE_ORDER.format(fare="m.fare")} as best, until from ({MINE}) as m
  cross join lateral (select (select now from clock)
    + make_interval(hours => 24 * coalesce(cast(m.rules->>'days_ahead' as int), {RULES["days_ahead"]})) as until) as ahead
  where cast(:begins as timestamptz) is null or :begins <= until
), seen as materialized (
  select * from (
    select {_CAR}, null::uuid as through, 'free' as fare, 0 as best, null::uuid as membership, 0 as rank,
      null::timestamptz as until from cars c where c.owner_id = :person and c.removed_at is null
    union all
    select {_CAR}, mine.community_id, mine.fare, mine.best, mine.membership, 1, until from cars c
      join mine on mine.community_id = c.community_id where c.removed_at is null
    union all
    select {_CAR}, mine.community_id, case when own then 'free' else mine.fare end, mine.best, mine.membership,
      case when own then 0 else 2 end, until from car_shares s
      join mine on mine.community_id = s.community_id join cars c on c.id = s.car_id
      cross join lateral (select c.owner_id is not distinct from :person as own) as by_me
      where s.ended_at is null and c.removed_at is null
  ) as every where cast(:community as uuid) is null or through = cast(:community as uuid)
), picked as materialized (
  select {{each}} c.id, c.through, c.fare, c.rank, c.best, c.membership, c.until, c.km from (
    select c.*, {blur.KM} as km from seen c
    where (cast(:south as float) is null or (c.home_lat between :south and :north and c.home_lon between :west and :east))
    and (cast(:seats as int) is null or c.seats >= cast(:seats as int))
    and (cast(:powertrain as text) is null or c.powertrain = :powertrain)
    and (cast(:fare as text) is null or c.fare = :fare)
    order by km, c.id desc, {_BEST_FIRST} offset 0
  ) as c where (c.km is null or c.km <= :radius_km)
  and (cast(:cursor as uuid) is null or coalesce(c.km, 0) > :cursor_km
    or (coalesce(c.km, 0) = :cursor_km and c.id < cast(:cursor as uuid)))
  and (cast(:range_km as int) is null or :range_km <= (
    select cast(b.state->'range_km'->>'value' as float) from boxes b
    where b.car_id = c.id and b.removed_at is null and b.replaces_id is null))
"""  # noqa: S608 the part is a constant of ours
_BUFFER = "coalesce(cast(:buffer as interval), make_interval(mins => buffer_min))"
_TAKEN = IN_THE_WAY.format(car="c.no", begin=":free_from", end=":free_to", buffer=_BUFFER)
# The offset keeps looks that are dear for each car, those at the range and below, behind the order: they end with the last
# car of the page, and the guess that hardly a car is free cannot turn the join above into a loop in a loop. Before the order
# they would also make PostgreSQL plan each search anew, which takes longer than most searches.
_FREE = f"""
  and not c.unsafe
  and (select o.spans @> tstzrange(:free_from, :free_to, '[)') from offers o where o.car_no = c.no)
  and (select (c.rank = 0 or cast(:buffer as interval) is not null or (
      :free_to - :free_from between make_interval(mins => min_min) and make_interval(mins => max_min)
      and :free_from >= (select now from clock) + make_interval(mins => notice_min) - interval '{BACKDATED}'))
    and {_TAKEN} = 0
    from {LIMITS.format(car="c.id", community="c.through")} as limits)
"""  # noqa: S608 the part is a constant of ours
_SHOWN = f"""
  {IN_ORDER.format(limit=":limit")}
)
select c.*, p.through, p.fare, p.rank, p.km, t.data::text as terms, b.id as box_id from picked p join cars c on c.id = p.id
left join lateral (select data from terms where terms.car_id = p.id and terms.community_id = p.through
  order by version desc limit 1) t on true
left join boxes b on b.car_id = p.id and b.removed_at is null and b.replaces_id is null
order by p.km, c.id desc
"""  # noqa: S608 the part is a constant of ours


def find(person: str, query: dict[str, Any]) -> tuple[list[Any], str | None]:
    """Rows of cars, the nearest first or, without a point, the newest, and the cursor of the next page.

    In a transaction or outside. Raises Validation for a cursor of another list.
    """
    ask = plain if in_transaction() else read
    limit, parameters = query["limit"], values(person, query)
    rows = ask(_statement(query.get("free_from") is not None), {**parameters, "limit": limit + 1})
    if len(rows) <= limit:
        return list(rows), None
    last = rows[limit - 1]
    key = f"car_{last.id.hex}"
    return list(rows[:limit]), to_cursor(key if last.km is None else f"{key}@{last.km!r}")


def values(person: str, query: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the search. With a `buffer` the terms of the rental are settled: it alone is looked at."""
    free_from, near = query.get("free_from"), query.get("near")
    return {
        **blur.box(near, query.get("radius_km", RADIUS_KM)),
        **_after(query.get("cursor"), near),
        "person": bare(person, "per"),
        "community": bare(query["community"], "com") if query.get("community") else None,
        "seats": query.get("seats"),
        "powertrain": query.get("powertrain"),
        "fare": query.get("fare"),
        "range_km": query.get("range_km"),
        "begins": free_from if query.get("buffer") is None else None,
        "free_from": free_from,
        "free_to": query.get("free_to"),
        "buffer": query.get("buffer"),
        "limit": query["limit"],
    }


def _after(cursor: str | None, near: Any) -> dict[str, Any]:
    """The last car of the page before, with its distance. Raises Validation for a cursor of the other order."""
    if not cursor:
        return {"cursor": None, "cursor_km": None}
    if not near:
        return {"cursor": bare(uncursor(cursor, "car"), "car"), "cursor_km": 0}
    car, _, km = uncursor(cursor, "car", _NEAR_CURSOR).partition("@")
    return {"cursor": bare(car, "car"), "cursor_km": float(km)}


@functools.cache
def _statement(free: bool) -> TextClause:  # noqa: FBT001
    return text(sql(free=free))


def sql(*, free: bool) -> str:
    """The one statement of the search."""
    return PICKED.format(each="distinct on (c.km, c.id)") + (_FREE if free else "") + _SHOWN


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

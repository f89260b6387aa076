"""Terms: the price and rules of a car for a community, in versions that never change."""

from datetime import timedelta
from typing import Any, cast

from sqlalchemy import select

from app.cars import access
from app.cars.add import currency_of
from app.cars.models import Car, Terms
from app.facts import TermsChanged
from app.kit import clock, facts
from app.kit.db import session, transactional
from app.kit.errors import NotFound, Validation
from payments.money import LEAST, Currency
from payments.tariff import CancellationStep, Tariff

DEFAULTS: dict[str, Any] = {
    "currency": None,
    "hour": 0,
    "day_cap": None,
    "km_included_per_day": 0,
    "per_km": 0,
    "minimum": 0,
    "late_fee": 0,
    "late_grace_min": 30,
    "deposit": 0,
    "cleaning": 0,
    "refuel": 0,
    "per_kwh": 0,
    "cancellation": [],
    "early_return_percent": 0,
    "no_show_min": 60,
    "min_min": 0,
    "max_min": 43200,
    "notice_min": 0,
    "buffer_min": 0,
    "extension": "ask",
    "note": "",
}
_PRICES = ("hour", "day_cap", "per_km", "minimum", "late_fee", "deposit", "cleaning", "refuel", "per_kwh")
_BY_THEMSELVES = ("deposit", "cleaning", "refuel")
PLUGS = ("electric", "plug_in")


@transactional
def put(person: str, car_id: str, community: str, body: dict[str, Any]) -> Terms:
    """A new version of the terms; open rentals keep theirs. Raises Validation for another country's currency."""
    car = access.may_run(car_id, person, lock=True)
    if community not in access.communities(car):
        raise NotFound
    data = {**DEFAULTS, **{name: value for name, value in body.items() if value is not None}}
    _refuse(car, data)
    last = current(car.id, community)
    row = Terms(
        car_id=car.id,
        community_id=community,
        version=(last.version if last else 0) + 1,
        data=data,
        made_by=person,
        made_at=clock.now(),
    )
    session.add(row)
    session.flush()
    facts.record(TermsChanged(car=car.id, community=community, version=row.version))
    return row


def _refuse(car: Car, data: dict[str, Any]) -> None:
    errors = []
    if data["currency"] is not None and data["currency"] != currency_of(car.country):
        detail = f"A car in {car.country} is priced in {currency_of(car.country)}."
        errors.append({"pointer": "/currency", "code": "invalid", "detail": detail})
    if data["currency"] is None and any(data[name] for name in _PRICES):
        detail = "Name the currency, or leave all prices out: then the loan is free."
        errors.append({"pointer": "/currency", "code": "required", "detail": detail})
    if data["per_kwh"] and car.powertrain not in PLUGS:
        detail = "Energy is metered of cars that are charged; put fuel into per_km."
        errors.append({"pointer": "/per_kwh", "code": "invalid", "detail": detail})
    errors += _too_little(data)
    hours = [step["hours_before"] for step in data["cancellation"]]
    if len(set(hours)) != len(hours):
        errors.append({"pointer": "/cancellation", "code": "invalid", "detail": "Each hours_before once."})
    if data["min_min"] > data["max_min"]:
        errors.append({"pointer": "/min_min", "code": "invalid", "detail": "Not more than max_min."})
    if errors:
        raise Validation(errors=errors)


def _too_little(data: dict[str, Any]) -> list[dict[str, Any]]:
    """What is asked for by itself, with no rent beside it, is nothing or as much as a card can be asked for."""
    if data["currency"] is None:
        return []
    least = LEAST[data["currency"]]
    detail = f"Nothing, or at least {least}: a card cannot be asked for less."
    return [
        {"pointer": f"/{name}", "code": "invalid", "detail": detail}
        for name in _BY_THEMSELVES
        if 0 < data[name] < least
    ]


def current(car_id: str, community: str) -> Terms | None:
    found: Terms | None = session.scalars(
        select(Terms)
        .where(Terms.car_id == car_id, Terms.community_id == community)
        .order_by(Terms.version.desc())
        .limit(1)
    ).first()
    return found


def version(car_id: str, community: str, number: int) -> Terms:
    found = session.get(Terms, (car_id, community, number))
    if found is None:
        raise NotFound
    return found


def of(car_id: str, community: str) -> tuple[int, dict[str, Any]]:
    """Version and data in force; version 0, free and without limits, where the owner has set none."""
    row = current(car_id, community)
    return (row.version, row.data) if row else (0, DEFAULTS)


def tariff(data: dict[str, Any]) -> Tariff:
    """The part of the terms that is price, as payments wants it."""
    return Tariff(
        currency=cast("Currency | None", data["currency"]),
        hour=data["hour"] or 0,
        day_cap=data["day_cap"],
        km_included_per_day=data["km_included_per_day"] or 0,
        per_km=data["per_km"] or 0,
        minimum=data["minimum"] or 0,
        late_fee=data["late_fee"] or 0,
        late_grace_min=data["late_grace_min"],
        deposit=data["deposit"] or 0,
        cleaning=data["cleaning"] or 0,
        refuel=data["refuel"] or 0,
        per_kwh=data.get("per_kwh") or 0,  # terms frozen before energy was metered have none
        cancellation=tuple(
            CancellationStep(one["hours_before"], one["percent"]) for one in data["cancellation"]
        ),
        early_return_percent=data["early_return_percent"] or 0,
    )


def buffer_of(data: dict[str, Any]) -> timedelta:
    return timedelta(minutes=data["buffer_min"])


BACKDATED = timedelta(minutes=5)
"""So long ago a rental may begin, and so much later it may be asked for than the notice says: while the phone was busy."""
LIMITS = (
    "(select "  # noqa: S608 constants of ours
    + ", ".join(
        f"coalesce(cast(data->>'{name}' as int), {DEFAULTS[name]}) as {name}"
        for name in ("min_min", "max_min", "notice_min", "buffer_min")
    )
    + " from (select 1) as one left join lateral (select data from terms where terms.car_id = {car}"
    " and terms.community_id = {community} order by version desc limit 1) as latest on true)"
)
"""What they say of a rental's length, notice and buffer, in a statement that names the car and the community: one row."""

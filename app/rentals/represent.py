"""A rental as its reader may see it: the state, what is derived from it, and exactly the steps this caller may take now."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from app.billing import deposit, hold, shown
from app.billing.states import DEPOSIT
from app.cars import blur, terms, terms_text
from app.cars.models import Car
from app.coverage import cover, named_drivers
from app.kit import clock
from app.kit.db import session
from app.people.models import Person
from app.rentals import access, alternatives, distance, due_back, lifecycle
from app.rentals import close as closing
from app.rentals.book import amount_to_hold, deposit_to_hold
from app.rentals.commands import last_of
from app.rentals.lifecycle import FINAL, OUT, Role, State, Step
from app.rentals.models import Quote, Rental
from app.rentals.readiness import EARLY
from payments.split import ShareTable, split_captured
from payments.tariff import Fare, Price

BEFORE = (State.REQUESTED, State.DECLINED, State.WITHDRAWN, State.LAPSED)
REVEALED_BEFORE = timedelta(hours=1)


def quote(frozen: Quote, rental: Rental | None = None) -> dict[str, Any]:
    """A quote as it was frozen."""
    price = frozen.price
    return {
        "id": frozen.id,
        "car": frozen.car_id,
        "from_at": frozen.from_at,
        "to_at": frozen.to_at,
        "community": frozen.community_id,
        "rental": frozen.rental_id,
        "expected_km": frozen.expected_km,
        "warnings": distance.warnings(frozen),
        "fare": frozen.fare,
        "lines": price["lines"],
        "total": price["total"],
        "shares": shares(price, frozen.shares),
        "per_kwh": _per_kwh(frozen),
        "hold": amount_to_hold(rental or frozen).to_dict(),
        "deposit": deposit_to_hold(frozen).to_dict(),
        "terms_version": frozen.terms_version,
        "terms_text": terms_text.of(frozen.terms, frozen.fare),
        "cancellation": frozen.terms["cancellation"],
        "conditions": [{"version": one, "url": f"/conditions/{one}"} for one in frozen.conditions],
        "expires_at": frozen.expires_at,
    }


def _per_kwh(frozen: Quote) -> dict[str, Any] | None:
    """The tariff for energy, where it is metered and this fare pays for it."""
    tariff = terms.tariff(frozen.terms)
    metered = tariff.per_kwh and frozen.fare != Fare.FREE
    return tariff.money(tariff.per_kwh).to_dict() if metered else None


def shares(price: dict[str, Any], table: dict[str, Any] | None) -> dict[str, Any] | None:
    """Who gets what of a price by the frozen table; None where the quote is older than tables are."""
    if table is None:
        return None
    frozen, parts = Price.from_dict(price), ShareTable.from_dict(table)
    return {**split_captured(frozen.total, parts, frozen.energy).to_dict(), "vat_rate": parts.vat_rate}


def _final(found: Rental) -> dict[str, Any] | None:
    price = found.final_price
    return {**price, "shares": shares(price, found.shares)} if price is not None else None


def rental(found: Rental, person: str, *, new: bool = False) -> dict[str, Any]:
    """The whole representation for one reader. `new`: made in this transaction, so that no cover can be bound."""
    role = access.role_of(found, person) or Role.OPERATOR
    car, driver = session.get(Car, found.car_id), session.get(Person, found.driver_id)
    frozen = session.get(Quote, found.quote_id)
    assert car is not None
    assert driver is not None
    assert frozen is not None
    now = clock.now()
    late = found.stands in OUT and now >= found.to_at
    back_at = due_back.forecast(found, now) if found.stands in OUT else None
    last = last_of(found.id, "unlock") if found.stands is State.UNLOCKING else None
    bound = cover.of(found.id) if found.stands not in BEFORE and not new else None
    return {
        "id": found.id,
        "state": found.state,
        "car": found.car_id,
        "community": found.community_id,
        "driver": {"id": driver.id, "first_name": driver.first_name},
        "named_drivers": [] if new else [_other(one.person_id) for one in named_drivers.of(found.id)],
        "owner": car.owner_id or car.community_id,
        "span": {"from_": found.from_at, "to": found.to_at},
        "actual": {"from_": found.started_at, "to": found.ended_at} if found.started_at else None,
        "answer_by": found.answer_by,
        "quote": quote(frozen, found),
        "final_price": _final(found),
        "meter_stopped_at": found.meter_stopped_at,
        "note": found.note,
        "place": _place(car, found, role),
        "plate": car.plate if _revealed(found, role) else None,
        "cover": {"id": bound.id, "state": bound.state} if bound else None,
        **_money(found, role),
        "extension": _extension(found),
        "late": {"since": found.to_at, "forecast": back_at}
        if late or (back_at is not None and back_at > found.to_at)
        else None,
        "failed_at": found.failed_at,
        "instead_of": found.instead_of_id,
        "paused": found.paused,
        "unlock_unknown": found.stands is State.UNLOCKING
        and last is not None
        and last.state in ("unknown", "dead"),
        "links": {"self": f"/v1/rentals/{found.id}", **_steps(found, role, late=late, new=new)},
    }


def drivers(found: Rental) -> dict[str, Any]:
    """Who drives, as each of them may read it."""
    bound = cover.of(found.id)
    return {
        "rental": found.id,
        "car": found.car_id,
        "driver": _other(found.driver_id),
        "span": {"from_": found.from_at, "to": found.to_at},
        "cover": {"id": bound.id, "state": bound.state} if bound else None,
        "items": [
            {"driver": _other(one.person_id), "named_at": one.named_at} for one in named_drivers.of(found.id)
        ],
    }


def _other(person: str) -> dict[str, Any]:
    row = session.get_one(Person, person)
    return {"id": row.id, "first_name": row.first_name}


def _revealed(found: Rental, role: Role) -> bool:
    if role is not Role.DRIVER:
        return True
    return found.stands in OUT or (
        found.stands is State.BOOKED and clock.now() >= found.from_at - REVEALED_BEFORE
    )


def revealed_to(car: str, person: str) -> bool:
    """Whether the person drives this car now or within the hour."""
    rows = session.scalars(
        select(Rental).where(
            Rental.car_id == car,
            Rental.driver_id == person,
            Rental.state.in_([State.BOOKED.value, *(state.value for state in OUT)]),
        )
    )
    return any(_revealed(row, Role.DRIVER) for row in rows)


def revealed_from(car: str, person: str) -> datetime | None:
    """From when on the next rental that the person has booked of this car shows its place."""
    begin: datetime | None = session.execute(
        select(func.min(Rental.from_at)).where(
            Rental.car_id == car, Rental.driver_id == person, Rental.state == State.BOOKED.value
        )
    ).scalar_one()
    return begin - REVEALED_BEFORE if begin is not None else None


def _place(car: Car, found: Rental, role: Role) -> dict[str, Any]:
    exact = _revealed(found, role)
    lat, lon = (car.home_lat, car.home_lon) if exact else blur.blurred(car)
    return {"lat": lat, "lon": lon, "label": car.home_label if exact else "", "exact": exact}


def _money(found: Rental, role: Role) -> dict[str, Any]:
    """The state of the money, and the deposit's apart; what the app must do with Stripe is the driver's alone."""
    rows = hold.all_of(found.id)
    asks = [shown.action(row) for row in rows if row.purpose in ("rent", DEPOSIT)]
    action = next((one for one in asks if one), None)
    return {
        "payment": {
            "state": hold.standing_of(rows),
            "action": action if role is Role.DRIVER else None,
        },
        "deposit": shown.deposit(deposit.among(rows)),
    }


def _extension(found: Rental) -> dict[str, Any] | None:
    if found.extension is None:
        return None
    return {
        "to": found.extension["to"],
        "state": found.extension["state"],
        "price": found.extension["price"]["total"],
    }


_PATHS = {
    Step.APPROVE: "approve",
    Step.DECLINE: "decline",
    Step.WITHDRAW: "withdraw",
    Step.CANCEL: "cancel",
    Step.SWAP: "swap",
    Step.EXTEND: "extend",
    Step.UNLOCK: "unlock",
    Step.PAUSE: "pause",
    Step.LOCK: "lock",
    Step.CLOSE: "close",
}


def _steps(found: Rental, role: Role, *, late: bool, new: bool) -> dict[str, str]:
    """By the table, without what time forbids."""
    allowed = lifecycle.steps(found.stands, role) if found.stands not in FINAL else []
    links = {}
    for step in allowed:
        if step not in _PATHS or (step is Step.EXTEND and not _may_be_extended(found, late=late, new=new)):
            continue
        if step is Step.SWAP and (new or not _may_be_swapped(found)):
            continue
        if step is Step.CLOSE and not closing.may_be_closed(found):
            continue
        links[step.value] = f"/v1/rentals/{found.id}/{_PATHS[step]}"
    if role is Role.OWNER and found.extension is not None:
        if found.extension["state"] == "asked":
            links["approve_extension"] = f"/v1/rentals/{found.id}/extension/approve"
        links["decline_extension"] = f"/v1/rentals/{found.id}/extension/decline"
    if role is Role.DRIVER and (found.stands in OUT or closing.is_covered_on(found)):
        links["still_have_it"] = f"/v1/rentals/{found.id}/still-have-it"
    if role is Role.DRIVER and found.stands in OUT:
        links["late"] = f"/v1/rentals/{found.id}/late"
    return links


def _may_be_extended(found: Rental, *, late: bool, new: bool) -> bool:
    """Before its planned end, by who may still book there."""
    return not late and clock.now() < found.to_at and (new or access.may_book_on(found))


def _may_be_swapped(found: Rental) -> bool:
    """Something is wrong with the car, or its driver may say that it is not there."""
    now = clock.now()
    if now >= found.to_at or found.extension is not None:
        return False
    if now >= found.from_at - EARLY:
        return True
    return bool(alternatives.in_the_way(session.get_one(Car, found.car_id), found, now))

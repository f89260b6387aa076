"""Add, change and remove a car; share it with a community."""

import re
import secrets
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.exc import IntegrityError

from app.cars import access, calendar_imports, custody, windows
from app.cars.models import Box, Car, CarShare, Plate
from app.communities import access as circles
from app.facts import CarAdded, CarChanged, CarRemoved, CommunityEnded, MemberRemoved
from app.kit import clock, deadlines, facts
from app.kit.db import constraint, new_id, session, transactional
from app.kit.errors import AlreadyExists, InUse, NotAllowed, NotFound, Validation

CURRENCY_OF = {"GB": "GBP", "CH": "CHF"}
OPEN_RENTALS: list[Callable[[str, str | None], list[str]]] = []
"""Who knows the open rentals of a car (in one community, or at all); the factory fills it."""


def normalise(plate: str) -> str:
    """A plate as it is compared: letters and digits alone, upper case."""
    return re.sub(r"[^0-9A-ZÄÖÜ]", "", plate.upper())


def currency_of(country: str) -> str:
    return CURRENCY_OF.get(country, "EUR")


def add(person: str, body: dict[str, Any]) -> Car:
    """A new car of a person or of a community they run. Raises AlreadyExists for a plate or vehicle number in use."""
    try:
        return _add(person, body)
    except IntegrityError as error:
        raise _known(error) from error


def _known(error: IntegrityError) -> Exception:
    if constraint(error) == "plates_one_car_at_once":
        return AlreadyExists("A car with this plate is registered already.")
    if constraint(error) == "cars_vin_once_key":
        return AlreadyExists("A car with this vehicle number is registered already.")
    return error


@transactional
def _add(person: str, body: dict[str, Any]) -> Car:
    community = body.get("community")
    if community:
        circles.may_run(community, person)
        if circles.membership(community, person, share_lock=True) is None:
            raise NotFound
    _check(body, body["country"])
    now = clock.now()
    car = Car(
        id=new_id("car"),
        owner_id=None if community else person,
        community_id=community,
        made_at=now,
        blur_lat=(secrets.randbelow(2001) - 1000) / 1000,
        blur_lon=(secrets.randbelow(2001) - 1000) / 1000,
        vin=body["vin"],
        country=body["country"],
    )
    _fill(car, body)
    session.add(car)
    session.flush()
    session.refresh(car, ["no"])
    session.add(Plate(car_no=car.no, country=car.country, normalised=normalise(car.plate), from_at=now))
    session.flush()
    custody.take(car, holder="owner", person=car.owner_id, rental=None, at=now)
    windows.recompute(car)
    facts.record(CarAdded(car=car.id, by=person))
    return car


_PLAIN = (
    "plate",
    "make",
    "model",
    "powertrain",
    "seats",
    "time_zone",
    "note",
    "charge_rule",
    "yearly_cost",
    "first_registration",
    "inspection_until",
    "declared_value",
)


def _fill(car: Car, body: dict[str, Any]) -> None:
    if "yearly_cost" in body and body["yearly_cost"] != car.yearly_cost:
        car.stop_told_in = None
    for name in _PLAIN:
        if name in body:
            setattr(car, name, body[name])
    if "return_" in body:
        car.return_rule = body["return_"]
    if "home" in body:
        home = body["home"]
        car.home_lat, car.home_lon, car.home_label = home["lat"], home["lon"], home.get("label", "")


def _check(body: dict[str, Any], country: str) -> None:
    """Money of a car is in the currency of its country; a plate has something to compare."""
    errors = []
    for name in ("yearly_cost", "declared_value"):
        if body.get(name) and body[name]["currency"] != currency_of(country):
            detail = f"A car in {country} is valued in {currency_of(country)}."
            errors.append({"pointer": f"/{name}/currency", "code": "invalid", "detail": detail})
    if "plate" in body and not normalise(body["plate"]):
        errors.append({"pointer": "/plate", "code": "invalid", "detail": "A plate has letters or digits."})
    if errors:
        raise Validation(errors=errors)


def change(person: str, car: str, body: dict[str, Any], check: Callable[[Car], None]) -> Car:
    """Change a car; a new plate is worn from now on. Raises AlreadyExists, NotAllowed."""
    try:
        return _change(person, car, body, check)
    except IntegrityError as error:
        raise _known(error) from error


@transactional
def _change(person: str, car_id: str, body: dict[str, Any], check: Callable[[Car], None]) -> Car:
    car = access.may_run(car_id, person, lock=True)
    check(car)
    _check(body, car.country)
    old = normalise(car.plate)
    zone = car.time_zone
    _fill(car, body)
    session.flush()
    if normalise(car.plate) != old:
        _change_plate(car)
    if car.time_zone != zone:
        windows.recompute(car)
    facts.record(CarChanged(car=car.id, by=person))
    return car


def _change_plate(car: Car) -> None:
    now = custody.next_instant(car)
    session.execute(
        text("update plates set to_at = :now where car_no = cast(:car as int) and to_at is null"),
        {"now": now, "car": car.no},
    )
    session.add(Plate(car_no=car.no, country=car.country, normalised=normalise(car.plate), from_at=now))
    session.flush()


@transactional
def remove(person: str, car_id: str) -> None:
    """Take a car out of the place. Raises InUse while a rental is open or a box is paired."""
    car = access.may_run(car_id, person, lock=True)
    used_by = [what for ask in OPEN_RENTALS for what in ask(car.id, None)]
    used_by += [
        f"box {box}"
        for box in session.scalars(select(Box.id).where(Box.car_id == car.id, Box.removed_at.is_(None)))
    ]
    if used_by:
        raise InUse("Rentals are open or a box is paired.", by=used_by)
    now = clock.now()
    car.removed_at = now
    session.execute(
        text(
            "update plates set to_at = greatest(:now, from_at) where car_no = cast(:car as int) and to_at is null"
        ),
        {"now": now, "car": car.no},
    )
    calendar_imports.forget(car.id)
    deadlines.at("freed", car.id, now)
    facts.record(CarRemoved(car=car.id, by=person))


@transactional
def share(person: str, car_id: str, community: str) -> CarShare:
    """Share a car with a community one is in. Raises NotFound, NotAllowed."""
    car = access.may_run(car_id, person, lock=True)
    mine = circles.membership(community, person, share_lock=True)
    if mine is None:
        raise NotFound
    if not circles.runs(mine):
        raise NotAllowed("Only owners and managers of the community bring a car into it.")
    row = session.get(CarShare, (car.id, community)) or CarShare(car_id=car.id, community_id=community)
    if row.shared_at is None or row.ended_at is not None:
        row.shared_at, row.ended_at = clock.now(), None
    session.add(row)
    session.flush()
    deadlines.at("freed", car.id, clock.now())
    return row


@transactional
def unshare(person: str, car_id: str, community: str) -> None:
    """End the sharing; other people's open rentals keep their terms. Raises NotFound."""
    car = access.may_run(car_id, person, lock=True)
    row = session.get(CarShare, (car.id, community))
    if row is None or row.ended_at is not None:
        raise NotFound
    row.ended_at = clock.now()
    deadlines.at("freed", car.id, row.ended_at)


def owned_by(community: str) -> list[str]:
    """The cars a community owns, for who would end it."""
    rows = session.scalars(select(Car.id).where(Car.community_id == community, Car.removed_at.is_(None)))
    return [f"car {one}" for one in rows]


@transactional
def end_shares_of_leaver(fact: MemberRemoved) -> None:
    """Who is no longer in a community lends no car of theirs there; what is booked stays, as after any end of sharing, and
    what was shared since by who has come back.
    """
    mine = select(Car.id).where(Car.owner_id == fact.person)
    before = CarShare.shared_at < circles.over_before(fact.community, fact.person)
    _end(CarShare.community_id == fact.community, CarShare.car_id.in_(mine), before)


@transactional
def end_shares(fact: CommunityEnded) -> None:
    """A community ended: no car is shared with it any longer."""
    _end(CarShare.community_id == fact.community)


def _end(*which: ColumnElement[bool]) -> None:
    """What is held by it for who waited is looked at next."""
    now = clock.now()
    ending = update(CarShare).where(CarShare.ended_at.is_(None), *which).values(ended_at=now)
    ended = session.scalars(ending.returning(CarShare.car_id)).all()
    deadlines.plan([deadlines.Due("freed", car, now) for car in ended])

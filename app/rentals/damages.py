"""The register of a car's damage: seen before the unlock by the next driver, so that nobody answers for another's."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, Text, and_, cast, exists, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from app.cars import access as cars
from app.cars.models import Car
from app.facts import DamageChanged, DamageReported
from app.kit import clock, deadlines, facts, rights
from app.kit.db import new_id, session, transactional
from app.kit.errors import InUse, NotAllowed, NotFound, Validation
from app.people.models import Person
from app.rentals import car_failed, commands, grants_out
from app.rentals.damage_models import DMG, Damage
from app.rentals.lifecycle import OUT, State
from app.rentals.models import Rental
from app.rentals.photo_models import Photo
from app.rentals.photo_rules import EARLY

PARTS = ("front", "back", "left", "right", "roof", "glass", "wheels", "interior", "technical", "other")
AFTERWARDS = timedelta(hours=24)
MOST_OPEN, MOST_PHOTOS = 100, 12


@transactional
def report(person: str, car_id: str, body: dict[str, Any]) -> Damage:
    """Write a damage down; one that is unsafe bars the car at once. Raises NotFound, NotAllowed, Validation, InUse."""
    car = cars.of(car_id, lock=True)
    rental = None if cars.runs(car, person) else _rental(car, person)
    _refuse_strange(car, rental, body.get("photos", []))
    if len(session.scalars(_open_of(car.id).limit(MOST_OPEN)).all()) == MOST_OPEN:
        raise InUse(f"There are {MOST_OPEN} open damages already: mark what is repaired.")
    made = Damage(
        id=new_id(DMG),
        car_id=car.id,
        rental_id=rental.id if rental else None,
        by_id=person,
        before_unlock=rental.started_at is None if rental else None,
        part=body["part"],
        text=body["text"],
        photos=body.get("photos", []),
        unsafe=body.get("unsafe", False),
        made_at=clock.now(),
    )
    session.add(made)
    settle(car)
    if made.unsafe and (rental is None or rental.stands in OUT):
        car_failed.stop(car, by=person)
    facts.record(
        DamageReported(
            car=car.id, damage=made.id, rental=made.rental_id, by=person, part=made.part, unsafe=made.unsafe
        )
    )
    return made


def _rental(car: Car, person: str) -> Rental:
    """The rental in which a driver sees the car, from an hour before its start to a day after its lock.

    The one that is out comes first, then the newest.
    """
    now = clock.now()
    is_out = Rental.state.in_([state.value for state in OUT])
    over = [State.ENDED.value, State.SETTLED.value]
    soon = and_(Rental.state == State.BOOKED.value, Rental.from_at <= now + EARLY)
    lately = and_(Rental.state.in_(over), Rental.ended_at > now - AFTERWARDS)
    seen = select(Rental).where(
        Rental.car_id == car.id, Rental.driver_id == person, or_(is_out, soon, lately)
    )
    found: Rental | None = session.scalars(seen.order_by(is_out.desc(), Rental.id.desc()).limit(1)).first()
    if found is not None:
        return found
    if cars.my_membership(car, person) is None:
        raise NotFound
    raise NotAllowed("Damage is reported by its owner, and by whoever drives the car.")


def _refuse_strange(car: Car, rental: Rental | None, photos: list[str]) -> None:
    of_car = select(Photo.id).join(Rental, Rental.id == Photo.rental_id)
    of_car = of_car.where(Rental.car_id == car.id, Photo.id.in_(photos))
    known = (
        set(session.scalars(of_car.where(Photo.rental_id == rental.id) if rental else of_car))
        if photos
        else set()
    )
    errors = [
        {
            "pointer": f"/photos/{place}",
            "code": "unknown",
            "detail": "No photo of this car that is yours to show.",
        }
        for place, one in enumerate(photos)
        if one not in known
    ]
    if errors:
        raise Validation(errors=errors)


@transactional
def change(person: str, car_id: str, damage: str, body: dict[str, Any], check: Any) -> Damage:
    """Its owner says that it is repaired, or is safe to drive with; who saw it adds photos, or that it is unsafe.

    What was written stays as it was written; an owner who is suspended says no more than who saw it. Raises NotFound,
    NotAllowed, Validation.
    """
    car = cars.of(car_id, lock=True)
    row = find(person, car_id, damage)
    check(row)
    runs = cars.runs(car, person) and session.get_one(Person, person).suspended_at is None
    if not runs:
        _refuse_to_reporter(row, person, body)
    seen_in = None if runs or row.rental_id is None else session.get(Rental, row.rental_id)
    _refuse_strange(car, seen_in, [one for one in body.get("photos", []) if one not in row.photos])
    was_unsafe = row.state == "open" and row.unsafe
    if "state" in body and body["state"] != row.state:
        row.state = body["state"]
        row.repaired_at = clock.now() if row.state == "repaired" else None
    if body.get("unsafe") and not row.unsafe and row.state == "open":
        car_failed.stop(car, by=person)
    row.unsafe = body.get("unsafe", row.unsafe)
    row.photos = body.get("photos", row.photos)
    settle(car)
    is_unsafe = row.state == "open" and row.unsafe
    facts.record(
        DamageChanged(
            car=car.id,
            damage=row.id,
            by=person,
            state=row.state,
            unsafe=row.unsafe,
            became_unsafe=is_unsafe and not was_unsafe,
        )
    )
    return row


def _refuse_to_reporter(row: Damage, person: str, body: dict[str, Any]) -> None:
    if row.by_id != person:
        raise NotAllowed("Only the owner, or who reported it, may change it.")
    kept = set(row.photos) <= set(body.get("photos", row.photos))
    if "state" in body or body.get("unsafe") is False or not kept:
        raise NotAllowed(
            "Who reported a damage may add photos, or say that it is unsafe; the rest is the owner's."
        )
    if not _may_add(row, person):
        raise NotAllowed("A report is changed within a day.")


def settle(car: Car) -> None:
    """Nobody unlocks a car that an operator barred, or that has an open damage with which it is unsafe.

    Inside the transaction that changes one of them: an unlock under way reaches its box before its end, or never.
    """
    session.flush()
    is_unsafe = car.barred or bool(session.execute(select(exists().where(*_unsafe_of(car.id)))).scalar_one())
    if is_unsafe and not car.unsafe:
        command = commands.open_of(car.no)
        if command is not None:
            rights.revoke(command.asked_by)
    if car.unsafe and not is_unsafe:
        deadlines.at("freed", car.id, clock.now())
    car.unsafe = is_unsafe


def _unsafe_of(car: str) -> tuple[Any, ...]:
    return Damage.car_id == car, Damage.state == "open", Damage.unsafe


def unsafe_of(car: str) -> list[str]:
    """The open damages with which a car is unsafe."""
    return [f"damage {one}" for one in session.scalars(select(Damage.id).where(*_unsafe_of(car)))]


def of(person: str, car_id: str) -> Select[Any]:
    """All of a car, for whoever may see it: known before one drives. Raises NotFound."""
    cars.may_see(car_id, person)
    return select(Damage).where(Damage.car_id == car_id)


def find(person: str, car_id: str, damage: str) -> Damage:
    """Of a car that the person may see, or their own report while they may add to it. Raises NotFound."""
    car = cars.of(car_id)
    row = session.get(Damage, damage)
    if row is None or row.car_id != car.id:
        raise NotFound
    if not _may_add(row, person):
        cars.may_see(car_id, person)
    return row


def _may_add(row: Damage, person: str) -> bool:
    return row.by_id == person and clock.now() <= row.made_at + AFTERWARDS


def knows_rental(row: Damage, person: str) -> bool:
    """In which rental it was seen is for the car's owner and whoever reported it."""
    return row.by_id == person or cars.runs(session.get_one(Car, row.car_id), person)


def _open_of(car: str) -> Select[Any]:
    return select(Damage.id).where(Damage.car_id == car, Damage.state == "open")


def shows_photos_of(rental: str) -> bool:
    """Whether an open damage shows a photo of the rental, whoever wrote it down: it is kept until that is repaired."""
    ids = session.scalars(select(Photo.id).where(Photo.rental_id == rental)).all()
    of_car = select(Rental.car_id).where(Rental.id == rental).scalar_subquery()
    shown = exists().where(
        Damage.car_id == of_car, Damage.state == "open", Damage.photos.has_any(cast(ids, ARRAY(Text)))
    )
    return bool(session.execute(select(shown)).scalar_one())


def on_reported(fact: DamageReported | DamageChanged) -> None:
    """With a damage that makes it unsafe nobody unlocks the car, with signal or without."""
    car = session.get(Car, fact.car)
    if car is not None and car.unsafe:
        grants_out.of_unsafe_car(fact.car)


def photo(person: str, car_id: str, damage: str, photo_id: str) -> Photo:
    """A photo shown with a damage, to whoever may see the car. Raises NotFound."""
    row = find(person, car_id, damage)
    found = session.get(Photo, photo_id)
    if found is None or photo_id not in row.photos:
        raise NotFound
    return found

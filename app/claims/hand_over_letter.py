"""The letter that hands a fine or toll over: who held the car at an instant, by custody, with name and address."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale

from app.billing.words import say
from app.cars import custody
from app.cars.custody import Held
from app.cars.models import Car
from app.claims import access
from app.claims.charge_rules import DOCUMENTED, DOCUMENTED_WITHIN
from app.facts import HandOverLetterRead
from app.kit import clock, facts, locales, sealed
from app.kit.db import session, transactional
from app.kit.errors import NotFound, OutsideRules, Validation
from app.kit.paper import Paper
from app.kit.sealed import Head
from app.people import identity
from app.people.models import Person
from app.rentals import access as rentals
from app.rentals.lifecycle import Role
from app.rentals.models import Rental


def hand_over_letter(
    person: str, rental_id: str, at: datetime | None, as_of: datetime | None = None
) -> dict[str, Any]:
    """For the owner, of an instant of this rental's custody, else that of its newest fine or toll; the driver is told.

    With `as_of`, by what was known of custody then. Raises NotFound, NotAllowed, OutsideRules a year after, Validation for
    an instant that was not the driver's.
    """
    return _read(person, rental_id, at, None if as_of is None else sealed.head(as_of))


@transactional
def _read(person: str, rental_id: str, at: datetime | None, as_of: Head | None) -> dict[str, Any]:
    car, rental, _ = rentals.locked_as(rental_id, person, Role.OWNER)
    instant = at or _of_newest(rental)
    held = _held(car, rental, instant, as_of)
    driver = identity.of(rental.driver_id)
    if driver is None:
        raise NotFound("Who the driver was is not kept any more.")
    facts.record(HandOverLetterRead(rental=rental.id, by=person, instant=instant))
    owner = session.get_one(Person, person)
    found = {
        "rental": rental.id,
        "at": instant,
        "as_of": None if as_of is None else as_of.as_of,
        "plate": car.plate,
        "vin": car.vin,
        "car": f"{car.make} {car.model}",
        "from_at": held.from_at,
        "to_at": held.to_at,
        "driver": {"name": driver.name, "address": driver.address},
        "owner": owner.name,
    }
    return {**found, **_written(found, car.time_zone, locales.of_reader(owner.language, owner.country))}


def _of_newest(rental: Rental) -> datetime:
    asked = [row for row in access.of_rental(rental.id) if row.about in DOCUMENTED]
    if not asked:
        detail = "Say at which instant: there is no charge request for a fine or toll."
        raise Validation(errors=[{"parameter": "at", "code": "required", "detail": detail}])
    return asked[-1].occurred_at


def _held(car: Car, rental: Rental, instant: datetime, as_of: Head | None) -> Held:
    found = custody.at(car.no, instant, as_of)
    if found is None or found.rental_id != rental.id or instant > clock.now():
        detail = "The driver of this rental did not hold the car then."
        raise Validation(errors=[{"parameter": "at", "code": "invalid", "detail": detail}])
    if found.to_at is not None and clock.now() >= found.to_at + DOCUMENTED_WITHIN:
        days = DOCUMENTED_WITHIN.days
        raise OutsideRules(f"Within {days} days after the rental.", rule="letter_within_days", limit=days)
    return found


def _written(found: dict[str, Any], zone: str, locale: Locale) -> dict[str, str]:
    """The letter as its reader writes, its times as clocks at the car showed them."""
    language = locale.language

    def local(instant: datetime) -> str:
        return f"{locales.moment(instant, locale, zone)} {instant.astimezone(ZoneInfo(zone)):%Z}"

    said = {
        "plate": found["plate"],
        "vin": found["vin"],
        "car": found["car"],
        "at": local(found["at"]),
        "from": local(found["from_at"]),
        "to": local(found["to_at"]) if found["to_at"] else say("letter.now", language),
        "rental": found["rental"],
        "name": found["driver"]["name"],
        "address": found["driver"]["address"] or say("letter.no_address", language),
        "owner": found["owner"],
    }
    subject = say("letter.subject", language, plate=said["plate"], at=said["at"])
    return {"subject": subject, "letter": say("letter.body", language, **said)}


def on_paper(found: dict[str, Any], person: str) -> bytes:
    """The letter as a PDF to be signed and sent: from whom, from when, what it is about, and its words."""
    owner, rental = session.get_one(Person, person), session.get_one(Rental, found["rental"])
    locale = locales.of_reader(owner.language, owner.country)
    zone = session.get_one(Car, rental.car_id).time_zone
    paper = Paper(found["subject"], str(locale).replace("_", "-"))
    for line in (found["owner"], *(owner.address or "").splitlines()):
        paper.line(line, size=10)
    paper.space(20)
    paper.line(locales.day(clock.now(), locale, zone), size=10)
    paper.space(20)
    paper.line(found["subject"], bold=True, size=12)
    paper.space(10)
    paper.text(found["letter"], size=10)
    return paper.done()

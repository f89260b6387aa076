"""What our records say of a rental, for the bank that a driver asked to take the money back."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from app.cars.models import Car
from app.kit.db import session
from app.people import conditions
from app.people.models import Acceptance, Person
from app.rentals import end
from app.rentals import photos as pictures
from app.rentals.models import Command, Quote, Rental
from app.rentals.photo_models import Photo
from payments.evidence import Accepted, DoorEvent, Photographed, Record, evidence
from payments.money import Money


def of(rental_id: str) -> Mapping[str, str]:
    """The evidence by the provider's fields; empty for a rental that is not there."""
    rental = session.get(Rental, rental_id)
    if rental is None:
        return {}
    car, driver = session.get_one(Car, rental.car_id), session.get_one(Person, rental.driver_id)
    final = rental.final_price
    return evidence(
        Record(
            rental=rental.id,
            car=f"{car.make} {car.model}",
            plate=car.plate,
            driver=driver.name,
            email=driver.email,
            booked_at=rental.made_at,
            from_at=rental.from_at,
            to_at=rental.to_at,
            started_at=rental.started_at,
            ended_at=rental.ended_at,
            km=end.driven_km(rental),
            quoted=_lines(rental.price),
            quoted_total=Money.from_dict(rental.price["total"]),
            charged=_lines(final) if final else (),
            charged_total=Money.from_dict(final["total"]) if final else None,
            accepted=_accepted(rental),
            doors=_doors(rental),
            ladder=[(one["hours_before"], one["percent"]) for one in rental.terms.get("cancellation") or ()],
            photos=_photos(rental),
        )
    )


def _lines(price: dict[str, Any]) -> list[tuple[str, Money]]:
    return [(str(one.get("text") or one["code"]), Money.from_dict(one["amount"])) for one in price["lines"]]


def _accepted(rental: Rental) -> list[Accepted]:
    """The conditions that were part of the quote."""
    frozen = session.get_one(Quote, rental.quote_id)
    when = {
        row.version: row.accepted_at
        for row in session.scalars(select(Acceptance).where(Acceptance.person_id == rental.driver_id))
    }
    return [Accepted(one, when.get(one), conditions.text(one, "en")) for one in frozen.conditions]


def _doors(rental: Rental) -> list[DoorEvent]:
    rows = session.scalars(select(Command).where(Command.rental_id == rental.id).order_by(Command.id))
    return [
        DoorEvent(
            what=row.purpose,
            phone=row.asked_on or "none",
            asked_at=row.made_at,
            sent_at=row.sent_at,
            answered_at=row.answered_at,
            outcome=row.state + (f" ({row.evidence})" if row.evidence else ""),
        )
        for row in rows
    ]


def _photos(rental: Rental) -> list[Photographed]:
    rows = session.scalars(pictures.of(rental.id).order_by(Photo.id))
    return [Photographed(row.step, row.angle, row.role, row.received_at, row.sha256) for row in rows]

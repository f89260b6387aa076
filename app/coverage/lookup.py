"""A look-up by plate: covered or not, by whom; each is logged and shown to the car's owner."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, text

from app.cars import access
from app.cars.add import normalise
from app.coverage import coverage_at
from app.coverage.models import Lookup
from app.kit import clock
from app.kit.auth import Partner
from app.kit.db import session, transactional
from app.kit.driver import read
from app.kit.http import Page, page

_CAR = text(
    "select car_no from plates where country = :country and normalised = :plate"
    " and from_at <= :at and (to_at is null or to_at > :at) order by from_at desc limit 1"
)
SHOWN = ("covered", "at", "as_of", "position", "plate", "insurer", "policy_number", "certificate")


def look_up(
    partner: Partner, *, plate: str, country: str, at: datetime, as_of: datetime | None
) -> dict[str, Any]:
    """yes, no or unknown, without a driver. A plate oracle is a stalking tool: who asked stays written down, and a car that
    the asking insurer never covered is answered like a plate that nobody knows, by the same steps.
    """
    found = coverage_at.ask(partner.insurer, at=at, plate=plate, country=country, as_of=as_of, ever_mine=True)
    worn = read(_CAR, {"plate": normalise(plate), "country": country, "at": at})
    _log(partner, plate, country, at, found["covered"], worn[0].car_no if worn else None)
    return {name: found.get(name) for name in SHOWN}


@transactional
def _log(partner: Partner, plate: str, country: str, at: datetime, covered: str, car_no: int | None) -> None:
    session.add(
        Lookup(
            client_id=partner.client,
            insurer_id=partner.insurer,
            car_no=car_no,
            country=country,
            plate=plate,
            at=at,
            asked_at=clock.now(),
            covered=covered,
        )
    )


def of_car(person: str, car_id: str, *, limit: int, cursor: str | None) -> Page:
    """Who asked about one's car, newest first. Raises NotFound, NotAllowed."""
    car = access.may_run(car_id, person)
    return page(select(Lookup).where(Lookup.car_no == car.no), Lookup.id, limit=limit, cursor=cursor)

"""How a car was used under a cover, for its insurer: battery and kilometres, and what befell it, by instant; no place."""

from typing import Any

from sqlalchemy import text

from app.cars import box as boxes
from app.cars import hourly
from app.cars.models import HourlyReading
from app.claims.use_models import BEFELL, CoverUse
from app.coverage.models import Cover
from app.facts import CoverClosed
from app.kit import clock
from app.kit.db import session
from app.kit.errors import NotFound
from app.messages.tell import snake
from app.rentals import end, energy
from app.rentals.models import Rental
from insurance import use as rules
from insurance.use import BEFORE, Ends, Hour

# Each instant belongs to one custody at most: covers of a car never overlap, and their spans are half-open.
_BEFELL = text(
    f"select at, kind, data, position from facts where data ->> 'car' = :car and {BEFELL}"  # noqa: S608 - a literal of ours
    " and at >= :from and (cast(:to as timestamptz) is null or at < :to) and position is not null order by position"
)
_SAID = ("doors", "wheels", "millivolts")


def on_closed(fact: CoverClosed) -> None:
    """Reaction to a cover's end: the readings are still there."""
    cover, rental = session.get_one(Cover, fact.cover), session.get(Rental, fact.rental)
    if rental is None or cover.to_at is None:
        return
    known = session.get(CoverUse, cover.id, with_for_update=True)
    if known is not None and known.version >= cover.version:
        return
    hours = [_hour(row) for row in hourly.of(cover.car_no, cover.from_at - BEFORE) if row.hour < cover.to_at]
    known = known or CoverUse(cover_id=cover.id)
    known.version, known.derived_at = cover.version, clock.now()
    known.data = rules.of_rental(hours, cover.from_at, cover.to_at, _ends(rental))
    session.add(known)


def _hour(row: HourlyReading) -> Hour:
    charge, volts = row.charge_percent, row.battery_12v
    return Hour(row.hour, charge, volts, row.plugged, row.battery_celsius, used=row.used)


def _ends(rental: Rental) -> Ends:
    seen = (rental.end_evidence or "").startswith(end.BOX)
    return Ends(
        charge_start=rental.charge_start,
        charge_end=rental.charge_end,
        km=end.driven_km(rental),
        energy_wh=energy.taken(rental, boxes.live(rental.car_id), seen=seen),
        seen=seen,
    )


def of_cover(insurer: str, cover_id: str) -> dict[str, Any]:
    """Null until the cover is closed, and for covers of before; what befell the car is told while it is out too.

    Raises NotFound.
    """
    cover = session.get(Cover, cover_id)
    if cover is None or cover.insurer_id != insurer:
        raise NotFound
    known = session.get(CoverUse, cover.id)
    return {
        "cover": cover.id,
        "derived_at": known.derived_at if known else None,
        "use": known.data if known else None,
        "left_territory": cover.left_territory or [],
        "befell": befell(cover),
    }


def befell(cover: Cover) -> list[dict[str, Any]]:
    """What the box told of the car within the span of its liability, in the order of the log; of no other cover's."""
    if cover.state in ("conditional", "void"):
        return []
    span = {"car": cover.car_id, "from": cover.from_at, "to": cover.to_at}
    return [
        {
            "at": row.at,
            "kind": snake(row.kind),
            "position": row.position,
            **{name: row.data.get(name) for name in _SAID},
        }
        for row in session.execute(_BEFELL, span)
    ]

"""The end of a rental, in one transaction: ended, custody back, cover closed, final price, what is owed, the fact."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.billing import capture
from app.cars import box as boxes
from app.cars import custody, occupancy, readings, terms
from app.cars.models import Box, Car
from app.coverage import cover
from app.facts import RentalEnded
from app.kit import deadlines, facts
from app.kit.keys import settings
from app.rentals import book, earnings, energy, grants_out
from app.rentals.lifecycle import State
from app.rentals.models import Rental
from payments.pricing import final
from payments.tariff import Fare, Price

CHARGE_REQUEST_WINDOW = timedelta(days=14)
BOX = "box"
"""So begins the evidence of an end that the box has shown."""
DRIVES_KM = 0.5
"""From here on a car was used, not only moved about."""
LIMPS_KM = 10
"""A car that failed may be brought so far out of the way; driven further it had not failed, and its time is charged."""


def end(
    car: Car,
    rental: Rental,
    *,
    by: str,
    evidence: str,
    covered_on: timedelta | None = None,
    at: datetime | None = None,
    odometer_km: int | None = None,
) -> None:
    """End at the box-confirmed instant; the caller holds car and rental and has asked the lifecycle.

    `at` and `odometer_km`, where a box's record that came later tells them; else it is now, by the last reading.
    `covered_on`, for a close by hand: custody and cover go on that long, or until the driver has said otherwise.
    """
    at = at or custody.next_instant(car)
    box = boxes.live(car.id)
    rental.state, rental.ended_at, rental.end_evidence, rental.ended_by = State.ENDED.value, at, evidence, by
    rental.over_at, rental.paused, rental.extension = at, False, None
    rental.odometer_end = odometer_km if odometer_km is not None else odometer(box) or rental.odometer_end
    rental.charge_end = readings.value(box, "charge_percent")
    bound = cover.of(rental.id)
    if rental.started_at is None and bound is not None and _was_driven(rental):
        rental.started_at = bound.from_at
    occupancy.shrink(car, rental.id, at, terms.buffer_of(rental.terms))
    seen = odometer_km is None and evidence.startswith(BOX)
    price = price_of(car, rental, at, energy.taken(rental, box, seen=seen))
    rental.final_price = price.to_dict()
    earnings.count(car, rental, price, at)
    free = not book.amount_to_hold(rental)
    if not free:
        capture.settle_end(rental.id, price.total, energy=price.energy)
    deadlines.drop(rental.id)
    deadlines.at("settle", rental.id, at + CHARGE_REQUEST_WINDOW)
    if covered_on is None:
        hand_back(car, rental, at, evidence)
    else:
        deadlines.at("hand_back", rental.id, at + covered_on)
    facts.record(
        RentalEnded(
            rental=rental.id,
            at=at,
            total=None if free else price.total.amount,
            currency=None if free else price.total.currency,
            by=by,
        )
    )


def hand_back(car: Car, rental: Rental, at: datetime, evidence: str) -> None:
    """Custody is the owner's again and the cover ends."""
    custody.give_back(car, rental.id, at)
    bound, charged_until = cover.of(rental.id), _charged_until(rental)
    if rental.started_at is None and bound is not None:
        charged_until = bound.from_at
    cover.close(
        rental.id,
        at,
        evidence=evidence,
        charged_until=charged_until,
        odometer_km=whole_km(rental.odometer_end) if _told_by_box(car, evidence) else None,
    )
    grants_out.rental_over(car, rental)


def _charged_until(rental: Rental) -> datetime | None:
    """Where the meter stopped, or the car failed."""
    stopped = (rental.meter_stopped_at or rental.ended_at, _failed_at(rental))
    return min((at for at in stopped if at is not None), default=None)


def _failed_at(rental: Rental) -> datetime | None:
    """When the car could not be used any more; None where it was driven on all the same."""
    before, after = rental.failed_km, rental.odometer_end
    drove_on = before is not None and after is not None and after - before > LIMPS_KM
    return None if drove_on else rental.failed_at


def _told_by_box(car: Car, evidence: str) -> bool:
    """Whether the last reading is of the end: a box that was silent then may have told it before the car was driven."""
    return evidence.startswith(BOX) or boxes.heard_within(boxes.live(car.id), settings().box_heard_within_min)


def price_of(car: Car, rental: Rental, at: datetime, energy_wh: int | None) -> Price:
    """The final price by the frozen terms, to where the meter stopped; doors that never opened cost nothing."""
    started, tariff = rental.started_at, terms.tariff(rental.terms)
    if started is None:
        return Price.of(tariff, ())
    return final(
        tariff,
        Fare(rental.fare),
        rental.from_at,
        rental.to_at,
        started,
        max(started, rental.meter_stopped_at or at),
        ZoneInfo(car.time_zone),
        driven_km(rental),
        car_failed_at=_failed_at(rental),
        energy_wh=energy_wh,
        limit=earnings.left_at_end(car, rental, at),
    )


def _was_driven(rental: Rental) -> bool:
    """Nobody saw the doors open, but the odometer moved since the unlock was asked."""
    before, after = rental.odometer_start, rental.odometer_end
    return before is not None and after is not None and after - before > DRIVES_KM


def driven_km(rental: Rental) -> int | None:
    """Whole kilometres by the odometer; None when the box told none."""
    if rental.odometer_start is None or rental.odometer_end is None:
        return None
    return max(0, int(rental.odometer_end - rental.odometer_start))


def whole_km(odometer: float | None) -> int | None:
    """As the instrument shows it, cut; None where it was not told."""
    return int(odometer) if odometer is not None else None


def odometer(box: Box | None) -> float | None:
    value: Any = readings.value(box, "odometer_km")
    return float(value) if value is not None else None

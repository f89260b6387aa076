"""A box's receipt becomes custody, cover and meter, at an instant between the last contact and its arrival.

The caller holds car and rental, and gives the receipts of a box in the order of their sequence. What a box did is so,
whatever we thought of the grant: a rental that is over keeps its state and its price, its use is covered all the same.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, select

from app.cars import box as boxes
from app.cars import custody, occupancy, readings
from app.cars.models import Car, Custody
from app.coverage import ahead, conditional, cover
from app.facts import RentalStarted, UsedAfterAll
from app.kit import clock, deadlines, facts
from app.kit.db import session
from app.rentals import close, grants_out, lifecycle, lock_answered, unlock_answered
from app.rentals import end as ending
from app.rentals.lifecycle import OUT, Role, State, Step
from app.rentals.models import Command, Grant, OfflineReceipt, Rental

EVIDENCE, NEXT_HAD_IT = "box receipt", "the next driver had it"
A_MOMENT = timedelta(milliseconds=1)


def apply(car: Car, rental: Rental, row: OfflineReceipt) -> bool:
    """Let one receipt take effect. False: it waits, since by our books another driver still has the car."""
    if not grants_out.has_car(rental):
        before = custody.driver_before(car.no, _claimed(row), but=rental.id)
        if before is not None and before.to_at is None:
            return False
    row.at = _instant(car, rental, row)
    session.flush()
    _STEPS[row.operation](car, rental, row)
    return True


# -- when ------------------------------------------------------------------------------------------------------------


def _claimed(row: OfflineReceipt) -> datetime:
    return min(row.box_time, row.received_at)


def _instant(car: Car, rental: Rental, row: OfflineReceipt) -> datetime:
    """The box's claim, but not before the last contact, and not after the receipt came or the next driver had the car."""
    following = custody.driver_after(car.no, _claimed(row), but=rental.id)
    latest = min(row.received_at, following.from_at) if following else row.received_at
    return max(_last_contact(car, rental, row), min(row.box_time, latest))


def _last_contact(car: Car, rental: Rental, row: OfflineReceipt) -> datetime:
    """The last instant known without this box's clock at which this had not been done."""
    grant = session.get_one(Grant, row.grant_id)
    known = [grant.issued_at, car.made_at]  # the clock may have been put back between the two
    before = custody.driver_before(car.no, _claimed(row), but=rental.id)
    if before is not None and before.to_at is not None:
        known.append(before.to_at + A_MOMENT)
    earlier: datetime | None = session.execute(
        select(func.max(OfflineReceipt.at)).where(
            OfflineReceipt.rental_id == rental.id, OfflineReceipt.sequence < row.sequence
        )
    ).scalar_one()
    known += [earlier] if earlier is not None else []
    held = custody.current(car.no)
    if held is not None and held.rental_id == rental.id and not _is_overtaken(row):
        known += [held.from_at, *_heard_in_use(car, rental, held)]
    return max(known)


def _is_overtaken(row: OfflineReceipt) -> bool:
    """It was missing, and what the box did after it under this rental has taken effect already."""
    later = select(OfflineReceipt.sequence).where(
        OfflineReceipt.rental_id == row.rental_id,
        OfflineReceipt.sequence > row.sequence,
        OfflineReceipt.at.is_not(None),
    )
    return session.execute(later.limit(1)).first() is not None


def _heard_in_use(car: Car, rental: Rental, held: Custody) -> list[datetime]:
    """When the box last answered a command of the rental, and when it last reported the car open or driving."""
    answered: datetime | None = session.execute(
        select(func.max(Command.answered_at)).where(Command.rental_id == rental.id)
    ).scalar_one()
    box, found = boxes.live(car.id), [answered]
    for name, used in (("locked", False), ("drivable", True)):
        if readings.value(box, name) is used:
            found.append(readings.instant(box, name))
    return [one for one in found if one is not None and one >= held.from_at]


# -- what ------------------------------------------------------------------------------------------------------------


def _unlock(car: Car, rental: Rental, row: OfflineReceipt) -> None:
    at = _at(row)
    if rental.stands is State.BOOKED and custody.driver_after(car.no, at, but=rental.id) is None:
        _begin(car, rental, row, at, row.odometer_km)
    elif rental.stands is State.UNLOCKING:
        _open(car, rental, row, at)
    elif rental.stands in OUT:
        _go_on(car, rental, row, at)
    else:
        _use_after_all(car, rental, row, at)


def _begin(car: Car, rental: Rental, row: OfflineReceipt, at: datetime, odometer_km: int | None) -> None:
    """The doors opened without signal: custody, cover and meter from this instant. `odometer_km`, where it was told then."""
    custody.record(car, person=rental.driver_id, rental=rental.id, from_at=at, to_at=None)
    _cover_from(car, rental, at, odometer_km)
    occupancy.begin_early(rental.id, at)
    rental.state = lifecycle.after(rental.stands, Step.OPENED, Role.BOX).value
    rental.started_at, rental.odometer_start = at, float(row.odometer_km)
    deadlines.drop(rental.id, "no_show", "about_to_start")
    deadlines.at("late", rental.id, rental.to_at)
    facts.record(RentalStarted(rental=rental.id, command=None, at=at))


def _cover_from(car: Car, rental: Rental, at: datetime, odometer_km: int | None) -> None:
    ahead.keep(grants_out.trip(car, rental), at, at)
    conditional.activate(rental.id, at, rental.to_at, odometer_km=odometer_km)


def _open(car: Car, rental: Rental, row: OfflineReceipt, at: datetime) -> None:
    """An unlock was asked with signal and its answer lost; the cover runs since then."""
    rental.started_at = at
    unlock_answered.open_doors(car, rental, None)
    rental.odometer_start = float(row.odometer_km)


def _started(car: Car, rental: Rental, row: OfflineReceipt, at: datetime) -> None:
    """Unlock and lock were left without an answer: that the driver was in is heard of here first."""
    rental.started_at = at
    unlock_answered.begin(car, rental, None)
    rental.odometer_start = float(row.odometer_km)


def _go_on(car: Car, rental: Rental, row: OfflineReceipt, at: datetime) -> None:
    """Back in the car. An unlock we hear of last, but which was the first, moves the beginning."""
    if rental.started_at is None:
        held = custody.current(car.no)
        _started(car, rental, row, max(at, held.from_at) if held is not None else at)
    if _is_overtaken(row):
        if rental.started_at is not None and at < rental.started_at:
            rental.started_at = at
            custody.begin_earlier(car, person=rental.driver_id, rental=rental.id, at=at)
            ahead.begin_earlier(rental.id, at, odometer_km=row.odometer_km)
        return
    lock_answered.run_meter(rental)
    rental.paused = False
    if rental.stands is State.LOCKING:
        rental.state = lifecycle.after(rental.stands, Step.UNLOCK, Role.DRIVER).value


def _use_after_all(car: Car, rental: Rental, row: OfflineReceipt, at: datetime) -> None:
    """The rental is over by our books, or the next has begun. Until a lock is heard of, the driver has the car.

    A door before the end that we know of is part of that use: at most it began earlier.
    """
    if grants_out.has_car(rental):
        return
    following = custody.driver_after(car.no, at, but=rental.id)
    if custody.ended_after(car.no, rental.id, at, following):
        _used_before(car, rental, row, at)
        return
    ends = following.from_at if following else None
    custody.record(car, person=rental.driver_id, rental=rental.id, from_at=at, to_at=ends)
    if ends is None:
        _cover_from(car, rental, at, row.odometer_km)
    else:
        odometer = (row.odometer_km, None)
        ahead.use(grants_out.trip(car, rental), at, ends, evidence=NEXT_HAD_IT, odometer_km=odometer)
    facts.record(UsedAfterAll(rental=rental.id, at=at, state=rental.state))


def _used_before(car: Car, rental: Rental, row: OfflineReceipt, at: datetime) -> None:
    custody.begin_earlier(car, person=rental.driver_id, rental=rental.id, at=at)
    ahead.begin_earlier(rental.id, at, odometer_km=row.odometer_km)
    if rental.started_at is not None:
        rental.started_at = min(rental.started_at, at)


def _lock(car: Car, rental: Rental, row: OfflineReceipt) -> None:
    """A door, not an end: custody, cover and meter go on."""
    del car, row
    if rental.stands in OUT:
        rental.paused = True


def _enable_drive(car: Car, rental: Rental, row: OfflineReceipt) -> None:
    del car, rental, row


def _end(car: Car, rental: Rental, row: OfflineReceipt) -> None:
    at = _at(row)
    _bury(rental, row)
    if rental.stands is State.BOOKED and custody.driver_after(car.no, at, but=rental.id) is None:
        _begin(car, rental, row, min(at, _earliest(car, rental, row)), None)
    if rental.stands is State.UNLOCKING:
        held = custody.current(car.no)
        _open(car, rental, row, held.from_at if held is not None else at)
    if rental.stands in OUT:
        lifecycle.after(rental.stands, Step.LOCKED, Role.BOX)
        ending.end(car, rental, by="driver", evidence=EVIDENCE, at=at, odometer_km=row.odometer_km)
    elif grants_out.has_car(rental):
        deadlines.drop(rental.id, "hand_back")
        rental.odometer_end = float(row.odometer_km)
        ending.hand_back(car, rental, at, EVIDENCE)
    elif rental.started_at is None and not _was_unlocked(row) and not _ended_later(car, rental, at):
        _use_whole(car, rental, row, at)
    else:
        _correct(car, rental, row, at)
    grants_out.none_left(rental)


def _earliest(car: Car, rental: Rental, row: OfflineReceipt) -> datetime:
    """The unlock's receipt is lost: the car was the driver's from when the grant could open it, at the earliest."""
    grant = session.get_one(Grant, row.grant_id)
    before = custody.driver_before(car.no, _claimed(row), but=rental.id)
    back = [before.to_at + A_MOMENT] if before is not None and before.to_at is not None else []
    return max(grant.not_before - grants_out.EDGE, grant.issued_at, car.made_at, *back)


def _was_unlocked(row: OfflineReceipt) -> bool:
    unlock = select(OfflineReceipt.sequence).where(
        OfflineReceipt.rental_id == row.rental_id,
        OfflineReceipt.operation == "unlock",
        OfflineReceipt.at.is_not(None),
        OfflineReceipt.sequence < row.sequence,
    )
    return session.execute(unlock.limit(1)).first() is not None


def _ended_later(car: Car, rental: Rental, at: datetime) -> bool:
    following = custody.driver_after(car.no, at, but=rental.id)
    return custody.ended_after(car.no, rental.id, at, following)


def _use_whole(car: Car, rental: Rental, row: OfflineReceipt, at: datetime) -> None:
    """Of a use under a rental that is over only the end is known: it is covered from its earliest instant."""
    begun = min(at, _earliest(car, rental, row))
    custody.record(car, person=rental.driver_id, rental=rental.id, from_at=begun, to_at=at)
    odometer = (None, row.odometer_km)
    ahead.use(grants_out.trip(car, rental), begun, at, evidence=EVIDENCE, odometer_km=odometer)
    facts.record(UsedAfterAll(rental=rental.id, at=begun, state=rental.state))


def _bury(rental: Rental, row: OfflineReceipt) -> None:
    """The box has ended the rental: none of its grants opens this box again."""
    for one in session.scalars(
        select(Grant).where(Grant.rental_id == rental.id, Grant.box_id == row.box_id, Grant.dead_at.is_(None))
    ):
        one.dead_at = clock.now()
    session.flush()


def _correct(car: Car, rental: Rental, row: OfflineReceipt, at: datetime) -> None:
    """What was ended on somebody's word ends where the box says; what a box had confirmed stays."""
    bound = cover.of(rental.id)
    if bound is None or bound.to_at is None or not _is_a_word(bound.end_evidence or "") or at >= bound.to_at:
        return
    custody.end_earlier(car, rental.id, at)
    cover.correct(rental.id, at, evidence=EVIDENCE, odometer_km=row.odometer_km)


def _is_a_word(evidence: str) -> bool:
    return evidence in (close.STATED, NEXT_HAD_IT) or evidence.startswith("operator:")


def _at(row: OfflineReceipt) -> datetime:
    assert row.at is not None
    return row.at


_STEPS: dict[str, Callable[[Car, Rental, OfflineReceipt], None]] = {
    "unlock": _unlock,
    "lock": _lock,
    "enable_drive": _enable_drive,
    "end_rental": _end,
}

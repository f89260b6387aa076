"""What the clock does to rentals: lapse, remind, no show, late, settle; each in its transaction."""

from datetime import datetime, timedelta

from sqlalchemy import select

from app.billing import hold
from app.cars import box as boxes
from app.cars import custody, occupancy, terms
from app.cars.models import Car
from app.communities import access as circles
from app.coverage import confirm, cover
from app.facts import (
    ConfirmationRefused,
    MemberRemoved,
    MembershipChanged,
    PersonSuspended,
    RentalAboutToStart,
    RentalLapsed,
    RentalLate,
    RentalNoShow,
    RentalSettled,
    UnlockFailed,
)
from app.kit import clock, deadlines, facts
from app.kit.db import session, transactional
from app.kit.keys import settings
from app.rentals import access, cancel, close, due_back, grants_out, lifecycle
from app.rentals.lifecycle import OUT, Role, State, Step
from app.rentals.models import Command, Rental
from payments.pricing import owed_on_cancellation
from payments.tariff import Price

PAID = ("none", "captured", "released", "refunded", "disputed", "settled", "written_off")
MAY_NOT_BOOK = "the driver may not book there any more"
GROW_EVERY, SETTLE_AGAIN = timedelta(minutes=5), timedelta(days=1)


@transactional
def lapse(rental_id: str) -> None:
    """Nobody answered in time."""
    _, rental = access.locked(rental_id)
    if rental.stands is State.REQUESTED:
        rental.state, rental.over_at = (
            lifecycle.after(rental.stands, Step.LAPSE, Role.CLOCK).value,
            clock.now(),
        )
        occupancy.vacate(rental.id)
        facts.record(RentalLapsed(rental=rental.id))


@transactional
def remind(rental_id: str) -> None:
    """One hour before the start; a car that is unsafe then is not waited for. Once it has begun the door says so."""
    car, rental = access.locked(rental_id)
    if rental.stands is not State.BOOKED or clock.now() >= rental.to_at:
        return
    if car.unsafe and clock.now() < rental.from_at:
        cancel.by_system(rental.id, "the car is unsafe")
    else:
        facts.record(RentalAboutToStart(rental=rental.id))


@transactional
def no_show(rental_id: str) -> None:
    """The driver did not come: the slot is free again. Where the driver could not come, the system cancels instead."""
    car, rental = access.locked(rental_id)
    if rental.stands is not State.BOOKED:
        return
    later = grants_out.judged_later(rental)
    if later is not None:
        deadlines.at("no_show", rental.id, later)
        return
    if _could_not_start(car, rental):
        cancel.by_system(rental.id, "the car could not be taken")
        return
    back = _back_at(car, rental)
    if back is not None and clock.now() < back + timedelta(minutes=rental.terms["no_show_min"]):
        deadlines.at("no_show", rental.id, back + timedelta(minutes=rental.terms["no_show_min"]))
        return
    price, now = Price.from_dict(rental.price), clock.now()
    owed = owed_on_cancellation(
        terms.tariff(rental.terms), price, rental.from_at, max(now, rental.from_at), "driver"
    )
    rental.state, rental.over_at = lifecycle.after(rental.stands, Step.NO_SHOW, Role.CLOCK).value, now
    rental.towards_cost = owed.amount
    deadlines.drop(rental.id)
    grants_out.give_slot_back(rental, "no_show")
    facts.record(RentalNoShow(rental=rental.id, owed=owed.amount))


def _back_at(car: Car, rental: Rental) -> datetime | None:
    """When the car came back, where that was after the planned start: the time to come runs from then."""
    held = custody.current(car.no)
    return held.from_at if held is not None and held.from_at > rental.from_at else None


def _could_not_start(car: Car, rental: Rental) -> bool:
    """An unlock was asked, or would have been refused: the car is not back or unsafe, its box unheard, the driver barred."""
    asked = (
        session.execute(select(Command.id).where(Command.rental_id == rental.id).limit(1)).first() is not None
    )
    heard = boxes.heard_within(boxes.live(car.id), settings().box_heard_within_min)
    barred = not access.may_book_on(rental)
    tried = asked or rental.kept_out_at is not None
    return tried or car.unsafe or not heard or custody.lent_to(car.no) is not None or barred


@transactional
def late(rental_id: str) -> None:
    """Past the planned end and still out: tell once, let the occupancy grow, the cover goes on. A booked one lapses."""
    car, rental = access.locked(rental_id)
    now = clock.now()
    if rental.stands is State.BOOKED:
        _never_taken(rental)
        return
    if rental.stands not in OUT:
        return
    if now < rental.to_at:
        deadlines.at("late", rental.id, rental.to_at)
        return
    back_at = due_back.forecast(rental, now)
    occupancy.grow(car, rental.id, due_back.held_until(rental, now), terms.buffer_of(rental.terms))
    deadlines.at("late", rental.id, now + GROW_EVERY)
    if rental.late_told_at is None:
        rental.late_told_at = now
        cover.overrun(rental.id)
        facts.record(RentalLate(rental=rental.id, back_at=back_at))


def _never_taken(rental: Rental) -> None:
    later = grants_out.judged_later(rental)
    if later is not None:
        deadlines.at("late", rental.id, later)
    elif _is_judged_late(rental):
        no_show(rental.id)
    else:
        cancel.by_system(rental.id, "not taken before its planned end")


def _is_judged_late(rental: Rental) -> bool:
    """Absent while a grant was out: it is a no show still, though the planned end has passed until none is."""
    missed = rental.from_at + timedelta(minutes=rental.terms["no_show_min"])
    return grants_out.revoked_for(rental.id, "no_show") and missed < rental.to_at


@transactional
def settle(rental_id: str) -> None:
    """Paid or free, the window for charge requests closed, and nobody says any longer that the car is with them."""
    _, rental = access.locked(rental_id)
    if rental.stands is not State.ENDED:
        return
    if close.is_covered_on(rental) or hold.standing(rental.id) not in PAID:
        deadlines.at("settle", rental.id, clock.now() + SETTLE_AGAIN)
        return
    rental.state = lifecycle.after(rental.stands, Step.SETTLE, Role.CLOCK).value
    facts.record(RentalSettled(rental=rental.id))


@transactional
def cancel_of_member(fact: MemberRemoved | MembershipChanged | PersonSuspended) -> None:
    """A member left, was removed, blocked or suspended: what has not begun is cancelled at no cost; what is out runs on.

    A suspension is of every community. What was booked since by who has come back stays.
    """
    ended = circles.over_before(fact.community, fact.person) if isinstance(fact, MemberRemoved) else None
    theirs = [Rental.driver_id == fact.person, Rental.state.in_((State.REQUESTED.value, State.BOOKED.value))]
    if not isinstance(fact, PersonSuspended):
        theirs.append(Rental.community_id == fact.community)
    for rental in session.scalars(select(Rental).where(*theirs).order_by(Rental.id)).all():
        if (ended and rental.made_at < ended) or not access.may_book_on(rental):
            cancel.by_system(rental.id, "membership ended" if ended else MAY_NOT_BOOK)


@transactional
def cancel_of_uninsured(fact: ConfirmationRefused) -> None:
    """The insurer will not have this rental: it is cancelled at no cost, unless an earlier answer still covers it."""
    _, rental = access.locked(fact.rental)
    if rental.stands not in (State.REQUESTED, State.BOOKED):
        return
    asked = confirm.of(rental.id)
    if asked is None or asked.confirmed_to_at is None or asked.confirmed_to_at < rental.to_at:
        cancel.by_system(rental.id, "the insurer declined")


@transactional
def cancel_of_former_member(fact: UnlockFailed) -> None:
    """They were barred from booking while an unlock was on its way: what is booked again goes the way of the others."""
    rental = session.get(Rental, fact.rental)
    if rental is not None and not access.may_book_on(rental):
        cancel.by_system(rental.id, MAY_NOT_BOOK)

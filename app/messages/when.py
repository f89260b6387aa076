"""When people are told of a fact: what it says itself, and what went before it."""

from collections.abc import Callable

from sqlalchemy import select

from app import facts
from app.communities import access
from app.kit.db import session
from app.kit.facts import FactRow
from app.messages import whom
from app.messages.about import about, is_deposit, next_booked
from app.messages.models import Message
from app.messages.scene import Scene
from app.people.models import Person
from app.rentals import alternatives
from app.rentals.models import Command, Rental
from insurance.claim import OVER

_FORECAST = "late_forecast.next_driver"


def says(field: str, *values: str) -> Callable[[Scene], bool]:
    return lambda here: here.said(field) in values


def is_true(field: str) -> Callable[[Scene], bool]:
    return lambda here: here.said(field) is True


def is_false(field: str) -> Callable[[Scene], bool]:
    return lambda here: here.said(field) is False


def says_among(field: str, value: str) -> Callable[[Scene], bool]:
    """The field holds several words."""
    return lambda here: value in here.said(field).split()


def has(field: str) -> Callable[[Scene], bool]:
    return lambda here: here.said(field) is not None


def has_no(field: str) -> Callable[[Scene], bool]:
    return lambda here: here.said(field) is None


def still_in(here: Scene) -> bool:
    """Who a change of membership is about has not left before it."""
    return access.membership(here.fact.community, here.fact.person) is not None


def is_news(here: Scene) -> bool:
    return here.fact.new_installation and whom.has_other_sessions(here)


def opened_late(here: Scene) -> bool:
    """The doors opened after their command had been given up; by the box's own record where no command is named."""
    rows = session.execute(
        select(FactRow.data["command"].astext).where(
            FactRow.data["rental"].astext == here.fact.rental,
            FactRow.kind == facts.DoorUnknown.kind,
            FactRow.data["what"].astext == "unlock",
            FactRow.seq < here.seq,
        )
    ).scalars()
    unknown = set(rows)
    return here.fact.command in unknown if here.fact.command else bool(unknown)


def opened_in_time(here: Scene) -> bool:
    return not opened_late(here)


def by_the_boxs_word(here: Scene) -> bool:
    """Nothing saw the lock that paused or ended the rental but a reading that may only echo the command."""
    command = here.said("command")
    if command is None:
        rental = session.get(Rental, here.fact.rental)
        return rental is not None and rental.end_evidence == "box weak"
    lock = session.get(Command, command)
    return lock is not None and lock.evidence != "strong"


def seen_locked(here: Scene) -> bool:
    return not by_the_boxs_word(here)


def both(*conditions: Callable[[Scene], bool]) -> Callable[[Scene], bool]:
    return lambda here: all(one(here) for one in conditions)


def either(*conditions: Callable[[Scene], bool]) -> Callable[[Scene], bool]:
    return lambda here: any(one(here) for one in conditions)


def by_themselves(here: Scene) -> bool:
    return bool(here.fact.by == here.fact.person)


def seen_at_booking(here: Scene) -> bool:
    """Not when the car was found unsafe, which its owners are told by itself."""
    return here.fact.ahead_min is None and not here.fact.found_unsafe


def deposit(here: Scene) -> bool:
    return is_deposit(here.fact.payment)


def no_deposit(here: Scene) -> bool:
    return not deposit(here)


def deposit_held_first(here: Scene) -> bool:
    """Held anew before the bank lets it go is no news."""
    if no_deposit(here):
        return False
    earlier = select(FactRow.seq).where(
        FactRow.data["rental"].astext == here.fact.rental,
        FactRow.kind == facts.PaymentHeld.kind,
        FactRow.data["payment"].astext == here.fact.payment,
        FactRow.seq < here.seq,
    )
    return session.execute(earlier.limit(1)).first() is None


def next_driver(here: Scene) -> Scene | None:
    """The same fact as the driver of the next booked rental of the car sees it."""
    following = next_booked(here.fact.rental)
    return Scene(here.fact, here.seq, here.at, following) if following else None


def late_for_next(here: Scene) -> bool:
    """Nobody knows when the car comes back, and the next start is within a day after it was due: later, there is time."""
    if here.fact.back_at is not None:
        return False
    return (
        here.rental is not None and here.rental.from_at - about(here.fact.rental).to_at <= alternatives.SOON
    )


def driver_reads_app(here: Scene) -> bool:
    """Not suspended: that they sign in no more, and that their bookings are cancelled, is told at once."""
    return here.rental is not None and session.get_one(Person, here.rental.driver).suspended_at is None


def is_waited_for(here: Scene) -> bool:
    """The next driver would come before the car is back; or was told of lateness before, so that better is news too."""
    if here.rental is None:
        return False
    of_lateness = select(Message.id).where(
        Message.rental_id == here.rental_id, Message.kind.in_(("rental_late.next_driver", _FORECAST))
    )
    told_before = session.execute(of_lateness.limit(1)).first() is not None
    is_word = here.fact.kind == facts.LatenessTold.kind
    return here.fact.back_at > here.rental.from_at or (is_word and told_before)


def claim_is_over(here: Scene) -> bool:
    """From one end to another is no news."""
    return here.fact.status in OVER and here.fact.before not in OVER


def claim_is_reopened(here: Scene) -> bool:
    return here.fact.before in OVER and here.fact.status not in OVER


def of_a_community(here: Scene) -> bool:
    """Whose money the fact is about."""
    return str(here.fact.person).startswith("com_")


def of_a_person(here: Scene) -> bool:
    return not of_a_community(here)


by_hand = says("by", "owner", "operator")


def by_lock(here: Scene) -> bool:
    return not by_hand(here)

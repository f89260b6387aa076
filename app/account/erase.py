"""Erasing an account: who it was is forgotten; rentals, covers and books stay, under an id that names nobody.

Nothing may be open: a rental, a debt, a charge request, money that was not sent, a car of one's own. Who drove is kept
sealed for as long as a fine may still look for its driver, and longer only under a legal hold or an open claim.
"""

from datetime import datetime, timedelta

from sqlalchemy import Select, case, delete, func, select, update

from app import facts
from app.billing import cards, transfer
from app.billing.models import Card, Payment
from app.billing.states import State
from app.cars.models import Car
from app.claims.charge_rules import DOCUMENTED_WITHIN, FINAL
from app.claims.models import ChargeRequest
from app.communities import leave
from app.communities.models import Invitation, Membership
from app.coverage.driver_models import NamedDriver
from app.kit import clock, rights
from app.kit.db import session, transactional
from app.kit.errors import InUse
from app.kit.facts import record
from app.messages.models import Delivery, Message, Preferences
from app.people import identity, phones, sign_in
from app.people.models import EmailCode, Licence, Person
from app.rentals import name_driver, waits
from app.rentals.damage_models import Damage
from app.rentals.feed_models import CalendarFeed
from app.rentals.lifecycle import OUT
from app.rentals.lifecycle import State as Stands
from app.rentals.models import Rental
from app.rentals.word_models import Note, Review

LONGER = timedelta(days=1)
"""Beside the last instant at which a letter for a fine may be asked for: nobody is late by an hour."""


@transactional
def erase(person: str) -> None:
    """Forget the person. Raises InUse with all that is open, LastOwner."""
    rights.revoke(person)
    row = session.get_one(Person, person, with_for_update=True, populate_existing=True)
    _refuse_while_open(row)
    for community in _memberships(person):
        leave.leave(person, community, person)
    for card in cards.mine(person):
        cards.remove(person, card.id)
    for phone in phones.of(person):
        phones.remove(person, phone.id)
    sign_in.end_all(person, but=None, reason="account erased")
    identity.keep(row, _last_return(person) + DOCUMENTED_WITHIN + LONGER)
    _forget_words(person)
    _empty(row)
    record(facts.PersonErased(person=person, kept_until=row.kept_until))


def _refuse_while_open(row: Person) -> None:
    used_by = [
        *(f"rental {one}" for one in session.scalars(_rentals(row.id))),
        *(f"rental {one}" for one in name_driver.drives_now(row.id)),
        *(f"payment {one}" for one in session.scalars(_payments(row.id))),
        *(f"charge request {one}" for one in session.scalars(_charge_requests(row.id))),
        *(f"car {one}" for one in session.scalars(_cars(row.id))),
        *transfer.unsent_to(row.id),
        *(["the rights of an operator"] if row.operator else []),
    ]
    if used_by:
        raise InUse("Something is still open: end it, pay it or have it paid out first.", by=used_by)


def _rentals(person: str) -> Select[str]:
    live = [one.value for one in (Stands.REQUESTED, Stands.BOOKED, *OUT)]
    return select(Rental.id).where(Rental.driver_id == person, Rental.state.in_(live))


def _payments(person: str) -> Select[str]:
    """Not taken and not free: held, owed, or on its way; or taken, and disputed or being given back."""
    over = [one.value for one in (State.RELEASED, State.CAPTURED, State.REFUNDED, State.WRITTEN_OFF)]
    return select(Payment.id).where(Payment.person_id == person, Payment.state.not_in(over))


def _charge_requests(person: str) -> Select[str]:
    mine = (ChargeRequest.driver_id == person) | (ChargeRequest.made_by == person)
    over = [one.value for one in FINAL]
    return select(ChargeRequest.id).where(mine, ChargeRequest.state.not_in(over))


def _cars(person: str) -> Select[str]:
    return select(Car.id).where(Car.owner_id == person, Car.removed_at.is_(None))


def _memberships(person: str) -> list[str]:
    wanted = select(Membership.community_id).where(
        Membership.person_id == person, Membership.ended_at.is_(None)
    )
    return list(session.scalars(wanted))


def _last_return(person: str) -> datetime:
    named = select(NamedDriver.rental_id).where(NamedDriver.person_id == person)
    drove = (Rental.driver_id == person) | Rental.id.in_(named)
    last: datetime | None = session.scalar(select(func.max(Rental.ended_at)).where(drove))
    return last or clock.now() - DOCUMENTED_WITHIN - LONGER


def _forget_words(person: str) -> None:
    """What they were told and wrote, how they wanted to be told, the addresses at which calendars read of them."""
    theirs = select(Message.id).where(Message.person_id == person)
    session.execute(delete(Delivery).where(Delivery.message_id.in_(theirs)))
    session.execute(delete(Message).where(Message.person_id == person))
    session.execute(delete(Preferences).where(Preferences.person_id == person))
    for written in (Note, Review, Damage):
        session.execute(update(written).where(written.by_id == person).values(text=None))
    for one in session.scalars(waits.mine(person)).all():
        waits.remove(person, one.id)
    session.execute(delete(CalendarFeed).where(CalendarFeed.person_id == person))


def _forget_invitations(address: str) -> None:
    """Those to their address name nobody any more; one that is open ends, or it would be for whoever holds its code."""
    ended = func.coalesce(Invitation.revoked_at, clock.now())
    revoked = case((Invitation.used < Invitation.uses, ended), else_=Invitation.revoked_at)
    theirs = func.lower(Invitation.email) == address
    session.execute(update(Invitation).where(theirs).values(email=None, revoked_at=revoked))


def _empty(row: Person) -> None:
    """The account says nothing any more, and its address is free for another."""
    session.execute(delete(Licence).where(Licence.person_id == row.id))
    session.execute(delete(EmailCode).where(EmailCode.person_id == row.id))
    _forget_invitations(row.email_key)
    bare = {"brand": None, "last4": None, "exp_month": None, "exp_year": None, "country": None}
    session.execute(update(Card).where(Card.person_id == row.id).values(**bare))
    row.name = row.email = ""
    row.email_key, row.password_hash = f"erased {row.id}", ""
    row.birth_date, row.address, row.email_confirmed_at = None, None, None
    row.erased_at = clock.now()

"""Deliver: read what is to be sent, send it outside of any transaction, write down what came of it."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from flask import current_app

from app.doors import Doors
from app.kit import clock, deadlines, jobs
from app.kit.clock import real_now
from app.kit.db import session, transactional
from app.kit.jobs import job
from app.kit.keys import unseal
from app.messages import preferences, words
from app.messages.channels import SEALED, lock_of, mail_address, reader_language
from app.messages.kinds import EVERY, KINDS, SECRET
from app.messages.models import Delivery, Message
from app.people import codes, phones
from app.people.models import EmailCode, Person, Phone
from notifications.mail import MailError
from notifications.push import PhoneGone, PushError, PushMessage

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail ready to go."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    message_id: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a delivery; `reason` names an error, never an address."""

    state: str
    reason: str | None = None


Parcel = PushMessage | Letter


@job("deliver")
def deliver(delivery: str) -> None:
    """Bring one message to one phone or mailbox. A temporary error comes back by the queue; a repeat changes nothing."""
    parcel = _prepare(delivery)
    if parcel is not None:
        _settle(delivery, hand_over(parcel))


@transactional
def due(delivery: str) -> None:
    """The quiet hours of a waiting push are over."""
    row = session.get(Delivery, delivery)
    if row is not None and row.state == "waiting":
        jobs.defer("deliver", delivery=row.id, lock=lock_of(row))


def hand_over(parcel: Parcel) -> Outcome:
    """Through the door, outside of any transaction. Raises the door's temporary errors."""
    doors: Doors = current_app.extensions["glovebox"].doors
    try:
        if isinstance(parcel, PushMessage):
            if doors.push is None:
                return Outcome("skipped", "no push door")
            doors.push.send(parcel)
        else:
            if doors.mail is None:
                return Outcome("skipped", "no mail door")
            doors.mail.send(
                to=parcel.to, subject=parcel.subject, text=parcel.text, message_id=parcel.message_id
            )
    except PhoneGone:
        return Outcome("gone")
    except (PushError, MailError) as error:
        if error.temporary:
            raise
        log.warning("delivery refused", error=type(error).__name__)
        return Outcome("failed", type(error).__name__)
    return Outcome("sent")


@transactional
def _prepare(delivery: str) -> Parcel | None:
    """What is to be sent now; None when it is done, waits for the end of the quiet hours, or is not to be sent."""
    row = session.get(Delivery, delivery, with_for_update=True)
    if row is None or row.state != "waiting":
        return None
    message = session.get_one(Message, row.message_id)
    now = clock.now()
    row.attempts += 1
    if _too_late(row, message, now):
        _write(row, Outcome("skipped", "too late"), now)
        return None
    if row.channel == "mail":
        return _letter(row, message, now)
    quiet_until = _quiet_until(message, now)
    if quiet_until is not None:
        deadlines.at("deliver", row.id, quiet_until)
        return None
    return _push(row, message, now)


def _too_late(row: Delivery, message: Message, now: datetime) -> bool:
    """A push has its kind's time, a code its own, a mail three days."""
    if message.kind in SECRET:
        code = session.get(EmailCode, message.params["code"])
        return code is None or code.used_at is not None or real_now() - code.made_at > codes.LIVES
    lives = KINDS[message.kind].ttl if row.channel == "push" else EVERY
    return now - message.made_at > lives


def _quiet_until(message: Message, now: datetime) -> datetime | None:
    person = session.get(Person, message.person_id) if message.person_id else None
    return None if message.urgent or person is None else preferences.of(person).quiet_until(now)


def _letter(row: Delivery, message: Message, now: datetime) -> Letter | None:
    kept = unseal(SEALED, row.address_sealed).decode() if row.address_sealed else None
    address = kept or mail_address(message)
    if address is None:
        _write(row, Outcome("gone"), now)
        return None
    row.address_hash = hash_of(address)
    text = words.of(message.kind, message.params, reader_language(message))
    return Letter(to=address, subject=text.title, text=text.body, message_id=message.id)


def _push(row: Delivery, message: Message, now: datetime) -> PushMessage | None:
    phone = session.get(Phone, row.phone_id)
    address = _address_of(phone)
    if phone is None or phone.push is None or address is None:
        _write(row, Outcome("gone"), now)
        return None
    row.address_hash = hash_of(address)
    text = words.of(message.kind, message.params, phone.language or reader_language(message))
    rental = {"rental": message.rental_id} if message.rental_id else {}
    left = KINDS[message.kind].ttl - (now - message.made_at)
    return PushMessage(
        kind=phone.push["kind"],
        address=address,
        title=text.title,
        body=text.body,
        data={"message": message.id, "kind": message.kind, **rental},
        urgent=message.urgent,
        ttl=timedelta(seconds=int(left.total_seconds())),
        collapse_key=f"rental-{message.rental_id}" if message.rental_id else None,
    )


def _address_of(phone: Phone | None) -> str | None:
    if phone is None or phone.revoked_at is not None or phone.push is None:
        return None
    address: str = phone.push["address"]
    return address


def hash_of(address: str) -> bytes:
    return hashlib.sha256(address.encode()).digest()


@transactional
def _settle(delivery: str, outcome: Outcome) -> None:
    row = session.get(Delivery, delivery, with_for_update=True)
    if row is None or row.state != "waiting":
        return
    if outcome.state == "gone" and row.phone_id is not None:
        address = _address_of(session.get(Phone, row.phone_id, with_for_update=True))
        if address is not None and hash_of(address) != row.address_hash:
            jobs.defer("deliver", delivery=row.id, lock=lock_of(row))
            return
        if address is not None:
            phones.gone(row.phone_id, address)
    _write(row, outcome, clock.now())


def _write(row: Delivery, outcome: Outcome, now: datetime) -> None:
    row.state, row.reason, row.at = outcome.state, outcome.reason, now

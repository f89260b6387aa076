"""Deliver a mail: read what is to be sent, send it outside of any transaction, write down what came of it."""

from dataclasses import dataclass, field
from datetime import datetime

import structlog
from flask import current_app

from app.doors import Doors
from app.kit import clock
from app.kit.clock import real_now
from app.kit.db import session, transactional
from app.kit.jobs import job
from app.kit.keys import unseal
from app.messages import words
from app.messages.channels import SEALED, mail_address, push_now, reader_language
from app.messages.kinds import EVERY, SECRET
from app.messages.models import Delivery, Message
from app.messages.outcome import TOO_LATE, Outcome, hash_of, write
from app.people import codes
from app.people.models import EmailCode
from notifications.mail import MailError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail ready to go."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    message_id: str


@job("deliver")
def deliver(delivery: str) -> None:
    """Bring one message to one mailbox. A temporary error comes back by the queue; a repeat changes nothing."""
    letter = _prepare(delivery)
    if letter is not None:
        _settle(delivery, hand_over(letter))


@transactional
def due(delivery: str) -> None:
    """The quiet hours of a waiting push are over."""
    row = session.get(Delivery, delivery)
    if row is not None and row.state == "waiting":
        push_now(row, late=True)


def hand_over(letter: Letter) -> Outcome:
    """Through the door, outside of any transaction. Raises the door's temporary errors."""
    doors: Doors = current_app.extensions["glovebox"].doors
    if doors.mail is None:
        return Outcome("skipped", "no mail door")
    try:
        doors.mail.send(to=letter.to, subject=letter.subject, text=letter.text, message_id=letter.message_id)
    except MailError as error:
        if error.temporary:
            raise
        log.warning("mail refused", error=type(error).__name__)
        return Outcome("failed", type(error).__name__)
    return Outcome("sent")


@transactional
def _prepare(delivery: str) -> Letter | None:
    """What is to be sent now; None when it is done or not to be sent."""
    row = session.get(Delivery, delivery, with_for_update=True)
    if row is None or row.state != "waiting":
        return None
    if row.channel == "push":  # a job of the time when each push had one
        push_now(row, late=True)
        return None
    message = session.get_one(Message, row.message_id)
    now = clock.now()
    row.attempts += 1
    if _too_late(message, now):
        write(row, TOO_LATE, now)
        return None
    return _letter(row, message, now)


def _too_late(message: Message, now: datetime) -> bool:
    """A code has its own time, any other mail three days."""
    if message.kind in SECRET:
        code = session.get(EmailCode, message.params["code"])
        return code is None or code.used_at is not None or real_now() - code.made_at > codes.LIVES
    return now - message.made_at > EVERY


def _letter(row: Delivery, message: Message, now: datetime) -> Letter | None:
    kept = unseal(SEALED, row.address_sealed).decode() if row.address_sealed else None
    address = kept or mail_address(message)
    if address is None:
        write(row, Outcome("gone"), now)
        return None
    row.address_hash = hash_of(address)
    text = words.of(message.kind, message.params, reader_language(message))
    return Letter(to=address, subject=text.title, text=text.body, message_id=message.id)


@transactional
def _settle(delivery: str, outcome: Outcome) -> None:
    row = session.get(Delivery, delivery, with_for_update=True)
    if row is not None and row.state == "waiting":
        write(row, outcome, clock.now())

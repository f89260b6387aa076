"""What a push is made of: the words of its message for one phone, how urgent it is, and what it replaces there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import select

from app.kit import clock, deadlines
from app.kit.clock import real_now
from app.kit.db import session
from app.messages import preferences, words
from app.messages.channels import reader_language
from app.messages.kinds import KINDS
from app.messages.models import Delivery, Message
from app.messages.outcome import TOO_LATE, Outcome, hash_of, write
from app.messages.preferences import Wishes
from app.people.models import Person, Phone
from notifications.push import PushMessage

M = TypeVar("M", Message, Person, Phone)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A push as it is handed over for a delivery; `taken_at` in real time, as a phone's `seen_at`."""

    delivery: str
    push: PushMessage
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Around:
    """What the pushes of a batch are made of, each asked once for all of them."""

    messages: dict[str, Message]
    phones: dict[str, Phone]
    people: dict[str, Person]
    wishes: dict[str, Wishes]


def of_all(rows: Sequence[Delivery]) -> list[Parcel]:
    """Those that are to go out now. In a transaction: what is too late, quiet or without a phone is noted in its row."""
    around, now = _around(rows), clock.now()
    found = []
    for row in rows:
        try:
            push = _of(row, around, now)
        except (LookupError, TypeError, ValueError) as error:
            # a mistake of ours in one message keeps no other from going out
            log.exception("a push that cannot be put into words", delivery=row.id, error=repr(error))
            write(row, Outcome("failed", type(error).__name__), now)
            continue
        if push is not None:
            found.append(Parcel(row.id, push, real_now()))
    return found


def _around(rows: Sequence[Delivery]) -> Around:
    messages = _by_id(Message, (row.message_id for row in rows))
    people = _by_id(Person, (one.person_id for one in messages.values()))
    return Around(
        messages=messages,
        phones=_by_id(Phone, (row.phone_id for row in rows)),
        people=people,
        wishes=preferences.of_all(list(people.values())),
    )


def _by_id(model: type[M], ids: Iterable[str | None]) -> dict[str, M]:
    wanted = select(model).where(model.id.in_({one for one in ids if one is not None}))
    return {row.id: row for row in session.scalars(wanted)}


def _of(row: Delivery, around: Around, now: datetime) -> PushMessage | None:
    message = around.messages[row.message_id]
    left = KINDS[message.kind].ttl - (now - message.made_at)
    phone = around.phones.get(row.phone_id or "")
    if left < timedelta(0):
        write(row, TOO_LATE, now)
        return None
    if phone is None or phone.revoked_at is not None or phone.push is None:
        write(row, Outcome("gone"), now)
        return None
    quiet_until = None if message.urgent else around.wishes[str(message.person_id)].quiet_until(now)
    if quiet_until is not None:
        row.try_at = None
        deadlines.at("deliver", row.id, quiet_until)
        return None
    row.address_hash = hash_of(phone.push["address"])
    return _push(message, phone, timedelta(seconds=int(left.total_seconds())))


def _push(message: Message, phone: Phone, left: timedelta) -> PushMessage:
    assert phone.push is not None
    text = words.of(message.kind, message.params, phone.language or reader_language(message))
    rental = {"rental": message.rental_id} if message.rental_id else {}
    return PushMessage(
        kind=phone.push["kind"],
        address=phone.push["address"],
        title=text.title,
        body=text.body,
        data={"message": message.id, "kind": message.kind, **rental},
        urgent=message.urgent,
        ttl=left,
        collapse_key=f"rental-{message.rental_id}" if message.rental_id else None,
        keys=phone.push.get("keys"),
    )

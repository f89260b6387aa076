"""What a push is made of: the words of its message for one phone, how urgent it is, and what it replaces there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import select

from app.kit import clock
from app.kit.clock import real_now
from app.kit.db import session
from app.messages import gather, preferences, words
from app.messages.channels import reader_language
from app.messages.kinds import KINDS
from app.messages.models import Delivery, Message
from app.messages.outcome import IN_DOUBT, LEFT, TOO_LATE, Outcome, hash_of, write
from app.messages.preferences import Wishes
from app.people import reached
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
    left: set[str]
    flooded: dict[str, datetime]
    counts: dict[str, int]


def of_all(rows: Sequence[Delivery]) -> list[Parcel]:
    """Those that are to go out now. In a transaction: what is too late, quiet or without a phone is noted in its row."""
    now = clock.now()
    around = _around(rows, now)
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


def _around(rows: Sequence[Delivery], now: datetime) -> Around:
    messages = _by_id(Message, (row.message_id for row in rows))
    people = _by_id(Person, (one.person_id for one in messages.values()))
    phones = {row.phone_id for row in rows if row.phone_id is not None}
    return Around(
        messages=messages,
        phones=_by_id(Phone, phones),
        people=people,
        wishes=preferences.of_all(list(people.values())),
        left=reached.signed_out(phones),
        flooded=gather.flooded(phones, now),
        counts=gather.counts(row.id for row in rows),
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
    if phone.confirmed_at is None or phone.id in around.left:
        write(row, IN_DOUBT if phone.confirmed_at is None else LEFT, now)
        return None
    until = None if message.urgent else _held_until(row, message, around, now)
    if until is not None and gather.lives_until(message) < until:
        write(row, TOO_LATE, now)
        return None
    if until is not None:
        gather.hold(row, until)
        return None
    row.address_hash = hash_of(phone.push["address"])
    seconds = timedelta(seconds=int(left.total_seconds()))
    return _push(message, phone, seconds, around.counts.get(row.id, 1))


def _held_until(row: Delivery, message: Message, around: Around, now: datetime) -> datetime | None:
    """The end of the quiet hours, or of a flood; one that stands for many has been held back for the flood already."""
    quiet_until = around.wishes[str(message.person_id)].quiet_until(now)
    if quiet_until is not None or row.id in around.counts:
        return quiet_until
    return around.flooded.get(str(row.phone_id))


def _push(message: Message, phone: Phone, left: timedelta, count: int) -> PushMessage:
    """The push of a message, or of the newest of so many."""
    assert phone.push is not None
    language = phone.language or reader_language(message)
    text = words.of(message.kind, message.params, language, quoting=False)
    data = {"message": message.id, "kind": message.kind}
    if message.rental_id:
        data["rental"] = message.rental_id
    collapse_key = f"rental-{message.rental_id}" if message.rental_id else None
    if count > 1:
        text = words.of_many(count, text, language)
        data, collapse_key = {"message": message.id, "kind": "gathered", "count": str(count)}, "gathered"
    return PushMessage(
        kind=phone.push["kind"],
        address=phone.push["address"],
        title=text.title,
        body=text.body,
        data=data,
        urgent=message.urgent,
        ttl=left,
        collapse_key=collapse_key,
        keys=phone.push.get("keys"),
    )

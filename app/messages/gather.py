"""Pushes that can wait, gathered: what comes thick and fast, or in the quiet hours, reaches a phone as one.

A push that is held back has `digest` set and waits for its phone's deadline. Then the newest that is still news goes out for
all of them, and the others, `gathered_in` it, share its fate; if it comes too late after all, the next takes its place.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import aliased

from app.kit import clock, deadlines
from app.kit.db import session, transactional
from app.messages.channels import push_now
from app.messages.kinds import KINDS
from app.messages.models import Delivery, Message
from app.messages.outcome import READ, TOO_LATE, write
from app.people.models import Phone

AT_MOST, WITHIN = 5, timedelta(minutes=10)
"""So many that can wait a phone gets one by one in so long; what is urgent neither counts nor waits."""


def flooded(phones: Iterable[str], now: datetime) -> dict[str, datetime]:
    """The phones that have had enough for now, and until when."""
    recent = (
        select(Delivery.phone_id, func.min(Delivery.at))
        .join(Message, Message.id == Delivery.message_id)
        .where(
            Delivery.phone_id.in_(set(phones)),
            Delivery.state == "sent",
            Delivery.at > now - WITHIN,
            Delivery.gathered_in.is_(None),
            Message.urgent.is_(False),
        )
        .group_by(Delivery.phone_id)
        .having(func.count() >= AT_MOST)
    )
    return {str(phone): first + WITHIN for phone, first in session.execute(recent)}


def hold(row: Delivery, until: datetime) -> None:
    """Keep a push back; whatever else is kept back for its phone comes with it."""
    row.digest, row.try_at = True, None
    deadlines.at("gather", str(row.phone_id), until)


@transactional
def due(phone: str) -> None:
    """The wait is over: the newest goes out for all that were held back and are still news."""
    owner = session.get_one(Phone, phone).person_id
    held = select(Delivery).where(
        Delivery.person_id == owner,
        Delivery.phone_id == phone,
        Delivery.digest,
        Delivery.state == "waiting",
    )
    back = session.scalars(held.order_by(Delivery.id).with_for_update()).all()
    _gather([*back, *_gathered_in([one.id for one in back])])


def _gathered_in(carriers: Sequence[str]) -> Sequence[Delivery]:
    theirs = Delivery.gathered_in.in_(carriers), Delivery.state == "waiting"
    return session.scalars(select(Delivery).where(*theirs).with_for_update()).all()


def _gather(rows: Sequence[Delivery]) -> None:
    """The newest that is still news goes out for all others that are."""
    left = _still_news(sorted(rows, key=lambda one: one.id))
    for one in left:
        one.digest, one.gathered_in = False, None if one is left[-1] else left[-1].id
    if left:
        push_now(left[-1])


def _still_news(rows: Sequence[Delivery]) -> list[Delivery]:
    """Those that are neither too late by now nor read in the app meanwhile, which is noted of the others."""
    now, found = clock.now(), []
    wanted = select(Message).where(Message.id.in_([row.message_id for row in rows]))
    messages = {one.id: one for one in session.scalars(wanted)}
    for row in rows:
        message = messages[row.message_id]
        if message.read_at is not None:
            write(row, READ, now)
        elif lives_until(message) < now:
            write(row, TOO_LATE, now)
        else:
            found.append(row)
    return found


def lives_until(message: Message) -> datetime:
    """When a push of it is no news any more."""
    return message.made_at + KINDS[message.kind].ttl


def counts(rows: Iterable[str]) -> dict[str, int]:
    """For how many messages a push stands that stands for more than its own."""
    others = (
        select(Delivery.gathered_in, func.count())
        .where(Delivery.gathered_in.in_(set(rows)), Delivery.state == "waiting")
        .group_by(Delivery.gathered_in)
    )
    return {str(row): count + 1 for row, count in session.execute(others)}


def share(rows: Sequence[Delivery]) -> None:
    """What was gathered in these ends as they have; where one came too late, what is still news of it goes out after all."""
    session.flush()
    late = [row.id for row in rows if row.reason == TOO_LATE.reason]
    carrier = aliased(Delivery)
    theirs = update(Delivery).where(
        carrier.id.in_({row.id for row in rows}.difference(late)),
        carrier.state != "waiting",
        Delivery.gathered_in == carrier.id,
        Delivery.state == "waiting",
    )
    values = {"state": carrier.state, "reason": carrier.reason, "at": carrier.at}
    session.execute(theirs.values(values).execution_options(synchronize_session=False))
    if late:
        _gather(_gathered_in(late))

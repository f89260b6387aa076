"""Pushes that can wait, gathered: what comes thick and fast, or in the quiet hours, reaches a phone as one.

A push that is held back has `digest` set and waits for its phone's deadline. Then the newest goes out for all of them, and
the others, `gathered_in` it, share its fate.
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

LONG_ENOUGH = timedelta(hours=1)
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
    rows = _still_news(sorted([*back, *_gathered_in(back)], key=lambda one: one.id))
    if not rows:
        return
    newest = _carrier(rows)
    for one in rows:
        one.digest, one.gathered_in = False, None if one is newest else newest.id
    push_now(newest)


def _gathered_in(rows: Sequence[Delivery]) -> Sequence[Delivery]:
    """What was gathered in one that then had to wait itself: it may be news still where that one is none."""
    theirs = Delivery.gathered_in.in_([one.id for one in rows]), Delivery.state == "waiting"
    return session.scalars(select(Delivery).where(*theirs).with_for_update()).all()


def _still_news(rows: Sequence[Delivery]) -> list[Delivery]:
    """Those that are neither too late by now nor read in the app meanwhile, which is noted of the others."""
    now, found = clock.now(), []
    for row in rows:
        message = session.get_one(Message, row.message_id)
        if message.read_at is not None:
            write(row, READ, now)
        elif lives_until(message) < now:
            write(row, TOO_LATE, now)
        else:
            found.append(row)
    return found


def _carrier(rows: Sequence[Delivery]) -> Delivery:
    """The newest that lives long enough not to be over before it is sent, and all others with it."""
    enough = clock.now() + LONG_ENOUGH
    lasting = [row for row in rows if lives_until(session.get_one(Message, row.message_id)) > enough]
    return (lasting or list(rows))[-1]


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


def share(rows: Iterable[str]) -> None:
    """What was gathered in these ends as they have."""
    session.flush()
    carrier = aliased(Delivery)
    theirs = update(Delivery).where(
        carrier.id.in_(set(rows)),
        carrier.state != "waiting",
        Delivery.gathered_in == carrier.id,
        Delivery.state == "waiting",
    )
    values = {"state": carrier.state, "reason": carrier.reason, "at": carrier.at}
    session.execute(theirs.values(values).execution_options(synchronize_session=False))

"""Pushes that can wait, gathered: what comes thick and fast, or in the quiet hours, reaches a phone as one.

A push that is held back has `digest` set and waits for its phone's deadline. Then the newest that is still news goes out for
all of them, and the others, `gathered_in` it, share its fate; if it comes too late after all, the next takes its place.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, text

from app.kit import clock, deadlines
from app.kit.db import bare, public, session, transactional
from app.kit.driver import plain
from app.messages.channels import push_now
from app.messages.kinds import KINDS
from app.messages.models import DLV, Delivery, Message
from app.messages.outcome import READ, TOO_LATE, write
from app.people.models import PHO, Phone

AT_MOST, WITHIN = 5, timedelta(minutes=10)
"""So many that can wait a phone gets one by one in so long; what is urgent neither counts nor waits."""


_FLOODED = text(
    "select d.phone_id, min(d.at) as first from deliveries d join messages m on m.id = d.message_id"
    " where d.phone_id = any(:phones) and d.state = 'sent' and d.at > :since and d.gathered_in is null and not m.urgent"
    " group by d.phone_id having count(*) >= :most"
)
_COUNTS = text(
    "select gathered_in, count(*) as others from deliveries where gathered_in = any(:carriers) and state = 'waiting'"
    " group by gathered_in"
)
_SHARE = text(
    "update deliveries d set state = c.state, reason = c.reason, at = c.at from deliveries c"
    " where c.id = any(:carriers) and d.gathered_in = c.id and d.state = 'waiting'"
)


def flooded(phones: Iterable[str], now: datetime) -> dict[str, datetime]:
    """The phones that have had enough for now, and until when."""
    asked = {"phones": [bare(one, PHO) for one in set(phones)], "since": now - WITHIN, "most": AT_MOST}
    return {public(row.phone_id, PHO): row.first + WITHIN for row in plain(_FLOODED, asked)}


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
        push_now(left[-1], late=True)


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
    found = plain(_COUNTS, {"carriers": [bare(one, DLV) for one in rows]})
    return {public(row.gathered_in, DLV): row.others + 1 for row in found}


def share(rows: Sequence[Delivery]) -> None:
    """What was gathered in these ends as they have; where one came too late, what is still news of it goes out after all."""
    late = [row.id for row in rows if row.reason == TOO_LATE.reason]
    ended = [row.id for row in rows if row.state != "waiting" and row.reason != TOO_LATE.reason]
    if ended:
        plain(_SHARE, {"carriers": [bare(one, DLV) for one in ended]})
    if late:
        _gather(_gathered_in(late))

"""Push out what waits: many at once, each tried again in its own time, by any number of workers.

Taken in one transaction, sent outside of any, settled in another. Whoever takes a push has it for `IN_HAND`; if that
worker is killed, the next one sends it again under the same message id, by which the app drops a repeat. Pushes to one
phone go one after the other, so that the last word stays; what is urgent goes before what other phones are to get.
"""

import random
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from flask import Flask, current_app
from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import aliased

from app.doors import Doors
from app.kit import clock
from app.kit.clock import real_now
from app.kit.db import release, session, transactional
from app.kit.keys import settings
from app.kit.listen import notices
from app.messages import fall_back, gather, parcel
from app.messages.channels import OUTBOX
from app.messages.models import Delivery
from app.messages.outcome import TOO_LATE, Outcome, write
from app.messages.parcel import Parcel
from app.people import phones
from app.people.models import Phone
from notifications.push import WITHIN_S, PhoneGone, PushError

log = structlog.get_logger(__name__)
BATCH, LOOK_S, PAUSE_S = 500, 1.0, 10.0
IN_HAND = timedelta(seconds=2.5 * WITHIN_S)
"""Longer than a batch takes, to apps and then to browsers: what is still in hand then is sent by another worker as well."""
FIRST_RETRY_S, LAST_RETRY_S, LONGEST_RETRY_S = 1, 300, 3600
"""Our own steps double up to five minutes; a service that names a time gets it, up to an hour."""
Came = Outcome | PushError
_EARLIER = aliased(Delivery)
_BEHIND = exists().where(
    _EARLIER.phone_id == Delivery.phone_id, _EARLIER.try_at.is_not(None), _EARLIER.id < Delivery.id
)
_WAITING = (
    select(Delivery)
    .where(Delivery.try_at <= bindparam("now"), ~_BEHIND)
    .order_by(Delivery.ahead.desc(), Delivery.try_at)
    .limit(bindparam("batch"))
    .with_for_update(skip_locked=True)
)


def run(app: Flask, stop: threading.Event) -> None:
    """Until stopped: woken when something is to be pushed, and each second for what is tried again."""
    with app.app_context():
        while not stop.is_set():
            try:
                for _ in notices(settings().listen_database_url, OUTBOX, LOOK_S, stop):
                    while not (stop.is_set() or push_out()):
                        # the service is away: it is asked with one batch now and then, not with all that waits
                        stop.wait(PAUSE_S)
                    release()
            except Exception as error:
                log.exception("pushes", error=repr(error))
                release()
                stop.wait(LOOK_S)


def push_out(*, batch: int = BATCH) -> bool:
    """Send what may go out now until nothing is left; False when the service would take none of a batch."""
    while (taken := _take(batch)) is not None:
        came = _send(taken)
        _settle(taken, came)
        if came and all(isinstance(one, PushError) and one.temporary for one in came):
            return False
    return True


def _send(parcels: Sequence[Parcel]) -> list[Came]:
    doors: Doors = current_app.extensions["glovebox"].doors
    if doors.push is None:
        return [Outcome("skipped", "no push door") for _ in parcels]
    came = doors.push.send_all([one.push for one in parcels])
    return [Outcome("sent") if isinstance(one, str) else one for one in came]


@transactional
def _take(batch: int) -> list[Parcel] | None:
    """The oldest push of each phone that may be tried now, urgent first, as it is to be sent; None when there is none."""
    now = real_now()
    rows = session.scalars(_WAITING, {"now": now, "batch": batch}).all()
    if not rows:
        return None
    for row in rows:
        row.attempts += 1
        row.try_at, row.tried_since = now + IN_HAND, row.tried_since or now
    parcels = parcel.of_all(rows)
    _follow(rows)
    return parcels


@transactional
def _settle(parcels: Sequence[Parcel], came: Sequence[Came]) -> None:
    """Write down what came of each, unless another worker has done so meanwhile."""
    ids = [one.delivery for one in parcels]
    taken = select(Delivery).where(Delivery.id.in_(ids), Delivery.state == "waiting").order_by(Delivery.id)
    rows = {row.id: row for row in session.scalars(taken.with_for_update())}
    now = clock.now()
    for one, result in zip(parcels, came, strict=True):
        row = rows.get(one.delivery)
        if row is None:
            continue
        if isinstance(result, Outcome):
            write(row, result, now)
        elif isinstance(result, PhoneGone):
            _gone(row, one, now)
        elif result.temporary:
            row.reason = type(result).__name__
            row.try_at = real_now() + _wait(row.attempts, getattr(result, "retry_after", None))
        else:
            log.warning("push refused", error=type(result).__name__)
            write(row, Outcome("failed", type(result).__name__), now)
    _follow(list(rows.values()))


def _follow(rows: Sequence[Delivery]) -> None:
    """What was gathered in those that have ended ends with them; what is urgent and reached no phone is mailed."""
    gather.share(rows)
    ended = [
        row.message_id
        for row in rows
        if row.state not in ("waiting", "sent") and row.reason != TOO_LATE.reason
    ]
    if ended:
        fall_back.without_phone(ended)


def _wait(attempts: int, named_s: float | None) -> timedelta:
    """Until the next try, never sooner than the service has named, and not with all others at once."""
    seconds = (
        min(named_s, LONGEST_RETRY_S) if named_s else min(FIRST_RETRY_S * 2 ** (attempts - 1), LAST_RETRY_S)
    )
    return timedelta(seconds=seconds * random.uniform(1.0, 1.2))  # noqa: S311 - no secret


def _gone(row: Delivery, sent: Parcel, now: datetime) -> None:
    """The address is dead; one that is new, or was registered again since the send began, gets the push as well."""
    phone = session.get(Phone, row.phone_id, with_for_update=True)
    if phone is not None and phone.revoked_at is None and phone.push is not None:
        if phone.push["address"] != sent.push.address or phone.seen_at >= sent.taken_at:
            row.try_at = real_now()
            return
        phones.gone(phone.id, sent.push.address)
    write(row, Outcome("gone"), now)

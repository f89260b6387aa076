"""An offline access grant for one's phone: what lets the driver in, and out, where neither car nor phone has signal.

It is issued when the phone asks, from a day before the start, and anew after each change: what nobody has fetched opens
nothing, keeps no slot and binds no cover. The cover is bound on condition first, in the same transaction.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.cars import box as boxes
from app.cars import companion
from app.cars.models import Car, Companion
from app.coverage import ahead
from app.facts import GrantIssued
from app.kit import clock, deadlines, facts, i18n
from app.kit.auth import Caller
from app.kit.db import new_id, session, transactional
from app.kit.keys import Purpose, ring
from app.people import phones
from app.people.models import Phone
from app.rentals import access, grants_out, readiness, revocations
from app.rentals.lifecycle import OUT, Role, State
from app.rentals.models import GRT, Grant, Rental
from app.rentals.readiness import Asked, Condition
from carbox.grant import LONGEST_GRANT_S, Right, b64, compressed, issue, key_id, rental_hash
from carbox.grant import Grant as Signed

AHEAD = timedelta(hours=24)
RIGHTS = Right.UNLOCK | Right.LOCK | Right.ENABLE_DRIVE | Right.END_RENTAL
ASKED_OF_UNLOCK = ("membership", "licence", "accepted", "payment", "cover", "safe", "clock")
"""What a grant must find as the unlock would; the rest is seen at the car alone."""


@transactional
def fetch(by: Caller, rental_id: str) -> dict[str, Any]:
    """The grant for this phone, with the box's key and what the phone should carry to the box.

    The same one as before where nothing has changed. Raises NotFound, NotAllowed, NotReady, NotInsurable.
    """
    car, rental, _ = access.locked_as(rental_id, by.person, Role.DRIVER)
    now = clock.now()
    beside = companion.of(boxes.live(car.id), lock=True)
    phone = session.get(Phone, by.phone) if by.phone else None
    readiness.require(_conditions(car, rental, beside, phone, by, now))
    assert beside is not None
    assert phone is not None
    not_before, not_after = _window(rental)
    found = _standing(rental, beside, phone, not_after) or _issue(
        car, rental, beside, phone, (not_before, not_after)
    )
    return {
        "grant": b64(found.data),
        "not_before": found.not_before,
        "not_after": found.not_after,
        "box_key": b64(beside.public_key),
        "revocations": revocations.to_carry(beside),
    }


def _window(rental: Rental) -> tuple[datetime, datetime]:
    """From the planned start to the planned end and the grace of the terms, in whole seconds as a grant has them."""
    starts = int(rental.from_at.timestamp())
    grace = timedelta(minutes=rental.terms["late_grace_min"])
    ends = min(math.ceil((rental.to_at + grace).timestamp()), starts + LONGEST_GRANT_S)
    return datetime.fromtimestamp(starts, UTC), datetime.fromtimestamp(ends, UTC)


def _conditions(
    car: Car, rental: Rental, beside: Companion | None, phone: Phone | None, by: Caller, now: datetime
) -> list[Condition]:
    """What stands in the way, in the words of readiness."""
    asked = Asked(by.person, by.phone, lock=True)
    not_before, not_after = _window(rental)
    good = phone is not None and phone.public_key is not None and readiness.phone_is_good(asked)
    given_up = grants_out.revoked_for(rental.id, "no_show") and rental.stands is State.BOOKED
    found = [
        Condition("state", rental.stands in (State.BOOKED, *OUT)),
        Condition("time", not_before - AHEAD <= now < not_after and not given_up),
        Condition("capability", beside is not None),
        Condition("phone", good and not by.suspended),
    ]
    if rental.stands is State.BOOKED:
        at_start = readiness.of(car, rental, "unlock", max(now, rental.from_at), asked)
        found += [one for one in at_start if one.code in ASKED_OF_UNLOCK]
    return [_with_remedy(one) for one in found]


def _with_remedy(one: Condition) -> Condition:
    if one.met or one.code in ASKED_OF_UNLOCK:
        return one
    return Condition(one.code, met=False, remedy=i18n.say(f"condition.grant.{one.code}"))


def _standing(rental: Rental, beside: Companion, phone: Phone, not_after: datetime) -> Grant | None:
    """The grant this phone was given, if it is still what it would be given now."""
    found: Grant | None = session.scalars(
        select(Grant)
        .where(
            Grant.rental_id == rental.id,
            Grant.phone_id == phone.id,
            Grant.box_id == beside.box_id,
            Grant.not_after == not_after,
            Grant.floor == beside.floor,
            Grant.kid == ring().signing(Purpose.GRANTS).kid,
            Grant.revoked_at.is_(None),
            Grant.dead_at.is_(None),
        )
        .order_by(Grant.id.desc())
        .limit(1)
    ).first()
    return found


def _issue(
    car: Car, rental: Rental, beside: Companion, phone: Phone, window: tuple[datetime, datetime]
) -> Grant:
    """First the cover, then the grant."""
    out = max(window[1] + grants_out.EDGE, grants_out.until(rental.id) or window[1])
    ahead.bind(grants_out.trip(car, rental), max(rental.from_at, clock.now()), out)
    key, made_id = ring().signing(Purpose.GRANTS), new_id(GRT)
    assert phone.public_key is not None
    signed = Signed(
        issuer_key_id=key_id(key.public),
        grant_id=bytes.fromhex(made_id.removeprefix(f"{GRT}_")),
        box_id=beside.hardware_id,
        rental_hash=rental_hash(rental.id),
        holder_key=compressed(phones.public_key(phone.public_key)),
        rights=RIGHTS,
        not_before=int(window[0].timestamp()),
        not_after=int(window[1].timestamp()),
        revocation_floor=beside.floor,
    )
    made = Grant(
        id=made_id,
        rental_id=rental.id,
        box_id=beside.box_id,
        phone_id=phone.id,
        kid=key.kid,
        floor=beside.floor,
        not_before=window[0],
        not_after=window[1],
        data=issue(key.private, signed),
        issued_at=clock.again(),
    )
    session.add(made)
    session.flush()
    deadlines.at("grant", rental.id, out)
    facts.record(GrantIssued(rental=rental.id, grant=made.id, phone=phone.id, not_after=window[1]))
    return made

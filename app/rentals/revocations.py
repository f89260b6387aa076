"""The list of dead grants for a box: what the phones carry to it, and what follows when the box has taken it."""

from sqlalchemy import func, select

from app.cars.models import Box, Car, Companion
from app.kit import clock
from app.kit.db import Big, session
from app.kit.keys import Key, Purpose, ring
from app.rentals import access, grants_out
from app.rentals.models import Grant, OfflineReceipt
from carbox.grant import b64, compressed, key_id
from carbox.revocations import Acknowledgement, Revocations, issue_revocations


def to_carry(beside: Companion) -> str | None:
    """The newest list for a box, base64url; None where the box goes by it already. The caller holds the companion's row."""
    signing, following = ring().live(Purpose.GRANTS)[:2]
    if following.kid != beside.next_kid:
        beside.serial, beside.next_kid = beside.serial + 1, following.kid
        session.flush()
    if beside.acked_serial >= beside.serial:
        return None
    return b64(_signed(beside, signing, following))


def _signed(beside: Companion, key: Key, following: Key) -> bytes:
    numbers = tuple(sorted(one.number for one in grants_out.listed(beside)))
    found = Revocations(
        issuer_key_id=key_id(key.public),
        box_id=beside.hardware_id,
        serial=beside.serial,
        floor=beside.floor,
        next_issuer=compressed(following.public),
        grant_ids=numbers,
    )
    return issue_revocations(key.private, found)


def acknowledge(beside: Companion, found: Acknowledgement) -> str:
    """The box goes by a list: accepted, duplicate, or invalid where we never made that list. The caller holds the car."""
    if found.serial > beside.serial:
        return "invalid"
    if found.serial <= beside.acked_serial:
        return "duplicate"
    beside.acked_serial, beside.acked_sequence = found.serial, Big(found.sequence)
    session.flush()
    bury(beside)
    return "accepted"


def bury(beside: Companion) -> None:
    """What the box acknowledged is dead, once every receipt it wrote before is here: one may have opened the car."""
    known = session.execute(
        select(func.count())
        .select_from(OfflineReceipt)
        .where(OfflineReceipt.box_id == beside.box_id, OfflineReceipt.sequence <= beside.acked_sequence)
    ).scalar_one()
    if known < beside.acked_sequence:
        return
    below = beside.floor if beside.acked_serial == beside.serial else 0
    dying = session.scalars(
        select(Grant).where(
            Grant.box_id == beside.box_id,
            Grant.dead_at.is_(None),
            (Grant.revoked_serial <= beside.acked_serial) | (Grant.floor < below),
        )
    ).all()
    for one in dying:
        one.dead_at = clock.now()
    session.flush()
    for rental_id in sorted({one.rental_id for one in dying}):
        grants_out.none_left(access.locked(rental_id)[1])


def car_of(beside: Companion) -> Car:
    """The car a companion stands in, locked."""
    box = session.get_one(Box, beside.box_id)
    return session.get_one(Car, box.car_id, with_for_update=True, populate_existing=True)

"""What boxes signed while nobody could hear them: taken from whoever brings it, in any order, any number of times.

A record is the box's own signed word, so it does not matter who carries it. Receipts become custody, cover and meter in
the order of their sequence: one that is missing holds back what came after it, for an hour at most.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from app.cars import companion
from app.cars.models import Box, Car, Companion
from app.facts import CoverClosed, ReceiptsMissing
from app.kit import clock, deadlines, facts
from app.kit.clock import z
from app.kit.db import Big, session, transactional
from app.rentals import access, offline_use, revocations
from app.rentals.models import Grant, OfflineReceipt, Rental
from carbox.grant import BadGrant, Right, public_key, unb64
from carbox.grant_exchange import RECEIPT_BYTES, Receipt, read_receipt
from carbox.revocations import Acknowledgement, read_acknowledgement

ACCEPTED, DUPLICATE, INVALID = "accepted", "duplicate", "invalid"
MISSING_FOR = timedelta(hours=1)
"""So long a gap in a box's receipts is waited for: what is missing may be the unlock itself."""
OPERATIONS = {
    Right.UNLOCK: "unlock",
    Right.LOCK: "lock",
    Right.ENABLE_DRIVE: "enable_drive",
    Right.END_RENTAL: "end_rental",
}
FURTHEST_KM = 10**7
LATEST = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a record, and the box whose it is, where its signature is good."""

    result: str
    box_id: str | None = None


def upload(person: str, texts: list[str]) -> list[str]:
    """What became of each record that a phone brings, in their order: accepted, duplicate or invalid."""
    return [_take(person, text).result for text in texts]


def upload_by_box(texts: list[str]) -> tuple[list[str], str | None]:
    """The same from a companion with a network of its own, and the newest list of revocations for it.

    It is known by its signature alone. Who repeats an old record of its learns a list of numbers that open nothing.
    """
    taken = [_take(None, text) for text in texts]
    boxes = {one.box_id for one in taken if one.box_id is not None}
    return [one.result for one in taken], _list_for(boxes.pop()) if len(boxes) == 1 else None


@transactional
def _list_for(box_id: str) -> str | None:
    beside = session.get_one(Companion, box_id)
    revocations.car_of(beside)
    session.refresh(beside, with_for_update=True)
    return revocations.to_carry(beside)


def _take(person: str | None, text: str) -> Taken:
    try:
        data = unb64(text)
        found = read_receipt(data) if len(data) == RECEIPT_BYTES else read_acknowledgement(data)
    except BadGrant:
        return Taken(INVALID)
    return _keep(person, found)


@transactional
def _keep(person: str | None, found: Receipt | Acknowledgement) -> Taken:
    """One record, in a transaction of its own: what follows from it is done or will be, whatever the next one holds."""
    beside = companion.by_hardware_id(found.box_id)
    if beside is None or not found.is_from(public_key(beside.public_key)):
        return Taken(INVALID)
    car = revocations.car_of(beside)
    session.refresh(beside, with_for_update=True)
    if isinstance(found, Acknowledgement):
        return Taken(revocations.acknowledge(beside, found), beside.box_id)
    return Taken(_keep_receipt(person, car, beside, found), beside.box_id)


def _keep_receipt(person: str | None, car: Car, beside: Companion, found: Receipt) -> str:
    """A grant we never gave out, for another box, or a number the box has used for something else: invalid."""
    grant = session.get(Grant, f"grt_{found.grant_id.hex()}")
    if grant is None or grant.box_id != beside.box_id or not found.sequence:
        return INVALID
    known = session.get(OfflineReceipt, (beside.box_id, Big(found.sequence)))
    if known is not None:
        return DUPLICATE if known.data[: len(found.body())] == found.body() else INVALID
    session.add(
        OfflineReceipt(
            box_id=beside.box_id,
            sequence=Big(found.sequence),
            grant_id=grant.id,
            rental_id=grant.rental_id,
            operation=OPERATIONS[found.operation],
            box_time=_instant(found.box_time),
            locked=found.locked,
            odometer_km=min(found.odometer_km, FURTHEST_KM),
            data=found.encode(),
            received_at=clock.again(),
            received_from=person,
        )
    )
    box = session.get_one(Box, beside.box_id, with_for_update=True, populate_existing=True)
    box.capabilities = {**box.capabilities, "grant": {"seen_at": z(clock.now()), "evidence": "strong"}}
    session.flush()
    settle(car, beside)
    return ACCEPTED


def _instant(seconds: int) -> datetime:
    """A box whose clock is nonsense claims nonsense; the claim is kept as near as a date can be."""
    return datetime.fromtimestamp(min(seconds, int(LATEST.timestamp())), UTC)


def settle(car: Car, beside: Companion) -> None:
    """Let what has waited become custody, cover and meter, in the order of the box. The caller holds car and companion."""
    for row in _waiting(beside):
        after = beside.settled_sequence
        missing = row.sequence > after + 1
        if missing and _wait_for_more(row):
            break
        if not offline_use.apply(car, access.locked(row.rental_id)[1], row):
            break
        if missing:
            facts.record(
                ReceiptsMissing(row.box_id, row.rental_id, after=int(after), before=int(row.sequence))
            )
        beside.settled_sequence = max(after, row.sequence)
        session.flush()
    revocations.bury(beside)


def _waiting(beside: Companion) -> list[OfflineReceipt]:
    return list(
        session.scalars(
            select(OfflineReceipt)
            .where(OfflineReceipt.box_id == beside.box_id, OfflineReceipt.at.is_(None))
            .order_by(OfflineReceipt.sequence)
        )
    )


def _wait_for_more(row: OfflineReceipt) -> bool:
    """Whether what is missing before it may still come; then it is looked at again when it no longer may."""
    last = row.received_at + MISSING_FOR
    if clock.now() >= last:
        return False
    deadlines.at("receipts", row.box_id, last)
    return True


@transactional
def due(box_id: str) -> None:
    """What is missing was waited for."""
    _settle_box(box_id)


@transactional
def on_closed(fact: CoverClosed) -> None:
    """The next driver's receipts may have waited until this one had given the car back."""
    _settle_car(session.get_one(Rental, fact.rental).car_id)


def _settle_car(car_id: str) -> None:
    statement = (
        select(OfflineReceipt.box_id)
        .join(Box, Box.id == OfflineReceipt.box_id)
        .where(Box.car_id == car_id, OfflineReceipt.at.is_(None))
    )
    for box_id in sorted(set(session.scalars(statement))):
        _settle_box(box_id)


def _settle_box(box_id: str) -> None:
    beside = session.get_one(Companion, box_id)
    car = revocations.car_of(beside)
    session.refresh(beside, with_for_update=True)
    settle(car, beside)

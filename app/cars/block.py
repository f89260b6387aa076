"""Blocks: spans in which the owner does not offer the car."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app.cars import access, occupancy
from app.cars.calendar_models import Block
from app.kit import clock
from app.kit.db import new_id, session, transactional
from app.kit.errors import NotFound, Validation

LONGEST = timedelta(days=366)


def _refuse(body: dict[str, Any]) -> None:
    if not body["from_at"] < body["to_at"] <= body["from_at"] + LONGEST:
        raise Validation(
            errors=[{"pointer": "/to", "code": "invalid", "detail": "After `from`, at most a year later."}]
        )


@transactional
def add(person: str, car: str, body: dict[str, Any]) -> Block:
    """Block a span. Raises CarTaken where something is booked."""
    _refuse(body)
    found = access.may_run(car, person, lock=True)
    row = Block(
        id=new_id("blk"),
        car_id=found.id,
        from_at=body["from_at"],
        to_at=body["to_at"],
        kind=body["kind"],
        note=body.get("note"),
        changed_at=clock.now(),
    )
    session.add(row)
    session.flush()
    occupancy.shrink_buffers(found, row.from_at, row.to_at)
    occupancy.occupy(found, "block", row.id, row.from_at, row.to_at)
    return row


def find(car: str, block: str) -> Block:
    row = session.get(Block, block)
    if row is None or row.car_id != car:
        raise NotFound
    return row


@transactional
def change(person: str, car: str, block: str, body: dict[str, Any], check: Callable[[Block], None]) -> Block:
    """Move or rename a block. Raises CarTaken."""
    found = access.may_run(car, person, lock=True)
    row = find(car, block)
    check(row)
    _refuse({"from_at": row.from_at, "to_at": row.to_at, **body})
    for name, value in body.items():
        setattr(row, name, value)
    row.changes, row.changed_at = row.changes + 1, clock.now()
    session.flush()
    occupancy.vacate(row.id)
    occupancy.shrink_buffers(found, row.from_at, row.to_at)
    occupancy.occupy(found, "block", row.id, row.from_at, row.to_at)
    return row


@transactional
def remove(person: str, car: str, block: str) -> None:
    access.may_run(car, person, lock=True)
    occupancy.vacate(block)
    session.delete(find(car, block))

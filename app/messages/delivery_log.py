"""Who of a rental was told of its facts, how, and when they had it and opened it: "told at 14:02, opened 14:05"."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.kit.db import session
from app.messages import words
from app.messages.models import Delivery, Message
from app.rentals.models import Rental

SIDES = ("driver", "owner", "named", "next_driver")
_OF_THE_NAMED = ("driver_named", "driver_taken_off")
"""What is told to who may drive beside the driver."""

_OF_WHO_WAITS = ("rental_late.next_driver", "late_forecast.next_driver")
"""What is told, of a rental, to the driver of the one after it."""


def of(
    rental: Rental, seqs: Sequence[int], language: str, *, to_owner: bool
) -> dict[int, list[dict[str, Any]]]:
    """Per fact those who were told of it, in the order they were; who drives next is for the owner alone to see."""
    shown = Message.rental_id == rental.id
    if to_owner:
        shown |= Message.kind.in_(_OF_WHO_WAITS)
    told = select(Message).where(Message.fact_seq.in_(seqs), shown)
    messages = session.scalars(told.order_by(Message.id)).all()
    by = ways([one.id for one in messages])
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for one in messages:
        sent = [way.at for way in by[one.id] if way.state == "sent"]
        found[one.fact_seq].append(
            {
                "to": _side(one, rental),
                "first_name": words.first_name(str(one.person_id), language),
                "told_at": min(sent, default=None),
                "received_at": one.received_at,
                "opened_at": one.read_at,
                "deliveries": by[one.id],
            }
        )
    return found


def first(told: Sequence[dict[str, Any]], what: str) -> datetime | None:
    """When it first came to that, on either side of the rental."""
    found = (one[what] for one in told if one["to"] != "next_driver")
    return min((at for at in found if at is not None), default=None)


def ways(messages: Sequence[str]) -> dict[str, list[Delivery]]:
    """The deliveries of each message."""
    found: dict[str, list[Delivery]] = defaultdict(list)
    rows = select(Delivery).where(Delivery.message_id.in_(messages)).order_by(Delivery.id)
    for row in session.scalars(rows):
        found[row.message_id].append(row)
    return found


def _side(message: Message, rental: Rental) -> str:
    if message.rental_id != rental.id:
        return "next_driver"
    if message.person_id == rental.driver_id:
        return "driver"
    return "named" if message.kind in _OF_THE_NAMED else "owner"

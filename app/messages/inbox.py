"""The inbox: what a person was told, in the reader's language; the reliable copy of every push."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.communities.invite import code_of, state_of
from app.communities.models import Invitation
from app.kit import clock, deadlines, http, i18n
from app.kit.db import session, transactional
from app.kit.errors import NotFound
from app.kit.facts import FactRow
from app.kit.http import Page
from app.messages import delivery_log, words
from app.messages.kinds import KINDS, SECRET
from app.messages.models import Delivery, Message
from app.rentals import alternatives, close, waits
from app.rentals.models import Rental
from app.rentals.wait_models import Wait

COVERED_ON = "covered on"
"""Closed by hand, and the driver may still say otherwise."""
_ANOTHER_CAR = (("alternatives", ("booked",)), ("swap", ("booked",)))
_STEPS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "rental_asked.owner": (("approve", ("requested",)), ("decline", ("requested",))),
    "extension_asked.owner": (
        ("extension/approve", ("booked", "active")),
        ("extension/decline", ("booked", "active")),
    ),
    "rental_booked.driver": (("cancel", ("booked",)),),
    "rental_approved.driver": (("cancel", ("booked",)),),
    "rental_about_to_start.driver": (("unlock", ("booked",)),),
    "rental_unlocked.driver": (("lock", ("active",)),),
    "unlock_failed.driver": (("unlock", ("booked",)),),
    "unlock_unknown.driver": (("unlock", ("unlocking", "active")),),
    "lock_unknown.driver": (("lock", ("active", "locking")),),
    "lock_refused.driver": (("lock", ("active",)),),
    "rental_paused.driver": (("unlock", ("active",)),),
    "rental_paused_weak.driver": (("unlock", ("active",)),),
    "rental_late.driver": (("lock", ("active",)), ("late", ("unlocking", "active", "locking"))),
    "booked_at_risk.driver": _ANOTHER_CAR,
    "start_at_risk.driver": (("alternatives", ("booked",)),),
    "rental_late.next_driver": _ANOTHER_CAR,
    "late_forecast.next_driver": _ANOTHER_CAR,
    "rental_swapped.driver": (("cancel", ("booked",)),),
    "rental_closed_by_hand.driver": (("still-have-it", ("unlocking", "active", "locking", COVERED_ON)),),
    "payment_failed.driver": (("payments", ()),),
    "payment_action_required.driver": (("payments", ()),),
    "receipt_ready": (("receipt", ()),),
    **{
        kind: (("charge-requests", ()),)
        for kind in KINDS
        if kind.startswith("charge_") and kind.endswith((".driver", ".owner"))
    },
}
"""Kind -> (step below the rental, the states in which it makes sense; none: always)."""


def of(person: str, *, unread: bool | None, limit: int, cursor: str | None) -> Page:
    """A page of a person's messages, newest first; those with a code are for the mailbox alone."""
    mine = select(Message).where(Message.person_id == person, Message.kind.not_in(SECRET))
    if unread is not None:
        mine = mine.where(Message.read_at.is_(None) if unread else Message.read_at.is_not(None))
    page = http.page(mine, Message.id, limit=limit, cursor=cursor)
    new = [one for one in page.items if one.received_at is None]
    if new:
        now = _handed_out([one.id for one in new])
        for one in new:
            one.received_at = now
    return Page(_shown(page.items), page.next_cursor)


@transactional
def read(person: str, message: str) -> None:
    """The person has opened it; the first time counts. Raises NotFound for another's."""
    found = _own(person, message)
    found.read_at = found.read_at or clock.now()
    _take_in(found, clock.now())


@transactional
def received(person: str, message: str) -> None:
    """Their app has it, whether or not anybody has looked. Raises NotFound for another's."""
    _take_in(_own(person, message), clock.now())


def _own(person: str, message: str) -> Message:
    found = session.get(Message, message, with_for_update=True)
    if found is None or found.person_id != person or found.kind in SECRET:
        raise NotFound
    return found


@transactional
def _handed_out(messages: Sequence[str]) -> datetime:
    """An app that has asked for them has them; returns since when."""
    now = clock.now()
    rows = select(Message).where(Message.id.in_(messages)).order_by(Message.id)
    for one in session.scalars(rows.with_for_update()):
        _take_in(one, now)
    return now


def _take_in(message: Message, now: datetime) -> None:
    """It has come, and needs no mail any more."""
    if message.received_at is None:
        message.received_at = now
        deadlines.drop(message.id, "mail_after")


def _shown(messages: Iterable[Message]) -> list[dict[str, Any]]:
    rows = list(messages)
    deliveries = delivery_log.ways([one.id for one in rows])
    states = _states([one.rental_id for one in rows if one.rental_id])
    language = i18n.reader()
    return [_one(row, language, deliveries[row.id], states.get(row.rental_id or "")) for row in rows]


def _one(message: Message, language: str, deliveries: list[Delivery], state: str | None) -> dict[str, Any]:
    text = words.of(message.kind, message.params, language)
    return {
        "id": message.id,
        "kind": message.kind,
        "title": text.title,
        "body": text.body,
        "rental": message.rental_id,
        "actions": _actions(message, state, language),
        "urgent": message.urgent,
        "at": message.made_at,
        "received_at": message.received_at,
        "read_at": message.read_at,
        "deliveries": deliveries,
    }


def _actions(message: Message, state: str | None, language: str) -> list[dict[str, str]]:
    """What the reader may do about it now."""
    if message.kind in ("invited", "invited_again"):
        return _answers(message.params["link"], language)
    if message.kind == "licence_refused.driver":
        return [{"label": i18n.say("step.licence", language), "link": "/v1/me/licence"}]
    if message.kind == "car_free_again":
        return _offer(message, language)
    if message.kind == "start_at_risk.driver" and not _lies_with_the_car(message):
        return []
    return [
        {
            "label": i18n.say(f"step.{step.rpartition('/')[2]}", language),
            "link": f"/v1/rentals/{message.rental_id}/{step}",
        }
        for step, states in _STEPS.get(message.kind, ())
        if not states or state in states
    ]


def _answers(invitation: str, language: str) -> list[dict[str, str]]:
    found = session.get(Invitation, invitation)
    if found is None or state_of(found, clock.now()) != "open":
        return []
    url = f"/v1/invitations/{code_of(invitation)}"
    steps = ("accept", "decline")
    return [{"label": i18n.say(f"step.{step}", language), "link": f"{url}/{step}"} for step in steps]


def _offer(message: Message, language: str) -> list[dict[str, str]]:
    """What is held for who has waited, while it may be booked: its quote is in their wait."""
    wait = session.get(Wait, _said(message)["wait"])
    until = waits.answer_by(wait) if wait is not None else None
    if wait is None or until is None or until <= clock.now():
        return []
    return [{"label": i18n.say("step.offer", language), "link": f"/v1/me/waits/{wait.id}"}]


def _lies_with_the_car(message: Message) -> bool:
    """Whether another car would help."""
    codes = set(_said(message)["codes"].split(","))
    return not codes.isdisjoint(alternatives.OF_THE_CAR | {"car_back"})


def _said(message: Message) -> dict[str, Any]:
    """The fact that the message tells of."""
    return session.get_one(FactRow, message.fact_seq).data


def _states(rentals: list[str]) -> dict[str, str]:
    rows = session.scalars(select(Rental).where(Rental.id.in_(rentals)))
    return {row.id: COVERED_ON if close.is_covered_on(row) else row.state for row in rows}

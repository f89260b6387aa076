"""A mail after all, once: where no phone could be reached, or none has shown a receipt of an urgent message in time."""

from collections.abc import Iterable

from sqlalchemy import exists, select

from app.kit.db import session, transactional
from app.messages import preferences
from app.messages.channels import mail_after_all
from app.messages.kinds import KINDS
from app.messages.models import Delivery, Message
from app.people.models import Person

_FALLING = frozenset(name for name, kind in KINDS.items() if kind.mail_after is not None)


@transactional
def due(message: str) -> None:
    """The time in which the app shows that it has the message is over."""
    found = session.get(Message, message)
    if found is not None and found.received_at is None:
        _mail(found)


def without_phone(messages: Iterable[str]) -> None:
    """Their pushes have ended: whoever is left without one that went out, or may yet, is mailed at once."""
    on_its_way = exists().where(
        Delivery.message_id == Message.id,
        Delivery.channel == "push",
        Delivery.state.in_(("waiting", "sent")),
    )
    left = select(Message).where(
        Message.id.in_(set(messages)), Message.kind.in_(_FALLING), Message.received_at.is_(None), ~on_its_way
    )
    for one in session.scalars(left):
        _mail(one)


def _mail(message: Message) -> None:
    reader = session.get(Person, message.person_id)
    if reader is None or reader.erased_at is not None:
        return
    if "mail" in preferences.of(reader).channels_of(message.kind):
        mail_after_all(message)

"""What a message keeps: ids, instants, amounts. Names are looked up and codes and URLs recomputed when it is read."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app.cars import box as boxes
from app.communities.models import Invitation
from app.kit.clock import z
from app.kit.db import session
from app.messages.about import About, amount_of, share_of
from app.messages.scene import Scene
from app.people import codes
from app.people.models import Person

_SHARES = ("payment_done.owner", "payment_disputed.owner")
OBJECTION = timedelta(minutes=15)
"""How long a driver may say "I still have it" after the owner closed by hand."""


def fill(kind: str, names: tuple[str, ...], scene: Scene, person: str | None) -> dict[str, Any]:
    """A value for each name the kind's sentence needs."""
    found = {name: _SOURCES[name](scene) for name in names if name not in ("zone", "amount")}
    if "zone" in names:
        found["zone"] = _zone(scene, person)
    if "amount" in names:
        found["amount"] = _share(scene) if kind in _SHARES else _amount(scene)
    return found


def _zone(scene: Scene, person: str | None) -> str:
    """The car's, and where no car is concerned the reader's or the inviter's."""
    if scene.car is not None:
        return scene.car.time_zone
    return session.get_one(Person, person or scene.fact.by).time_zone


def _rental(scene: Scene) -> About:
    assert scene.rental is not None
    return scene.rental


def _owner(scene: Scene) -> str:
    """The owner who acted, else the first."""
    owners = _rental(scene).owners
    actor = scene.said("approved_by") or scene.said("by")
    return str(actor if actor in owners or not owners else owners[0])


def _to(scene: Scene) -> str:
    return z(scene.said("to") or scene.said("to_at") or _rental(scene).to_at)


def _at(scene: Scene) -> str:
    return z(scene.said("at") or scene.said("back_at") or scene.at)


def _price(scene: Scene) -> dict[str, Any]:
    known = _rental(scene).total
    total = scene.said("total")
    return {"amount": total or 0, "currency": scene.said("currency") or known["currency"]}


def _amount(scene: Scene) -> dict[str, Any]:
    amount = scene.said("amount")
    if amount is not None:
        return {"amount": amount, "currency": scene.fact.currency}
    return amount_of(scene.fact.payment)


def _share(scene: Scene) -> dict[str, Any]:
    found = share_of(scene.fact.payment)
    assert found is not None
    return found


def has_share(scene: Scene) -> bool:
    return share_of(scene.fact.payment) is not None


def _answer_by(scene: Scene) -> str:
    """By when one must speak: as the fact says, else the objection to a close by hand."""
    until = scene.said("answer_by") or scene.said("appeal_by")
    return z(until or scene.fact.at + OBJECTION)


def _since(scene: Scene) -> str:
    box = boxes.live(scene.fact.car)
    heard = box.last_heard_at if box else None
    return z(scene.said("since") or heard or scene.at)


def _expires_at(scene: Scene) -> str:
    return z(session.get_one(Invitation, scene.fact.invitation).expires_at)


def _reason(scene: Scene) -> str:
    """Not the words: where they are. A charge request, the driver's licence, the unmet conditions of a lock or a start."""
    if scene.said("charge_request") is not None:
        return f"{scene.fact.charge_request}:{scene.fact.kind}:{scene.said('final') or False}"
    codes, reasons = scene.said("codes"), scene.said("reasons")
    if codes is not None:
        return f"start:{codes}"
    return f"lock:{reasons}" if reasons is not None else str(scene.fact.person)


_SOURCES: dict[str, Callable[[Scene], Any]] = {
    "inviter": lambda scene: scene.fact.by,
    "sender": lambda scene: scene.fact.by,
    "member": lambda scene: scene.fact.person,
    "community": lambda scene: scene.said("community") or scene.fact.person,
    "owner": _owner,
    "driver": lambda scene: _rental(scene).driver,
    "car": lambda scene: scene.car.id if scene.car else None,
    "from": lambda scene: z(scene.said("from_at") or _rental(scene).from_at),
    "to": _to,
    "at": _at,
    "answer_by": _answer_by,
    "expires_at": _expires_at,
    "price": _price,
    "charge": lambda scene: scene.fact.percent,
    "since": _since,
    "minutes": lambda scene: scene.said("ahead_min") or codes.LIVES // timedelta(minutes=1),
    "code": lambda scene: scene.fact.code,
    "email": lambda scene: scene.fact.code,
    "link": lambda scene: scene.said("invitation") or scene.fact.rental,
    "phone": lambda scene: scene.said("phone") or scene.fact.session,
    "reason": _reason,
    "country": lambda scene: scene.fact.country,
}

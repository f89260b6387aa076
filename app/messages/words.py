"""A message put into words: names are looked up, codes and URLs recomputed, then the catalogue writes the sentence."""

from collections.abc import Callable, Mapping
from datetime import datetime
from textwrap import shorten
from typing import Any

from sqlalchemy import select

from app.cars.models import Car
from app.communities import invite
from app.communities.models import Community
from app.kit import i18n, locales
from app.kit.db import session
from app.kit.keys import settings
from app.messages.about import label
from app.messages.kinds import OWN
from app.people import codes
from app.people.models import EmailCode, Licence, Person, Phone, Session
from app.rentals import start_check, swap
from notifications import catalogue
from notifications.catalogue import Text
from notifications.kinds import SHAPES

START = frozenset((*start_check.CODES, swap.MISSING))
"""What may stand in the way of a start, each with a line for the owner; the driver reads the remedy of the unlock."""
LOCK = ("state", "command", "box", "doors", "ignition", "keys", "place", "plugged", "photos", "reachable")
"""The conditions of a lock, each with a remedy in `app/kit/texts`."""


def of(kind: str, params: Mapping[str, Any], language: str, *, quoting: bool = True) -> Text:
    """Title and body in the reader's language (BCP 47). Without `quoting` neither what somebody wrote stands in it nor the
    code of an invitation.
    """
    filled = {name: _value(kind, name, value, i18n.pick(language)) for name, value in params.items()}
    if not quoting and "reason" in params:
        filled["reason"] = _unquoted(params["reason"], filled["reason"], i18n.pick(language))
    if not quoting and str(params.get("link", "")).startswith("inv_"):
        filled["link"] = i18n.say("link.in_app", i18n.pick(language))
    if kind in OWN:
        title, body = f"message.{kind}.title", f"message.{kind}.body"
        base = i18n.pick(language)
        return Text(i18n.say(title, base, **filled), i18n.say(body, base, **filled))
    return catalogue.render(kind, language, filled)


def of_many(count: int, newest: Text, language: str) -> Text:
    """What a push says that stands for so many messages."""
    base = i18n.pick(language)
    body = i18n.say("gathered.body", base, title=newest.title)
    return Text(i18n.say("gathered.title", base, count=count), body)


def _value(kind: str, name: str, value: Any, language: str) -> Any:
    if name == "zone":
        return value
    if SHAPES[name] == "instant":
        return datetime.fromisoformat(value)
    if name == "phone":
        return device(value, language, own=kind == "phone_confirm")
    if name == "reason" and value.startswith("start:"):
        return _start_lines(value.removeprefix("start:"), language, owner=kind.endswith(".owner"))
    resolve = _NAMES.get(name)
    return resolve(value, language) if resolve else value


def first_name(person: str, language: str) -> str:
    """To others a person is a first name; one that is erased is somebody."""
    found = session.get(Person, person)
    if found is None or found.erased_at is not None:
        return i18n.say("person.somebody", language)
    return found.first_name


def _community(community: str, language: str) -> str:
    found = session.get(Community, community)
    return found.name if found else i18n.say("community.gone", language)


def _car(car: str, language: str) -> str:
    found = session.get(Car, car)
    return label(found) if found else i18n.say("car.gone", language)


def device(ref: str, language: str, *, own: bool = False) -> str:
    """A phone, or what is known of the installation of a sign-in."""
    known = session.get(Phone, ref) if ref.startswith("pho_") else _phone_of(ref)
    platform = known.platform if known else "new"
    return i18n.say(f"phone.this.{platform}" if own else f"phone.{platform}", language)


def _phone_of(sign_in: str) -> Phone | None:
    found = session.get(Session, sign_in)
    if found is None:
        return None
    phone: Phone | None = session.scalars(
        select(Phone).where(Phone.person_id == found.person_id, Phone.installation == found.installation)
    ).first()
    return phone


def _new_address(code: str, language: str) -> str:
    del language
    found = session.get(EmailCode, code)
    return (found.subject if found else None) or ""


SAID: list[Callable[[str], str | None]] = []
"""Who knows what somebody said of a charge request, by where the words are; the factory fills it."""
AT_MOST = 160
"""Characters of what somebody wrote that fit into a message; all of it is in the app."""


def _reason(ref: str, language: str) -> str:
    """Where the words are: a charge request's, `lock:` and the codes of what is unmet, or whose licence was refused."""
    if ref.startswith("chr_"):
        found = next((words for ask in SAID if (words := ask(ref))), None)
        return shorten(found, AT_MOST, placeholder="…") if found else i18n.say("reason.unsaid", language)
    if ref.startswith("lock:"):
        lines = [_lock_remedy(code.strip(), language) for code in ref.removeprefix("lock:").split(",")]
        return " ".join(dict.fromkeys(lines))
    licence = session.get(Licence, ref)
    return (licence.refused_reason if licence else None) or i18n.say("reason.licence", language)


def _unquoted(ref: str, said: str, language: str) -> str:
    """The words of a charge request or of who refused a licence are for the app; remedies of ours may stand."""
    if ref.startswith("chr_"):
        return "…"
    return said if ref.startswith(("lock:", "start:")) else i18n.say("reason.licence", language)


def _start_lines(codes: str, language: str, *, owner: bool) -> str:
    """What stands in the way: to the driver what to do about it, to the owner what it is."""
    key = "risk.owner" if owner else "condition.unlock"
    known = [code for code in codes.split(",") if code in START]
    return " ".join(i18n.say(f"{key}.{code}", language) for code in known)


def _lock_remedy(code: str, language: str) -> str:
    return i18n.say(f"condition.lock.{code}" if code in LOCK else "reason.lock", language)


def link_of(ref: str, language: str = "") -> str:
    """The URL of an invitation (with its code) or of a rental's receipt."""
    del language
    if ref.startswith("inv_"):
        return invite.url_of(ref)
    return f"{settings().public_url}/v1/rentals/{ref}/receipt"


def _digits(code: str, language: str) -> str:
    del language
    return codes.digits(code)


def _country(code: str, language: str) -> str:
    return str(locales.locale_of(language, None).territories.get(code, code))


_NAMES: dict[str, Callable[[str, str], str]] = {
    "inviter": first_name,
    "member": first_name,
    "owner": first_name,
    "driver": first_name,
    "community": _community,
    "car": _car,
    "email": _new_address,
    "reason": _reason,
    "link": link_of,
    "code": _digits,
    "country": _country,
}

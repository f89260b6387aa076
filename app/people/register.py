"""Register and confirm the e-mail address; a known address and an unknown one answer alike."""

import unicodedata
from collections.abc import Callable
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.facts import EmailCodeIssued, EmailConfirmed, PersonRegistered, RegisteredAgain
from app.kit import facts
from app.kit.clock import real_now
from app.kit.db import session, transactional
from app.kit.errors import Validation
from app.people import codes
from app.people.models import Licence, Person

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
ZONE_OF = {
    "FR": "Europe/Paris",
    "DE": "Europe/Berlin",
    "BE": "Europe/Brussels",
    "IT": "Europe/Rome",
    "ES": "Europe/Madrid",
    "PT": "Europe/Lisbon",
    "NL": "Europe/Amsterdam",
    "AT": "Europe/Vienna",
    "GB": "Europe/London",
    "CH": "Europe/Zurich",
}


def email_key(email: str) -> str:
    """What makes two addresses one account."""
    return unicodedata.normalize("NFKC", email).casefold()


def hash_password(password: str) -> str:
    """argon2id with OWASP's second set of parameters: 19 MiB, two passes."""
    return _hasher.hash(password)


def password_matches(stored: str, given: str) -> bool:
    try:
        return _hasher.verify(stored, given)
    except (VerificationError, InvalidHashError):
        return False


def find_by_email(email: str) -> Person | None:
    found: Person | None = session.scalars(
        select(Person).where(Person.email_key == email_key(email), Person.erased_at.is_(None))
    ).first()
    return found


def register(body: dict[str, Any]) -> None:
    """Make the account and mail a code; where the address has one already, tell its owner instead."""
    hashed = hash_password(body["password"])
    try:
        _make(body, hashed)
    except IntegrityError:
        _tell_owner(body["email"])


@transactional
def _make(body: dict[str, Any], hashed: str) -> Person:
    person = Person(
        name=body["name"],
        email=body["email"],
        email_key=email_key(body["email"]),
        password_hash=hashed,
        language=body["language"],
        country=body["country"],
        time_zone=body.get("time_zone") or ZONE_OF[body["country"]],
        birth_date=body.get("birth_date"),
        address=body.get("address"),
        made_at=real_now(),
    )
    with session.begin_nested():
        session.add(person)
    facts.record(PersonRegistered(person=person.id))
    code = codes.issue(person.id, "confirm")
    facts.record(EmailCodeIssued(person=person.id, code=code.id, purpose="confirm"))
    return person


@transactional
def _tell_owner(email: str) -> None:
    person = find_by_email(email)
    if person is None:
        return
    if person.email_confirmed_at is None:
        code = codes.issue(person.id, "confirm")
        facts.record(EmailCodeIssued(person=person.id, code=code.id, purpose="confirm"))
    else:
        facts.record(RegisteredAgain(person=person.id))


@transactional
def send_code(email: str, purpose: str) -> None:
    """Mail a new code (confirm or reset); nothing happens for an address we do not know."""
    person = find_by_email(email)
    if person is None or (purpose == "confirm" and person.email_confirmed_at is not None):
        return
    code = codes.issue(person.id, purpose)
    facts.record(EmailCodeIssued(person=person.id, code=code.id, purpose=purpose))


def confirm(email: str, code: str) -> None:
    """Confirm the address with its code. Raises CodeInvalid."""
    if not _confirm(email, code):
        raise codes.invalid()


@transactional
def _confirm(email: str, code: str) -> bool:
    person = find_by_email(email)
    if codes.redeem(person.id if person else None, "confirm", code) is None:
        return False
    assert person is not None
    person.email_confirmed_at = real_now()
    facts.record(EmailConfirmed(person=person.id))
    return True


@transactional
def change(person_id: str, body: dict[str, Any], check: Callable[[Person], None]) -> Person:
    """Change one's account; `check` sees the row as it stands, locked. Raises Validation for a birth date that the
    recorded licence contradicts.
    """
    person = session.get(Person, person_id, with_for_update=True)
    assert person is not None
    check(person)
    held = session.get(Licence, person_id) if "birth_date" in body else None
    if held is not None and body["birth_date"] != held.birth_date:
        detail = "Your licence says otherwise; record the licence anew."
        raise Validation(errors=[{"pointer": "/birth_date", "code": "invalid", "detail": detail}])
    for name, value in body.items():
        setattr(person, name, value)
    return person

"""Register and confirm the e-mail address; a known address and an unknown one answer alike."""

import secrets
import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.facts import EmailCodeIssued, EmailConfirmed, PersonRegistered, RegisteredAgain
from app.kit import facts
from app.kit.clock import real_now
from app.kit.db import new_id, session, transactional
from app.kit.errors import Validation
from app.people import codes, later
from app.people.models import COD, EmailCode, Licence, Person

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


UNUSABLE = hash_password(secrets.token_hex(16))
"""Of a password that nobody knows: to compare with where there is none takes as long."""


def find_by_email(email: str) -> Person | None:
    found: Person | None = session.scalars(
        select(Person).where(Person.email_key == email_key(email), Person.erased_at.is_(None))
    ).first()
    return found


def ask(body: dict[str, Any]) -> None:
    """Take a registration; a worker finds out whether the address is known."""
    later.ask("register", registration=_registration(body, hash_password))


def register(body: dict[str, Any], hash_of: Callable[[str], str] | None = None) -> None:
    """The same at once."""
    _register(_registration(body, hash_of or hash_password), new_id(COD))


def _registration(body: dict[str, Any], hash_of: Callable[[str], str]) -> dict[str, Any]:
    """What the account will be once its address is confirmed; the password is hashed before anything is written."""
    born = body.get("birth_date")
    return {
        "name": body["name"],
        "email": body["email"],
        "password_hash": hash_of(body["password"]),
        "language": body["language"],
        "country": body["country"],
        "time_zone": body.get("time_zone") or ZONE_OF[body["country"]],
        "birth_date": born.isoformat() if born else None,
        "address": body.get("address"),
    }


@later.step("register")
@transactional
def _register(registration: dict[str, Any], code: str) -> None:
    """Mail a code to which the registration belongs; where the address is confirmed already, tell its owner instead."""
    if codes.issued(code):
        return
    person = find_by_email(registration["email"]) or _make(registration)
    if person is None:
        return
    session.refresh(person, with_for_update=True)
    if person.email_confirmed_at is not None:
        facts.record(RegisteredAgain(person=person.id))
        return
    person.language = registration["language"]
    codes.issue(person.id, "confirm", code=code, registration=registration)
    facts.record(EmailCodeIssued(person=person.id, code=code, purpose="confirm"))


def _make(registration: dict[str, Any]) -> Person | None:
    """A row that holds the address, and nobody's password until a mailed code comes back."""
    values = {**_account(registration), "password_hash": UNUSABLE}
    person = Person(**values, email_key=email_key(registration["email"]), made_at=real_now())
    try:
        with session.begin_nested():
            session.add(person)
    except IntegrityError:
        return find_by_email(registration["email"])
    facts.record(PersonRegistered(person=person.id))
    return person


def _account(registration: dict[str, Any]) -> dict[str, Any]:
    born = registration["birth_date"]
    return {**registration, "birth_date": date.fromisoformat(born) if born else None}


def ask_code(email: str, purpose: str) -> None:
    """Take a wish for a code (confirm or reset); a worker finds out whether the address is known."""
    later.ask("code", email=email, purpose=purpose)


def send_code(email: str, purpose: str) -> None:
    """The same at once."""
    _send_code(email, purpose, new_id(COD))


@later.step("code")
@transactional
def _send_code(email: str, purpose: str, code: str) -> None:
    """Mail a new code; nothing happens for an address we do not know, or that has nothing to confirm or reset."""
    person = find_by_email(email)
    if person is None or codes.issued(code) or (purpose == "confirm") != (person.email_confirmed_at is None):
        return
    registration = None
    if purpose == "confirm":
        earlier = _last_registration(person.id)
        if earlier is None:
            return
        registration, earlier.registration, earlier.used_at = earlier.registration, None, real_now()
    codes.issue(person.id, purpose, code=code, registration=registration)
    facts.record(EmailCodeIssued(person=person.id, code=code, purpose=purpose))


def _last_registration(person: str) -> EmailCode | None:
    found: EmailCode | None = session.scalars(
        select(EmailCode)
        .where(EmailCode.person_id == person, EmailCode.registration.is_not(None))
        .order_by(EmailCode.id.desc())
        .limit(1)
        .with_for_update()
    ).first()
    return found


def confirm(email: str, code: str) -> None:
    """Confirm the address with its code: the account is what that code's registration said. Raises CodeInvalid."""
    if not _confirm(email, code):
        raise codes.invalid()


@transactional
def _confirm(email: str, code: str) -> bool:
    person = find_by_email(email)
    row = codes.redeem(person.id if person else None, "confirm", code)
    if person is None or row is None or row.registration is None:
        return False
    session.refresh(person, with_for_update=True)
    if person.email_confirmed_at is not None:
        return False
    for name, value in _account(row.registration).items():
        setattr(person, name, value)
    person.email_confirmed_at, row.registration = real_now(), None
    codes.cancel(person.id, "confirm")
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

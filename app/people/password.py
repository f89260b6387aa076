"""Change or reset the password, change the e-mail address."""

from sqlalchemy.exc import IntegrityError

from app.facts import EmailChangeAsked, EmailCodeIssued, PasswordChanged, RegisteredAgain
from app.kit import facts
from app.kit.clock import real_now
from app.kit.db import session, transactional
from app.people import codes, sign_in
from app.people.models import Person
from app.people.register import email_key, find_by_email, hash_password


@transactional
def change(person_id: str, session_id: str, password: str) -> None:
    """Set a new password; every other session ends."""
    _set(person_id, password)
    sign_in.end_all(person_id, but=session_id, reason="password changed")


def _set(person_id: str, password: str) -> None:
    person = session.get(Person, person_id, with_for_update=True)
    assert person is not None
    person.password_hash = hash_password(password)
    codes.cancel(person_id, "reset")
    facts.record(PasswordChanged(person=person_id))


def reset(email: str, code: str, password: str) -> None:
    """Set a new password by the mailed code; every session ends. Raises CodeInvalid."""
    if not _reset(email, code, password):
        raise codes.invalid()


@transactional
def _reset(email: str, code: str, password: str) -> bool:
    person = find_by_email(email)
    if codes.redeem(person.id if person else None, "reset", code) is None:
        return False
    assert person is not None
    person.email_confirmed_at = person.email_confirmed_at or real_now()
    _set(person.id, password)
    sign_in.end_all(person.id, but=None, reason="password reset")
    return True


@transactional
def ask_email_change(person_id: str, email: str) -> None:
    """Send a code to the new address and a notice to the old; an address in use answers alike."""
    taken = find_by_email(email)
    if taken is not None:
        if taken.id != person_id:
            facts.record(RegisteredAgain(person=taken.id))
        return
    code = codes.issue(person_id, "change", email)
    facts.record(EmailCodeIssued(person=person_id, code=code.id, purpose="change"))
    facts.record(EmailChangeAsked(person=person_id, code=code.id))


def confirm_email_change(person_id: str, code: str) -> None:
    """Take the new address over. Raises CodeInvalid."""
    if not _confirm_change(person_id, code):
        raise codes.invalid()


@transactional
def _confirm_change(person_id: str, code: str) -> bool:
    row = codes.redeem(person_id, "change", code)
    if row is None or row.subject is None:
        return False
    person = session.get(Person, person_id, with_for_update=True)
    assert person is not None
    try:
        with session.begin_nested():
            person.email, person.email_key = row.subject, email_key(row.subject)
    except IntegrityError:
        session.refresh(person)
        return False
    person.email_confirmed_at = real_now()
    return True

"""Change or reset the password, change the e-mail address."""

from sqlalchemy.exc import IntegrityError

from app.facts import EmailChangeAsked, EmailCodeIssued, PasswordChanged, RegisteredAgain
from app.kit import facts
from app.kit.auth import Caller
from app.kit.clock import real_now
from app.kit.db import new_id, session, transactional
from app.people import codes, later, phones, sign_in
from app.people.models import COD, Person
from app.people.register import email_key, find_by_email, hash_password


@transactional
def change(person_id: str, session_id: str, password: str) -> None:
    """Set a new password; every other session ends, every open code dies, the person is told."""
    _set(person_id, password)
    sign_in.end_all(person_id, but=session_id, reason="password changed")


def _set(person_id: str, password: str) -> None:
    person = session.get(Person, person_id, with_for_update=True)
    assert person is not None
    person.password_hash = hash_password(password)
    codes.cancel(person_id, "reset", "confirm", "change", "phone")
    facts.record(PasswordChanged(person=person_id))


def reset(email: str, code: str, password: str) -> None:
    """Set a new password by the mailed code; every session ends, and phones without a key are confirmed anew.

    Raises CodeInvalid.
    """
    if not _reset(email, code, password):
        raise codes.invalid()


@transactional
def _reset(email: str, code: str, password: str) -> bool:
    person = find_by_email(email)
    if codes.redeem(person.id if person else None, "reset", code) is None:
        return False
    assert person is not None
    _set(person.id, password)
    phones.doubt(person.id)
    sign_in.end_all(person.id, but=None, reason="password reset")
    return True


def ask_email_change(by: Caller, email: str) -> None:
    """Take the wish for a new address; a worker finds out whether somebody has it. Raises NotAllowed."""
    phones.require_confirmed(by)
    later.ask("change", person=by.person, email=email)


def send_change_code(person_id: str, email: str) -> None:
    """The same at once."""
    _send_change_code(person_id, email, new_id(COD))


@later.step("change")
@transactional
def _send_change_code(person: str, email: str, code: str) -> None:
    """Send a code to the new address and a notice to the old; an address in use answers alike."""
    if codes.issued(code):
        return
    taken = find_by_email(email)
    if taken is not None:
        if taken.id != person:
            facts.record(RegisteredAgain(person=taken.id))
        return
    codes.issue(person, "change", email, code=code)
    facts.record(EmailCodeIssued(person=person, code=code, purpose="change"))
    facts.record(EmailChangeAsked(person=person, code=code))


def confirm_email_change(person_id: str, code: str) -> None:
    """Take the new address over; codes that lie in the old mailbox are dead. Raises CodeInvalid."""
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
    codes.cancel(person_id, "reset", "phone")
    return True

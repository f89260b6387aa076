"""Codes sent by e-mail: six digits, fifteen minutes, five tries; every failure looks the same."""

import hmac
from datetime import timedelta

from sqlalchemy import select, update

from app.kit.clock import real_now
from app.kit.db import session
from app.kit.errors import CodeInvalid
from app.kit.keys import mac
from app.people.models import EmailCode

LIVES, TRIES = timedelta(minutes=15), 5


def issue(person: str, purpose: str, subject: str | None = None) -> EmailCode:
    """A new code; an older one for the same purpose dies."""
    cancel(person, purpose)
    code = EmailCode(person_id=person, purpose=purpose, subject=subject, made_at=real_now())
    session.add(code)
    session.flush()
    return code


def cancel(person: str, purpose: str) -> None:
    dead = update(EmailCode).where(
        EmailCode.person_id == person, EmailCode.purpose == purpose, EmailCode.used_at.is_(None)
    )
    session.execute(dead.values(used_at=real_now()))


def digits(code_id: str) -> str:
    """The six digits of a code, from its id alone."""
    return f"{int.from_bytes(mac('email-code', code_id)[:8]) % 10**6:06d}"


def redeem(person: str | None, purpose: str, given: str, subject: str | None = None) -> EmailCode | None:
    """Use the code up. None when it is wrong: the caller commits the counted try, then raises CodeInvalid."""
    row = (
        session.scalars(
            select(EmailCode)
            .where(EmailCode.person_id == person, EmailCode.purpose == purpose, EmailCode.used_at.is_(None))
            .order_by(EmailCode.id.desc())
            .limit(1)
            .with_for_update()
        ).first()
        if person
        else None
    )
    if (
        row is None
        or row.tries >= TRIES
        or real_now() - row.made_at > LIVES
        or (subject and row.subject != subject)
    ):
        return None
    row.tries += 1
    if not hmac.compare_digest(digits(row.id).encode(), given.encode()):
        return None
    row.used_at = real_now()
    return row


def invalid() -> CodeInvalid:
    return CodeInvalid("Wrong, used or older than 15 minutes; ask for a new one.")

"""Codes sent by e-mail: six digits, fifteen minutes, five tries; every failure looks the same and takes as long."""

import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text, update

from app.kit.clock import real_now
from app.kit.db import new_id, session
from app.kit.errors import CodeInvalid
from app.kit.keys import mac
from app.people.models import COD, EmailCode

LIVES, TRIES = timedelta(minutes=15), 5
NOBODY = f"per_{'0' * 32}"


def issue(
    person: str,
    purpose: str,
    subject: str | None = None,
    *,
    code: str | None = None,
    registration: dict[str, Any] | None = None,
) -> EmailCode:
    """A new code; an older one for the same purpose dies, unless it belongs to another registration."""
    if registration is None:
        cancel(person, purpose)
    row = EmailCode(
        id=code or new_id(COD),
        person_id=person,
        purpose=purpose,
        subject=subject,
        made_at=real_now(),
        registration=registration,
    )
    session.add(row)
    session.flush()
    return row


def issued(code: str) -> bool:
    """Whether a job that runs a second time has issued this code already."""
    return session.get(EmailCode, code) is not None


def cancel(person: str, *purposes: str) -> None:
    """Codes that were not used are dead, and what was to become of them is forgotten."""
    dead = update(EmailCode).where(
        EmailCode.person_id == person, EmailCode.purpose.in_(purposes), EmailCode.used_at.is_(None)
    )
    session.execute(dead.values(used_at=real_now(), registration=None))


def digits(code_id: str) -> str:
    """The six digits of a code, from its id alone."""
    return f"{int.from_bytes(mac('email-code', code_id)[:8]) % 10**6:06d}"


def redeem(person: str | None, purpose: str, given: str, subject: str | None = None) -> EmailCode | None:
    """Use the code up. None when it is wrong: the caller commits the counted try, then raises CodeInvalid."""
    rows = _live(person or NOBODY, purpose, subject)
    if not rows:
        _count_miss(purpose)
    found: EmailCode | None = None
    for row in rows:
        row.tries += 1
        if hmac.compare_digest(digits(row.id).encode(), given.encode()):
            found = row
    if found is not None:
        found.used_at = real_now()
    return found


def _live(person: str, purpose: str, subject: str | None) -> Sequence[EmailCode]:
    statement = select(EmailCode).where(
        EmailCode.person_id == person,
        EmailCode.purpose == purpose,
        EmailCode.used_at.is_(None),
        EmailCode.tries < TRIES,
        EmailCode.made_at > real_now() - LIVES,
    )
    if subject is not None:
        statement = statement.where(EmailCode.subject == subject)
    return session.scalars(statement.order_by(EmailCode.id).with_for_update()).all()


_MISS = text(
    "insert into rate_counts (name, subject, period_start, count) values (:name, :subject, clock_timestamp(), 1)"
)


def _count_miss(purpose: str) -> None:
    """Without a code there is no try to count; one row is written all the same, or its absence could be timed."""
    session.execute(_MISS, {"name": f"missed {purpose}", "subject": secrets.token_hex(16)})


def invalid() -> CodeInvalid:
    return CodeInvalid("Wrong, used or older than 15 minutes; ask for a new one.")

"""Sign in, refresh, sign out: sessions per installation, refresh tokens that work once, with a grace for lost answers."""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pyotp
from sqlalchemy import Select, select, text, update

from app.facts import EmailCodeIssued, SignedIn
from app.facts import SessionRevoked as SessionRevokedFact
from app.kit import facts, rights
from app.kit.auth import Caller
from app.kit.clock import real_now
from app.kit.db import bare, new_id, session, transactional
from app.kit.driver import read
from app.kit.errors import CredentialsWrong, EmailUnconfirmed, NotFound, SessionRevoked
from app.kit.keys import unseal
from app.people import codes, session_tokens
from app.people.models import EmailCode, Person, Phone, RefreshToken, Session
from app.people.register import UNUSABLE, email_key, password_matches

GRACE = timedelta(seconds=60)
SIGNED_OUT = "signed out"
"""Why a session ended that its person has ended."""
STILL_DRIVES: list[Callable[[str], bool]] = []
"""Who knows that a person has a car out: a suspension waits for its lock. The factory fills it."""


def barred(person: str, suspended_at: datetime | None) -> bool:
    """Suspended, and no rental under way that they must be able to end."""
    return suspended_at is not None and not any(ask(person) for ask in STILL_DRIVES)


_CALLER = text(
    "select s.revoked_at, s.password_at, p.language, p.time_zone, p.operator, p.suspended_at, p.erased_at,"
    " f.revoked_at as phone_revoked_at"
    " from sessions s join people p on p.id = s.person_id left join phones f on f.id = :phone"
    " where s.id = :session and s.person_id = :person"
)


def caller_of(claims: dict[str, Any]) -> Caller:
    """The caller behind verified claims; a session or person that has ended is refused at once."""
    phone = claims.get("phone")
    rows = read(
        _CALLER,
        {
            "session": bare(claims["sid"], "ses"),
            "person": bare(claims["sub"], "per"),
            "phone": bare(phone, "pho") if phone else None,
        },
    )
    row = rows[0] if rows else None
    if row is None or row.revoked_at or row.erased_at or (phone and row.phone_revoked_at):
        raise SessionRevoked("Sign in again.")
    if barred(claims["sub"], row.suspended_at):
        raise SessionRevoked("Sign in again.")
    return Caller(
        claims["sub"],
        claims["sid"],
        phone,
        row.language,
        row.time_zone,
        row.operator,
        row.password_at,
        suspended=row.suspended_at is not None,
    )


def sign_in(email: str, password: str, installation: str, totp: str | None = None) -> dict[str, Any]:
    """Tokens for one installation; its older session ends. Raises CredentialsWrong, EmailUnconfirmed."""
    person, stored = _person_with(email_key(email))
    right = password_matches(stored, password)
    if person is None or not right or barred(person.id, person.suspended_at):
        raise CredentialsWrong
    if person.email_confirmed_at is None:
        raise EmailUnconfirmed("Use the code we sent you, or ask for a new one.")
    return _open(person.id, installation, totp)


def _person_with(key: str) -> tuple[Person | None, str]:
    """Whose address it is and the hash to compare with: before the address is confirmed, the last registration's."""
    registered = EmailCode.registration["password_hash"].astext
    latest = (
        select(registered)
        .where(EmailCode.person_id == Person.id, EmailCode.registration.is_not(None))
        .order_by(EmailCode.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = select(Person, latest).where(Person.email_key == key, Person.erased_at.is_(None))
    row = session.execute(statement).first()
    if row is None:
        return None, UNUSABLE
    person, waiting = row
    return person, (waiting or UNUSABLE) if person.email_confirmed_at is None else person.password_hash


@transactional
def _open(person_id: str, installation: str, totp: str | None) -> dict[str, Any]:
    rights.revoke(person_id)
    person = session.get(Person, person_id, with_for_update=True)
    assert person is not None
    if person.operator:
        _check_totp(person, totp)
    known = session.scalars(
        select(Session).where(Session.person_id == person_id, Session.installation == installation)
    ).all()
    for older in known:
        if older.revoked_at is None:
            end(older, "signed in again")
    now = real_now()
    opened = Session(
        id=new_id("ses"),
        person_id=person_id,
        installation=installation,
        made_at=now,
        seen_at=now,
        password_at=now,
    )
    session.add(opened)
    session.flush()
    facts.record(SignedIn(person=person_id, session=opened.id, new_installation=not known))
    _mail_phone_code(opened)
    return session_tokens.told(opened, session_tokens.new_refresh(opened))


def _check_totp(person: Person, given: str | None) -> None:
    """Operators give a TOTP code, each step of it once."""
    if person.totp_sealed is None or not given:
        raise CredentialsWrong("Operators also give their TOTP code.")
    generator = pyotp.TOTP(unseal("totp", person.totp_sealed).decode())
    now = real_now()
    for drift in (0, -1):
        at = now + timedelta(seconds=30 * drift)
        step = int(at.timestamp()) // 30
        if hmac.compare_digest(generator.at(at), given) and step > (person.totp_last_step or 0):
            person.totp_last_step = step
            return
    raise CredentialsWrong("The TOTP code is wrong or was used.")


def _mail_phone_code(opened: Session) -> None:
    """Who signs in on a phone that is yet to be confirmed, or is to be again, gets a code for it."""
    phone = session_tokens.phone_of(opened)
    if phone is not None and phone.confirmed_at is None:
        code = codes.issue(opened.person_id, "phone", phone.id)
        facts.record(EmailCodeIssued(person=opened.person_id, code=code.id, purpose="phone"))


def refresh(given: str) -> dict[str, Any]:
    """The next tokens; a reuse outside the grace ends the session. Raises SessionRevoked."""
    answer = _refresh(given)
    if answer is None:
        raise SessionRevoked("Sign in again.")
    return answer


@transactional
def _refresh(given: str) -> dict[str, Any] | None:
    token_id, _, _ = given.partition(".")
    try:
        genuine = hmac.compare_digest(session_tokens.spell(token_id).encode(), given.encode())
        row = session.get(RefreshToken, token_id, with_for_update=True) if genuine else None
    except NotFound:
        return None
    if row is None:
        return None
    opened = session.get(Session, row.session_id, with_for_update=True)
    assert opened is not None
    person = session.get(Person, opened.person_id)
    now = real_now()
    if (
        opened.revoked_at
        or row.expires_at <= now
        or person is None
        or barred(person.id, person.suspended_at)
        or person.erased_at
    ):
        return None
    if row.used_at is not None:
        return _grace(opened, row)
    successor = session_tokens.new_refresh(opened)
    row.used_at, row.successor_id, opened.seen_at = now, successor.id, now
    _seen(opened, now)
    return session_tokens.told(opened, successor)


def _seen(opened: Session, now: datetime) -> None:
    """The app on that phone lives; without a sign of life for long it is not pushed to any more."""
    phone = update(Phone).where(
        Phone.person_id == opened.person_id,
        Phone.installation == opened.installation,
        Phone.revoked_at.is_(None),
    )
    session.execute(phone.values(seen_at=now))


def _grace(opened: Session, row: RefreshToken) -> dict[str, Any] | None:
    """Again within a minute, its successor unused: the answer was lost. Anything else: somebody has a copy."""
    assert row.used_at is not None
    successor = session.get(RefreshToken, row.successor_id)
    if successor is not None and successor.used_at is None and real_now() - row.used_at <= GRACE:
        return session_tokens.told(opened, successor)
    end(opened, "refresh token used twice")
    return None


def end(opened: Session, reason: str) -> None:
    """End a session; what it lets one do is dead once this is committed."""
    rights.revoke(opened.person_id)
    opened.revoked_at, opened.revoked_reason = real_now(), reason
    facts.record(SessionRevokedFact(person=opened.person_id, session=opened.id, reason=reason))


@transactional
def sign_out(person: str, session_id: str) -> None:
    """End one session: its tokens are dead when this returns. Raises NotFound."""
    rights.revoke(person)
    opened = session.get(Session, session_id, with_for_update=True)
    if opened is None or opened.person_id != person:
        raise NotFound
    if opened.revoked_at is None:
        end(opened, SIGNED_OUT)


@transactional
def end_all(person: str, *, but: str | None, reason: str) -> None:
    """End every session of a person, perhaps but one."""
    rights.revoke(person)
    rows = session.scalars(
        select(Session).where(Session.person_id == person, Session.revoked_at.is_(None)).with_for_update()
    )
    for opened in rows:
        if opened.id != but:
            end(opened, reason)


@transactional
def confirm_password(person_id: str, session_id: str, password: str) -> None:
    """Give the password again, for what needs it fresh. Raises CredentialsWrong."""
    person = session.get(Person, person_id)
    assert person is not None
    if not password_matches(person.password_hash, password):
        raise CredentialsWrong
    opened = session.get(Session, session_id, with_for_update=True)
    assert opened is not None
    opened.password_at = real_now()


def of(person: str) -> Select[Session]:
    """The open sessions of a person."""
    return select(Session).where(Session.person_id == person, Session.revoked_at.is_(None))


def installation_of(session_id: str) -> str:
    """The installation on which a session was opened: a secret of that device."""
    return session.get_one(Session, session_id).installation

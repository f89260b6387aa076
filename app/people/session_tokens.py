"""What an app carries of its session: an access token, and a refresh token that is told again and stored nowhere."""

import hmac
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text

from app.kit import auth
from app.kit.auth import ACCESS_FOR
from app.kit.clock import real_now
from app.kit.db import bare, new_id, session
from app.kit.driver import read
from app.kit.keys import b64, mac
from app.people.models import Phone, RefreshToken, Session

REFRESH_FOR = timedelta(days=60)


def new_refresh(opened: Session) -> RefreshToken:
    """Inside a transaction: a further one for this session."""
    now = real_now()
    token = RefreshToken(id=new_id("tok"), session_id=opened.id, made_at=now, expires_at=now + REFRESH_FOR)
    session.add(token)
    session.flush()
    return token


def told(opened: Session, refresh: RefreshToken) -> dict[str, Any]:
    """The answer of who signs in or refreshes."""
    phone = phone_of(opened)
    return {
        "access_token": auth.person_token(opened.person_id, opened.id, phone.id if phone else None),
        "refresh_token": spell(refresh.id),
        "expires_in": int(ACCESS_FOR.total_seconds()),
        "session": opened.id,
    }


def spell(token_id: str) -> str:
    """A refresh token: the row's id and its HMAC, so that it can be told again and is stored nowhere."""
    return f"{token_id}.{b64(mac('refresh', token_id))}"


_OWNER = text(
    "select s.person_id from refresh_tokens t join sessions s on s.id = t.session_id where t.id = :token"
)


def account_of(given: str) -> str:
    """Whose account a refresh token is of, for counting tries before it is judged; forged ones are all one."""
    token_id, _, _ = given.partition(".")
    if not hmac.compare_digest(spell(token_id).encode(), given.encode()):
        return "unknown"
    rows = read(_OWNER, {"token": bare(token_id, "tok")})
    return f"per_{rows[0].person_id.hex}" if rows else "unknown"


def phone_of(opened: Session) -> Phone | None:
    """The phone that the session is on, unless it was taken out."""
    phone: Phone | None = session.scalars(
        select(Phone).where(
            Phone.person_id == opened.person_id,
            Phone.installation == opened.installation,
            Phone.revoked_at.is_(None),
        )
    ).first()
    return phone

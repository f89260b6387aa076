"""Invite: by e-mail or by link; what can be guessed of a code is nothing."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import segno
from sqlalchemy import select

from app.communities import access
from app.communities.models import Community, Invitation
from app.facts import InvitationReminded, InvitationRevoked, Invited
from app.kit import clock, deadlines, facts
from app.kit.db import new_id, session, transactional
from app.kit.errors import InvitationGone, NotAllowed, NotFound, Validation
from app.kit.keys import b64, mac, settings
from app.kit.rate_limits import address, allow_secret
from app.people.models import Person
from app.people.register import find_by_email

LIVES, AT_MOST = timedelta(days=7), timedelta(days=30)
REMIND_AFTER = timedelta(days=3)
"""Or after half of its life, where that is shorter."""


def code_of(invitation_id: str) -> str:
    """The code of an invitation: 128 bits, recomputed for the mail, stored only as a hash."""
    return b64(mac("invitation", invitation_id)[:16])


def url_of(invitation_id: str) -> str:
    return f"{settings().public_url}/i/{code_of(invitation_id)}"


def qr_of(invitation_id: str) -> str:
    """The link as a square to scan: a data URI of an SVG."""
    found: str = segno.make(url_of(invitation_id), error="m", micro=False).svg_data_uri(scale=4)
    return found


def hashed(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


@transactional
def invite(person: str, community: str, body: dict[str, Any]) -> Invitation:
    """A new invitation. Raises NotFound, NotAllowed, Validation for a time that cannot be."""
    role, fare = body.get("role", "driver"), body.get("fare", "priced")
    access.may_invite(community, person, role, fare, "share")
    now = clock.now()
    expires = body.get("expires_at") or now + LIVES
    if not now < expires <= now + AT_MOST:
        raise Validation(
            errors=[{"pointer": "/expires_at", "code": "invalid", "detail": "Within the next 30 days."}]
        )
    made_id = new_id("inv")
    made = Invitation(
        id=made_id,
        community_id=community,
        code_hash=hashed(code_of(made_id)),
        email=body.get("email"),
        label=body.get("label"),
        role=role,
        fare=fare,
        uses=body.get("uses", 1),
        used=0,
        invited_by=person,
        made_at=now,
        expires_at=expires,
    )
    session.add(made)
    session.flush()
    facts.record(Invited(invitation=made.id, community=community, by=person))
    if made.email is not None:
        deadlines.at("invitation_reminder", made.id, now + min(REMIND_AFTER, (expires - now) / 2))
    return made


@transactional
def remind(invitation_id: str) -> None:
    """Deadline "invitation_reminder": whoever was invited by mail and has not answered is asked once more."""
    found = session.get(Invitation, invitation_id, with_for_update=True)
    if found is None or state_of(found, clock.now()) != "open" or found.used or not _stands(found):
        return
    account = find_by_email(found.email or "")
    if account is not None and access.membership(found.community_id, account.id) is not None:
        return
    facts.record(InvitationReminded(invitation=found.id, community=found.community_id, by=found.invited_by))


def _stands(invitation: Invitation) -> bool:
    """Whether there is still somebody to answer to."""
    community = session.get(Community, invitation.community_id)
    inviter = access.membership(invitation.community_id, invitation.invited_by)
    return community is not None and community.ended_at is None and inviter is not None


def state_of(invitation: Invitation, now: datetime) -> str:
    """open, declined, used, revoked, expired or exhausted."""
    if invitation.revoked_at is not None:
        return "revoked"
    if invitation.declined_at is not None:
        return "declined"
    if invitation.used >= invitation.uses:
        return "used" if invitation.uses == 1 else "exhausted"
    return "expired" if invitation.expires_at <= now else "open"


@transactional
def revoke(person: str, invitation_id: str) -> None:
    """Revoke an invitation: dead when this returns. Raises NotFound, NotAllowed."""
    found = session.get(Invitation, invitation_id, with_for_update=True)
    if found is None:
        raise NotFound
    _, mine = access.may_see(found.community_id, person)
    if found.invited_by != person and not access.runs(mine):
        raise NotAllowed("Only who invited, or who runs the community, may revoke.")
    if found.revoked_at is None:
        found.revoked_at = clock.now()
        facts.record(InvitationRevoked(invitation=found.id, by=person))


def revoke_of(community: str, person: str, *, by: str) -> None:
    """Inside a transaction: what this person has invited to and nobody has used up yet is dead when it commits."""
    now = clock.now()
    rows = session.scalars(
        select(Invitation)
        .where(
            Invitation.community_id == community,
            Invitation.invited_by == person,
            Invitation.revoked_at.is_(None),
            Invitation.expires_at > now,
        )
        .order_by(Invitation.id)
        .with_for_update()
    ).all()
    for one in rows:
        if state_of(one, now) == "open":
            one.revoked_at = now
            facts.record(InvitationRevoked(invitation=one.id, by=by))


def count_look() -> None:
    """Before each look at a code, wherever: an address has the limit `preview` for all of them. Raises RateLimited."""
    allow_secret("preview", address(), settings().limits.preview)


def preview(code: str) -> dict[str, Any]:
    """What an invitation shows before one has an account: who invites, to what, and nothing more."""
    found = session.scalars(select(Invitation).where(Invitation.code_hash == hashed(code))).first()
    if found is None:
        raise NotFound
    community = session.get(Community, found.community_id)
    inviter = session.get(Person, found.invited_by)
    assert community is not None
    assert inviter is not None
    state = state_of(found, clock.now())
    if state != "open" or community.ended_at is not None:
        raise gone(state)
    return {
        "inviter": inviter.first_name,
        "community": community.name,
        "kind": community.kind,
        "role": found.role,
        "expires_at": found.expires_at,
    }


GONE = {
    "used": "It has been used.",
    "revoked": "It has been revoked.",
    "expired": "It has expired.",
    "exhausted": "It has been used as often as it may be.",
    "declined": "It has been declined.",
}
"""What a state other than open means."""


def gone(state: str) -> InvitationGone:
    """The refusal of an invitation that is no longer open, with its reason."""
    reason = state if state != "open" else "revoked"
    return InvitationGone(f"{GONE[reason]} Ask for a new one.", reason=reason)

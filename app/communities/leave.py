"""Memberships change and end: by the member, or by who runs the community."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select

from app.communities import access, invite
from app.communities.access import FARES, ROLES
from app.communities.models import Membership
from app.facts import MemberRemoved, MembershipChanged
from app.kit import clock, facts, rights
from app.kit.db import session, transactional
from app.kit.errors import LastOwner, NotAllowed, NotFound

_TOLD = ("role", "fare", "blocked")
"""What of a change is told to whom it is about."""


def _theirs(community: str, person: str) -> Membership:
    found = session.scalars(
        select(Membership)
        .where(
            Membership.community_id == community,
            Membership.person_id == person,
            Membership.ended_at.is_(None),
        )
        .with_for_update()
    ).first()
    if found is None:
        raise NotFound
    return found


def shown(community: str, person: str, mine: Membership) -> Membership:
    """The membership of a person as another member sees it: also the last one of who left, to who runs the community.
    Raises NotFound.
    """
    found = access.last_membership(community, person)
    if found is None or (found.ended_at is not None and not access.runs(mine)):
        raise NotFound
    return found


def _refuse_last_owner(community: str, but: str) -> None:
    """Somebody else owns it, and is not blocked. Raises LastOwner."""
    owners = session.execute(
        select(func.count())
        .select_from(Membership)
        .where(
            Membership.community_id == community,
            Membership.role == "owner",
            Membership.person_id != but,
            Membership.blocked.is_(False),
            Membership.ended_at.is_(None),
        )
    ).scalar_one()
    if owners == 0:
        raise LastOwner("Make somebody else an owner first.")


@transactional
def leave(by: str, community: str, person: str) -> None:
    """End a membership: one's own, or another's by who runs the community. Raises LastOwner.

    What it lets them do is dead when this returns; a grant that a phone holds, once its box has acknowledged that.
    """
    access.may_see(community, by)
    rights.revoke(person)
    _, mine = access.may_see(community, by, "update")
    theirs = _theirs(community, person)
    if by != person and (not access.runs(mine) or ROLES.index(theirs.role) > ROLES.index(mine.role)):
        raise NotAllowed("Only who runs the community may remove a member, and none above oneself.")
    if theirs.role == "owner":
        _refuse_last_owner(community, person)
    theirs.ended_at = clock.now()
    invite.revoke_of(community, person, by=by)
    facts.record(MemberRemoved(community=community, person=person, by=by))


@transactional
def change(
    by: str, community: str, person: str, body: dict[str, Any], check: Callable[[Membership], None]
) -> Membership:
    """Change role, fare, label or block: what that takes away is dead when this returns. Raises NotAllowed, LastOwner.

    Without signal it is not: a grant that a phone holds opens the car until its box has acknowledged the revocation.
    Who has left can be blocked, and keeps a block: they accept no invitation until it is lifted, and are told of neither.
    """
    access.may_run(community, by)
    rights.revoke(person)
    _, mine = access.may_run(community, by, "update")
    left = shown(community, person, mine)
    if left.ended_at is not None and body.keys() != {"blocked"}:
        raise NotAllowed("They are not in the community; they can only be blocked, or their block lifted.")
    theirs = left if left.ended_at is not None else _theirs(community, person)
    check(theirs)
    wanted = body.get("role", theirs.role)
    if max(ROLES.index(theirs.role), ROLES.index(wanted)) > ROLES.index(mine.role):
        raise NotAllowed("One cannot give or take a role above one's own.")
    if theirs.role == "owner" and (wanted != "owner" or body.get("blocked")):
        _refuse_last_owner(community, person)
    lower = ROLES.index(wanted) < ROLES.index(theirs.role)
    dearer = FARES.index(body.get("fare", theirs.fare)) > FARES.index(theirs.fare)
    if body.get("blocked") or lower or (dearer and not access.runs(theirs)):
        invite.revoke_of(community, person, by=by)
    news = {name: body[name] for name in _TOLD if name in body and body[name] != getattr(theirs, name)}
    for name, value in body.items():
        setattr(theirs, name, value)
    facts.record(MembershipChanged(community=community, person=person, by=by, **news))
    return theirs

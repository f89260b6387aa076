"""Make, change and end a community."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select

from app.communities import access
from app.communities.models import RULES, Community, Membership
from app.facts import CommunityEnded, CommunityMade, MemberRemoved
from app.kit import clock, facts, rights
from app.kit.db import new_id, session, transactional
from app.kit.errors import InUse

IN_USE: list[Callable[[str], list[str]]] = []
"""Who says what of a community is still in use; the factory fills it."""


@transactional
def make(person: str, body: dict[str, Any]) -> Community:
    """A new community with its maker as owner."""
    now = clock.now()
    community = Community(
        id=new_id("com"),
        name=body["name"],
        kind=body["kind"],
        rules=body.get("rules", {}),
        made_by=person,
        made_at=now,
    )
    session.add(community)
    session.flush()
    session.add(
        Membership(
            id=new_id("mem"),
            community_id=community.id,
            person_id=person,
            role="owner",
            fare="free",
            made_at=now,
        )
    )
    facts.record(CommunityMade(community=community.id, by=person))
    return community


@transactional
def change(
    person: str, community: str, body: dict[str, Any], check: Callable[[Community], None]
) -> Community:
    """Change name or rules. Raises NotFound, NotAllowed."""
    found, _ = access.may_run(community, person, "update")
    check(found)
    if "name" in body:
        found.name = body["name"]
    if "rules" in body:
        found.rules = {**RULES, **found.rules, **body["rules"]}
    return found


@transactional
def end(person: str, community: str) -> None:
    """End a community and every membership in it. Raises NotFound, NotAllowed, InUse while it owns a car.

    Future rentals are cancelled as those of a removed member are; an active one runs to its lock.
    A booking under way holds the membership it books by: it is waited for, and then cancelled like the others.
    """
    access.may_run(community, person)
    for who in sorted(row.person_id for row in _members(community)):
        rights.revoke(who)
    found, _ = access.may_run(community, person, "update")
    members = _members(community, lock=True)
    used_by = [what for ask in IN_USE for what in ask(community)]
    if used_by:
        raise InUse("Take the community's own cars out first, and have what it earned paid out.", by=used_by)
    found.ended_at = clock.again()
    for one in members:
        one.ended_at = found.ended_at
        facts.record(MemberRemoved(community=community, person=one.person_id, by=person))
    facts.record(CommunityEnded(community=community, by=person))


def _members(community: str, *, lock: bool = False) -> Sequence[Membership]:
    """Every live membership, in one order."""
    statement = (
        select(Membership)
        .where(Membership.community_id == community, Membership.ended_at.is_(None))
        .order_by(Membership.id)
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    rows: Sequence[Membership] = session.scalars(statement).all()
    return rows

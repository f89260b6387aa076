"""Make, change and end a community."""

from collections.abc import Callable
from typing import Any

from app.communities import access
from app.communities.models import RULES, Community, Membership
from app.facts import CommunityMade
from app.kit import clock, facts
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
    found, _ = access.may_run(community, person)
    session.refresh(found, with_for_update=True)
    check(found)
    if "name" in body:
        found.name = body["name"]
    if "rules" in body:
        found.rules = {**RULES, **found.rules, **body["rules"]}
    return found


@transactional
def end(person: str, community: str) -> None:
    """End a community in which nothing is open. Raises InUse."""
    found, _ = access.may_run(community, person)
    session.refresh(found, with_for_update=True)
    used_by = [what for ask in IN_USE for what in ask(community)]
    if used_by:
        raise InUse("Rentals of this community are still open.", by=used_by)
    found.ended_at = clock.now()

"""Who may what in a community: the one place that answers it. What one may not know of is NotFound."""

from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Select, bindparam, select

from app.communities.models import Community, Membership
from app.kit.db import PublicId, session
from app.kit.errors import NotAllowed, NotFound

ROLES = ("driver", "manager", "owner")
FARES = ("free", "at_cost", "priced")
"""From the best to the dearest."""


_LIVE = (
    select(Membership, Community)
    .join(Community, Community.id == Membership.community_id)
    .where(
        Membership.person_id == bindparam("person", type_=PublicId("per")),
        Membership.ended_at.is_(None),
        Community.ended_at.is_(None),
    )
)
_LIVE_SHARED = _LIVE.with_for_update(read=True, of=Membership).execution_options(populate_existing=True)
_HERE = Membership.community_id == bindparam("community", type_=PublicId("com"))
_ONE, _ONE_SHARED = _LIVE.where(_HERE), _LIVE_SHARED.where(_HERE)


def memberships(*, share_lock: bool) -> Select[Membership, Community]:
    """The live memberships of the person given as parameter `person`, blocked or not, each with its community."""
    return _LIVE_SHARED if share_lock else _LIVE


def membership(community: str, person: str, *, share_lock: bool = False) -> Membership | None:
    """The live membership of a person, blocked or not; in a community that has ended nobody has one.

    `share_lock` keeps it as it is until the transaction ends: who would end or change it waits.
    """
    statement = _ONE_SHARED if share_lock else _ONE
    found: Membership | None = session.scalars(statement, {"person": person, "community": community}).first()
    return found


def over_before(community: str, person: str) -> datetime:
    """What an ended membership brought about before then is over: before they came back, or all where they have not."""
    again = membership(community, person)
    return again.made_at if again is not None else datetime.max.replace(tzinfo=UTC)


_LAST = (
    select(Membership)
    .where(_HERE, Membership.person_id == bindparam("person", type_=PublicId("per")))
    .order_by(Membership.ended_at.is_(None).desc(), Membership.id.desc())
    .limit(1)
)


def last_membership(community: str, person: str) -> Membership | None:
    """The live membership of a person, or the newest that has ended."""
    found: Membership | None = session.scalars(_LAST, {"person": person, "community": community}).first()
    return found


Hold = Literal["share", "update"]
"""How the community is kept until the transaction ends: who changes who is in it holds it for `update`."""


def may_see(community: str, person: str, hold: Hold | None = None) -> tuple[Community, Membership]:
    """A member may see the community; for others it does not exist. With `hold` as it is once all before were waited for."""
    found = session.get(Community, community)
    mine = membership(community, person)
    if found is not None and mine is not None and hold is not None:
        session.refresh(found, with_for_update={"read": hold == "share"})
        session.refresh(mine)
    if found is None or found.ended_at is not None or mine is None or mine.ended_at is not None:
        raise NotFound
    return found, mine


def may_run(community: str, person: str, hold: Hold | None = None) -> tuple[Community, Membership]:
    """Owners and managers run it."""
    found, mine = may_see(community, person, hold)
    if not runs(mine):
        raise NotAllowed("Only an owner or manager of the community may do that.")
    return found, mine


def may_own(community: str, person: str) -> Community:
    """Owners alone; for all others what is theirs alone does not exist."""
    found, mine = may_see(community, person)
    if mine.role != "owner" or mine.blocked:
        raise NotFound
    return found


def may_read_books(community: str, person: str) -> Community:
    """Owners and managers read what it earns; for all others that does not exist."""
    found, mine = may_see(community, person)
    if not runs(mine):
        raise NotFound
    return found


def runs(mine: Membership) -> bool:
    return mine.role in ("owner", "manager") and not mine.blocked


def may_invite(
    community: str, person: str, role: str = "driver", fare: str = "priced", hold: Hold | None = None
) -> tuple[Community, Membership]:
    """As the community's rule says, never a role above one's own; only who runs it gives a better fare than theirs."""
    found, mine = may_see(community, person, hold)
    if mine.blocked or ROLES.index(mine.role) < ROLES.index(found.rule("may_invite")):
        raise NotAllowed("The rules of this community do not let you invite.")
    if ROLES.index(role) > ROLES.index(mine.role):
        raise NotAllowed("One cannot give a role above one's own.", role=mine.role)
    if not runs(mine) and FARES.index(fare) < FARES.index(mine.fare):
        raise NotAllowed("One cannot give a better fare than one's own.", fare=mine.fare)
    return found, mine


def runners(community: str) -> list[str]:
    """The people who run a community."""
    rows = session.scalars(
        select(Membership.person_id).where(
            Membership.community_id == community,
            Membership.ended_at.is_(None),
            Membership.role != "driver",
            Membership.blocked.is_(False),
        )
    )
    return list(rows)


def owners(community: str) -> list[str]:
    """The people who own a community."""
    rows = session.scalars(
        select(Membership.person_id).where(
            Membership.community_id == community,
            Membership.ended_at.is_(None),
            Membership.role == "owner",
            Membership.blocked.is_(False),
        )
    )
    return list(rows)


def communities_of(person: str) -> list[str]:
    """The communities a person is in and not blocked from."""
    rows = session.scalars(
        select(Membership.community_id)
        .join(Community, Community.id == Membership.community_id)
        .where(
            Membership.person_id == person,
            Membership.ended_at.is_(None),
            Membership.blocked.is_(False),
            Community.ended_at.is_(None),
        )
    )
    return list(rows)

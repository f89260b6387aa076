"""HTTP of communities: the circle, its members, licences cleared for it."""

from typing import Any

from sqlalchemy import select

from app.communities import access, leave, make, schemas
from app.communities import clear_licence as clearing
from app.communities.models import RULES, Community, Membership
from app.kit import clock
from app.kit.auth import caller
from app.kit.db import session
from app.kit.errors import InUse, LastOwner, NotAllowed, NotFound
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page, require_match
from app.kit.routes import Routes, created, patch_of
from app.people import licence
from app.people.models import Person

routes = Routes(
    "communities", __name__, url_prefix="/v1", description="Circles of people, invitations, members."
)


def _community(community: Community, mine: Membership) -> dict[str, Any]:
    return {
        "id": community.id,
        "name": community.name,
        "kind": community.kind,
        "rules": {**RULES, **community.rules},
        "my_role": mine.role,
    }


@routes.add(
    "POST",
    "/communities",
    summary="Make a community",
    body=schemas.Community,
    returns=schemas.Community,
    status=201,
)
def make_community(body: dict[str, Any]) -> Answer:
    """Makes a community with the caller as its owner."""
    made = make.make(caller().person, body)
    _, mine = access.may_see(made.id, caller().person)
    return created(_community(made, mine), f"/communities/{made.id}")


@routes.add("GET", "/communities", summary="One's communities", query=Paging, returns=schemas.CommunityPage)
def list_communities(query: dict[str, Any]) -> Page:
    """The communities one belongs to, newest first."""
    me = caller().person
    live = select(Community).where(Community.id.in_(access.communities_of(me)))
    found = page(live, Community.id, **query)
    found.items = [_community(*access.may_see(one.id, me)) for one in found.items]
    return found


@routes.add(
    "GET", '/communities/<pid("com"):community>', summary="A community", returns=schemas.Community, etag=True
)
def read_community(community: str) -> dict[str, Any]:
    """The community, its rules, and one's own role in it."""
    return _community(*access.may_see(community, caller().person))


_PATCH_COMMUNITY = patch_of(schemas.Community, "name", "rules")


@routes.add(
    "PATCH",
    '/communities/<pid("com"):community>',
    summary="Change a community",
    body=_PATCH_COMMUNITY,
    returns=schemas.Community,
    match=True,
    problems=(NotAllowed,),
)
def change_community(community: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes name or rules; rentals already booked keep theirs."""
    me = caller().person
    _, mine = access.may_see(community, me)
    changed = make.change(
        me, community, body, lambda one: require_match(schemas.Community(), _community(one, mine))
    )
    return _community(changed, mine)


@routes.add(
    "DELETE",
    '/communities/<pid("com"):community>',
    summary="End a community",
    status=204,
    problems=(NotAllowed, InUse),
)
def end_community(community: str) -> None:
    """Ends the community and every membership in it; future rentals are cancelled at no cost, an active one runs
    to its lock. A car that the community owns is taken out first.
    """
    make.end(caller().person, community)


def membership(row: Membership) -> dict[str, Any]:
    person = session.get(Person, row.person_id)
    assert person is not None
    return {
        "person": {"id": person.id, "first_name": person.first_name},
        "role": row.role,
        "fare": row.fare,
        "label": row.label,
        "blocked": row.blocked,
    }


@routes.add(
    "GET",
    '/communities/<pid("com"):community>/members',
    summary="The members",
    query=Paging,
    returns=schemas.MembershipPage,
)
def list_members(community: str, query: dict[str, Any]) -> Page:
    """Who belongs to the community, with role and fare."""
    access.may_see(community, caller().person)
    live = select(Membership).where(Membership.community_id == community, Membership.ended_at.is_(None))
    found = page(live, Membership.id, **query)
    found.items = [membership(one) for one in found.items]
    return found


@routes.add(
    "GET",
    '/communities/<pid("com"):community>/members/<pid("per"):person>',
    summary="One member",
    returns=schemas.Membership,
    etag=True,
)
def read_member(community: str, person: str) -> dict[str, Any]:
    """One member's role, fare and label; to who runs the community also of somebody who left."""
    _, mine = access.may_see(community, caller().person)
    return membership(leave.shown(community, person, mine))


_PATCH_MEMBER = patch_of(schemas.Membership, "role", "fare", "label", "blocked")


@routes.add(
    "PATCH",
    '/communities/<pid("com"):community>/members/<pid("per"):person>',
    summary="Change a membership",
    body=_PATCH_MEMBER,
    returns=schemas.Membership,
    match=True,
    problems=(NotAllowed, LastOwner),
)
def change_member(community: str, person: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes role, fare, label or block. The last owner stays owner. Who is blocked has their bookings cancelled at no
    cost, a rental that is out runs to its lock; lifting the block brings none back. Who left can be blocked
    too, and a block outlasts leaving: lifting it lets the person be invited again.
    """
    return membership(
        leave.change(
            caller().person,
            community,
            person,
            body,
            lambda one: require_match(schemas.Membership(), membership(one)),
        )
    )


@routes.add(
    "DELETE",
    '/communities/<pid("com"):community>/members/<pid("per"):person>',
    summary="Leave, or remove",
    status=204,
    problems=(NotAllowed, LastOwner),
)
def remove_member(community: str, person: str) -> None:
    """Leaves the community, or removes a member; future rentals are cancelled."""
    leave.leave(caller().person, community, person)


@routes.add(
    "POST",
    '/communities/<pid("com"):community>/members/<pid("per"):person>/licence/clear',
    summary="Clear a member's licence for this community",
    returns=schemas.Cleared,
    match=True,
    problems=(NotAllowed,),
)
def clear_licence(community: str, person: str) -> dict[str, Any]:
    """Says that the licence was seen and is good, for this community, until the next recheck. The ETag is that of the
    licence as it was seen. Nobody clears their own.
    """
    clearing.clear_licence(
        caller().person,
        community,
        person,
        lambda: require_match(schemas.Cleared(), _cleared(person, community)),
    )
    return _cleared(person, community)


@routes.add(
    "GET",
    '/communities/<pid("com"):community>/members/<pid("per"):person>/licence',
    summary="A member's licence: class, country, expiry",
    returns=schemas.Cleared,
    etag=True,
    problems=(NotAllowed,),
)
def read_member_licence(community: str, person: str) -> dict[str, Any]:
    """Class, country and expiry of a member's licence, without its number."""
    access.may_run(community, caller().person)
    if access.membership(community, person) is None:
        raise NotFound
    return _cleared(person, community)


def _cleared(person: str, community: str) -> dict[str, Any]:
    held, stands = licence.of(person), licence.standing(person, community, clock.now())
    return {
        "country": held.country,
        "classes": held.classes,
        "expires_on": held.expires_on,
        "recorded_at": held.recorded_at,
        "state": stands.state,
        "recheck_on": stands.recheck_on,
    }

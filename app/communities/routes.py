"""HTTP of communities: the circle, its members, invitations, licences cleared for it."""

from typing import Any

from flask import current_app
from sqlalchemy import select

from app.communities import accept as accepting
from app.communities import access, invite, leave, make, schemas
from app.communities import clear_licence as clearing
from app.communities.models import RULES, Community, Invitation, Membership
from app.kit import clock
from app.kit.auth import Who, caller
from app.kit.db import bare, release, session
from app.kit.errors import AlreadyExists, InUse, InvitationGone, LastOwner, NotAllowed, NotFound
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page, require_match
from app.kit.rate_limits import address, allow_secret
from app.kit.routes import Routes, created, patch_of
from app.people import licence
from app.people.models import Person
from app.people.register import email_key

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


def _membership(row: Membership) -> dict[str, Any]:
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
    found.items = [_membership(one) for one in found.items]
    return found


@routes.add(
    "GET",
    '/communities/<pid("com"):community>/members/<pid("per"):person>',
    summary="One member",
    returns=schemas.Membership,
    etag=True,
)
def read_member(community: str, person: str) -> dict[str, Any]:
    """One member's role, fare and label; to who runs the community also of somebody who left while blocked."""
    _, mine = access.may_see(community, caller().person)
    return _membership(leave.shown(community, person, mine))


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
    """Changes role, fare, label or block. The last owner stays owner. A block outlasts leaving: lifting it lets the
    person be invited again.
    """
    return _membership(
        leave.change(
            caller().person,
            community,
            person,
            body,
            lambda one: require_match(schemas.Membership(), _membership(one)),
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


def _spare_the_mail(community: str, body: dict[str, Any]) -> None:
    """Mails to strangers are few: by each person, and to each address. Who may not invite uses up nobody's share."""
    if not body.get("email"):
        return
    access.may_invite(community, caller().person)
    release()
    limits = current_app.extensions["glovebox"].settings.limits
    allow_secret("invitations", caller().person, limits.invitations)
    allow_secret("invited", email_key(body["email"]), limits.invited)


def _invitation(row: Invitation, *, code: bool = False) -> dict[str, Any]:
    return {
        "id": row.id,
        "email": row.email,
        "label": row.label,
        "role": row.role,
        "fare": row.fare,
        "uses": row.uses,
        "expires_at": row.expires_at,
        "state": invite.state_of(row, clock.now()),
        "code": invite.code_of(row.id) if code else None,
        "url": invite.url_of(row.id) if code else None,
    }


@routes.add(
    "POST",
    '/communities/<pid("com"):community>/invitations',
    summary="Invite",
    guard=_spare_the_mail,
    body=schemas.Invitation,
    returns=schemas.Invitation,
    status=201,
    problems=(NotAllowed,),
    secrets=("code", "url"),
)
def make_invitation(community: str, body: dict[str, Any]) -> Answer:
    """Makes a link and a code, shown this once, that make a membership. Nobody invites to a role above their
    own, and only who runs the community to a fare better than their own. How many are mailed by one person, and to
    one address, is limited by the day.
    """
    made = invite.invite(caller().person, community, body)
    return created(_invitation(made, code=True), f"/communities/{community}/invitations")


@routes.add(
    "GET",
    '/communities/<pid("com"):community>/invitations',
    summary="Invitations",
    query=Paging,
    returns=schemas.InvitationPage,
    problems=(NotAllowed,),
)
def list_invitations(community: str, query: dict[str, Any]) -> Page:
    """Invitations with their state; the codes are not shown again. Who may invite but does not run the community
    sees their own.
    """
    _, mine = access.may_see(community, caller().person)
    statement = select(Invitation).where(Invitation.community_id == community)
    if not access.runs(mine):
        access.may_invite(community, caller().person)
        statement = statement.where(Invitation.invited_by == caller().person)
    found = page(statement, Invitation.id, **query)
    found.items = [_invitation(one) for one in found.items]
    return found


@routes.add(
    "DELETE",
    "/invitations/<string(minlength=1,maxlength=64):invitation>",
    summary="Revoke an invitation",
    status=204,
    problems=(NotAllowed,),
)
def revoke_invitation(invitation: str) -> None:
    """Revokes an invitation: its link is dead before the answer."""
    bare(invitation, "inv")
    invite.revoke(caller().person, invitation)


def _guard(**_: str) -> None:
    limits = current_app.extensions["glovebox"].settings.limits
    allow_secret("preview", address(), limits.preview)


@routes.add(
    "GET",
    "/invitations/<string(minlength=1,maxlength=64):code>",
    who=Who.ALL,
    summary="Preview an invitation",
    guard=_guard,
    returns=schemas.Preview,
    problems=(InvitationGone,),
)
def preview_invitation(code: str) -> dict[str, Any]:
    """Shows whoever holds the code who invites, and to what."""
    return invite.preview(code)


@routes.add(
    "POST",
    "/invitations/<string(minlength=1,maxlength=64):code>/accept",
    summary="Accept an invitation",
    guard=_guard,
    returns=schemas.Membership,
    problems=(InvitationGone, AlreadyExists, NotAllowed),
)
def accept_invitation(code: str) -> dict[str, Any]:
    """Makes the membership. A spent, revoked or expired invitation is invitation-gone, with the reason."""
    return _membership(accepting.accept(caller().person, code))


@routes.add(
    "POST",
    "/invitations/<string(minlength=1,maxlength=64):code>/decline",
    summary="Decline an invitation",
    guard=_guard,
    status=204,
    problems=(InvitationGone,),
)
def decline_invitation(code: str) -> None:
    """Turns the invitation down; who invited is told."""
    accepting.decline(caller().person, code)

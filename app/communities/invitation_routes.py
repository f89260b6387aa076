"""HTTP of invitations: made, shown, revoked, accepted, declined."""

from typing import Any

from flask import current_app
from sqlalchemy import select

from app.communities import accept as accepting
from app.communities import access, invite, schemas
from app.communities.models import Invitation
from app.communities.routes import membership, routes
from app.kit import clock
from app.kit.auth import Who, caller
from app.kit.db import bare, release
from app.kit.errors import AlreadyExists, InvitationGone, NotAllowed
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page
from app.kit.rate_limits import allow_secret
from app.kit.routes import created
from app.people.register import email_key


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
        "qr": invite.qr_of(row.id) if code else None,
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
    secrets=("code", "url", "qr"),
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
    invite.count_look()


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
    return membership(accepting.accept(caller().person, code))


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

"""Accept or decline an invitation: one lock, one use, one membership."""

from sqlalchemy import select

from app.communities import access
from app.communities.invite import gone, hashed, state_of
from app.communities.models import Community, Invitation, Membership
from app.facts import InvitationAccepted, InvitationDeclined
from app.kit import clock, facts
from app.kit.db import new_id, session, transactional
from app.kit.errors import AlreadyExists, NotAllowed, NotFound
from app.people.models import Person
from app.people.register import email_key


def _locked(code: str, person: str) -> Invitation:
    """The community first, which who blocks, removes or ends holds too; then the invitation."""
    found = session.scalars(select(Invitation).where(Invitation.code_hash == hashed(code))).first()
    if found is None:
        raise NotFound
    community = session.get(Community, found.community_id, with_for_update={"read": True})
    session.refresh(found, with_for_update=True)
    state = state_of(found, clock.now())
    if state != "open" or community is None or community.ended_at is not None:
        raise gone(state)
    me = session.get(Person, person)
    assert me is not None
    if found.email is not None and email_key(found.email) != me.email_key:
        raise NotFound("This invitation was sent to another address.")
    return found


@transactional
def accept(person: str, code: str) -> Membership:
    """Become a member. Raises NotFound, InvitationGone, AlreadyExists, NotAllowed for who was blocked there."""
    found = _locked(code, person)
    before = access.last_membership(found.community_id, person)
    if before is not None and before.ended_at is None:
        raise AlreadyExists("You are a member of this community.")
    if before is not None and before.blocked:
        raise NotAllowed("You were blocked in this community; who runs it must lift that first.")
    found.used += 1
    made = Membership(
        id=new_id("mem"),
        community_id=found.community_id,
        person_id=person,
        role=found.role,
        fare=found.fare,
        label=found.label,
        made_at=clock.now(),
    )
    session.add(made)
    session.flush()
    facts.record(InvitationAccepted(invitation=found.id, community=found.community_id, person=person))
    return made


@transactional
def decline(person: str, code: str) -> None:
    """Decline: an invitation for one is closed, a link for several stays open for the others."""
    found = _locked(code, person)
    if found.uses == 1:
        found.declined_at = clock.now()
    facts.record(InvitationDeclined(invitation=found.id, community=found.community_id, person=person))

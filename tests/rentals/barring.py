"""Each way in which somebody may not book any more."""

from app.communities import leave
from app.facts import MemberRemoved, MembershipChanged, PersonSuspended
from app.kit.facts import Fact
from app.operator import act


def bar(person: str, how: str, *, community: str, by: str) -> Fact:
    """`left`, `removed` or `blocked` by who runs the community, `suspended` by an operator; the fact of it."""
    if how == "suspended":
        act.suspend(person, by="operator", reason="tests")
        return PersonSuspended(person, by="operator", reason="tests")
    if how == "blocked":
        leave.change(by, community, person, {"blocked": True}, lambda _: None)
        return MembershipChanged(community, person, by=by, blocked=True)
    ends = person if how == "left" else by
    leave.leave(ends, community, person)
    return MemberRemoved(community, person, by=ends)

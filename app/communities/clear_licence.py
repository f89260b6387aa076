"""Clear a member's licence for one community, as it was seen."""

from collections.abc import Callable

from app.communities import access
from app.kit.db import session, transactional
from app.kit.errors import NotAllowed, NotFound
from app.people import licence
from app.people.models import Licence


@transactional
def clear_licence(by: str, community: str, person: str, check: Callable[[], None]) -> None:
    """Let a member's licence pass here. Nobody clears their own, and `check` refuses one that was replaced meanwhile.

    Raises NotFound, NotAllowed, Validation for a licence that is out of date, and what `check` does.
    """
    found, _ = access.may_run(community, by, "share")
    if access.membership(community, person) is None:
        raise NotFound
    if person == by:
        raise NotAllowed("Somebody else who runs the community must look at your licence.")
    if session.get(Licence, person, with_for_update=True) is None:
        raise NotFound
    check()
    licence.clear(
        person, by=by, level="owner", community=community, recheck_months=found.rule("recheck_months")
    )

"""May this person book the car, now locked, for this span: one look, since each booking asks it."""

from datetime import datetime

from app.cars import access, windows
from app.cars.models import Car
from app.communities.models import Membership
from app.kit import clock
from app.kit.db import session

_LOOK = access.THROUGH[True].add_columns(clock.business_now.label("now"), windows.OFFERED.label("offered"))


def look(
    car: Car, person: str, community: str, from_at: datetime, to_at: datetime
) -> tuple[Membership | None, bool]:
    """The membership through which they see the car, kept until the transaction ends, and whether the owner offers the
    whole span. What `clock.now()` says from here on is of this look.
    """
    through = access.through(car, person, community)
    row = session.execute(_LOOK, {**through, "no": car.no, "from_at": from_at, "to_at": to_at}).first()
    if row is None:
        return None, False
    clock.told(row.now)
    return row.Membership, row.offered

"""Whether a box can be heard where its car is parked, as learned from hours there; how often, never when.

A place is a cell of about 100 m of one car, kept only as a keyed hash: one can ask whether a place is known, not which
places are. Of the times only the day of the last visit is kept, and a cell not visited for 60 days is forgotten.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app.cars.kept import Kept, value
from app.cars.models import Box, Reachability
from app.kit import clock
from app.kit.db import session
from app.kit.keys import mac

CELL_DEGREES = 0.0009
"""About 100 m to the north."""
HEARD_WITHIN = timedelta(minutes=25)
FEWEST_HOURS, POOR_SHARE = 6, 0.7
LONGEST_GAP_H, MOST_HOURS = 24, 400
"""A box that was broken for a week does not condemn the place for ever, and old hours give way to new ones."""
KEPT = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours parked in a place in which the box was heard, and in which it was not."""

    seen: int
    unseen: int

    @property
    def poor(self) -> bool:
        total = self.seen + self.unseen
        return total >= FEWEST_HOURS and self.seen < POOR_SHARE * total


def counted(heard_before: datetime, now: datetime) -> Hours:
    """What the time since a parked box was last heard counts: one good hour, or all that it was silent."""
    gap = now - heard_before
    if gap <= HEARD_WITHIN:
        return Hours(1, 0)
    return Hours(0, min(LONGEST_GAP_H, math.ceil(gap / timedelta(hours=1))))


def cell(car_no: int, lat: float, lon: float) -> bytes:
    """The place as it is kept."""
    north = round(lat / CELL_DEGREES)
    width = CELL_DEGREES / max(0.1, math.cos(math.radians(north * CELL_DEGREES)))
    return mac("parking cell", f"{car_no}:{north}:{round(lon / width)}")[:12]


def parked_in(car_no: int, state: Kept) -> bytes | None:
    """The cell in which the car stands, off and locked, by its last readings."""
    if value(state, "drivable") is not False or value(state, "locked") is not True:
        return None
    return _stands_in(car_no, state)


def _stands_in(car_no: int, state: Kept) -> bytes | None:
    lat, lon = value(state, "latitude"), value(state, "longitude")
    return cell(car_no, lat, lon) if lat is not None and lon is not None else None


def count(car_no: int, place: bytes, hours: Hours) -> None:
    """Add to what is known of a place; a long history is halved, so that it can still learn."""
    row = insert(Reachability).values(
        car_no=car_no, cell=place, seen=hours.seen, unseen=hours.unseen, visited_on=clock.now().date()
    )
    shrink = (Reachability.seen + Reachability.unseen) // MOST_HOURS + 1
    session.execute(
        row.on_conflict_do_update(
            index_elements=["car_no", "cell"],
            set_={
                "seen": Reachability.seen // shrink + row.excluded.seen,
                "unseen": Reachability.unseen // shrink + row.excluded.unseen,
                "visited_on": row.excluded.visited_on,
            },
        )
    )


def of(car_no: int, place: bytes) -> Hours:
    row = session.execute(
        select(Reachability.seen, Reachability.unseen).where(
            Reachability.car_no == car_no, Reachability.cell == place
        )
    ).first()
    return Hours(row.seen, row.unseen) if row else Hours(0, 0)


def poor_where_it_stands(car_no: int, box: Box | None) -> bool:
    """Whether the box was often silent where the car stands now; False where too little is known."""
    place = _stands_in(car_no, box.state) if box is not None else None
    return place is not None and of(car_no, place).poor


def forget() -> None:
    """Places not visited for 60 days."""
    session.execute(delete(Reachability).where(Reachability.visited_on < (clock.now() - KEPT).date()))

"""Whose the place of the photos is: in one that is not this installation's nothing is swept."""

from collections.abc import Iterator

from app.kit.config import Settings
from app.kit.db import release
from app.kit.errors import Unavailable
from app.kit.storage import storage_of
from app.operator.finding import Finding, ok, wrong
from app.rentals import photo_place
from app.rentals.photo_place import Whose

NOT_OURS = {
    Whose.ANOTHERS: "bears the mark of another installation",
    Whose.UNMARKED: "holds photos, but no mark of an installation",
}


def of(house: Settings) -> Iterator[Finding]:
    """The finding about the mark; a place that cannot be reached is the doors' to tell of."""
    name = "mark of the photos"
    release()
    try:
        whose = photo_place.whose(storage_of(house))
    except Unavailable:
        return
    if whose in NOT_OURS:
        yield wrong(
            name,
            f"{house.photos} {NOT_OURS[whose]}: nothing is swept there",
            "Set GLOVEBOX_PHOTOS to a place of this installation's own. If this one is:"
            " flask --app wsgi operator photos take",
        )
    else:
        yield ok(name, f"{house.photos} is {whose.value}")

"""A lent car in another country than its own: two readings of its position say so, and no more than that is handed on.

With a box is kept in which country it was seen last, and since when: no position, and only the last.
"""

from datetime import datetime, timedelta

from app.cars import country, custody, kept
from app.cars.models import Box, Car
from app.kit.clock import z
from app.kit.db import session
from app.kit.jobs import defer
from carbox.box import BoxState

AGREES_AFTER = timedelta(minutes=1)
"""A second reading at least so much later must agree: a receiver that wakes up may be wrong by any distance."""
TOGETHER = timedelta(minutes=1)
PLACE = ("latitude", "longitude")


def look(box: Box, delta: BoxState) -> None:
    """After what a box said: where it is in a country that is news, and was there a minute ago too, that is handed on."""
    if not any(name in delta for name in PLACE):
        return
    seen = _place(box)
    if seen is None:
        return
    lat, lon, at = seen
    stands = box.watch.get("country", {})
    here = country.at(lat, lon)
    if here is None or (here == stands.get("code") and stands["judged"]):
        return
    if country.surely(lat, lon) is None:
        return
    if here != stands.get("code"):
        _note(box, here, at, judged=False)
    elif at - datetime.fromisoformat(stands["since"]) >= AGREES_AFTER:
        since = datetime.fromisoformat(stands["since"])
        _note(box, here, since, judged=True)
        _hand_on(box, here, since)


def judge_anew(box: Box, at: datetime) -> None:
    """Somebody took the car at that instant: if the next reading shows it where it was, it is there with them.

    Where it was seen there later, but before the box's record said that it was taken, that counts now.
    """
    stands = box.watch.get("country")
    if stands is None:
        return
    since = datetime.fromisoformat(stands["since"])
    if since < at:
        _note(box, stands["code"], at, judged=False)
    elif stands["judged"]:
        _hand_on(box, stands["code"], since)


def _place(box: Box) -> tuple[float, float, datetime] | None:
    """The position of which both parts were said together, and when."""
    lat, lon = (kept.value(box.state, name) for name in PLACE)
    ats = [at for name in PLACE if (at := kept.instant(box.state, name)) is not None]
    if lat is None or lon is None or len(ats) < len(PLACE) or max(ats) - min(ats) > TOGETHER:
        return None
    return float(lat), float(lon), max(ats)


def _note(box: Box, code: str, since: datetime, *, judged: bool) -> None:
    box.watch = {**box.watch, "country": {"code": code, "since": z(since), "judged": judged}}


def _hand_on(box: Box, code: str, since: datetime) -> None:
    """To who knows what the insurer's territory is; not of the owner's own journeys, nor where the car is at home."""
    car = session.get_one(Car, box.car_id)
    if code in (car.country, country.at(car.home_lat, car.home_lon)):
        return
    held = custody.at(car.no, since)
    if held is not None and held.holder == "driver":
        defer("note_country", lock=car.id, rental=held.rental_id, country=code, at=z(since))

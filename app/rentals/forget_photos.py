"""Photos are forgotten when nobody can need them any more; pictures without a row are swept away."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice

import structlog
from sqlalchemy import delete, func, or_, select

from app.kit import clock
from app.kit.clock import real_now
from app.kit.db import session, transactional
from app.kit.jobs import defer, job
from app.kit.storage import Storage
from app.people.models import Person
from app.rentals import photo_place, photos
from app.rentals.models import Rental
from app.rentals.photo_models import PIC, Photo
from app.rentals.photo_place import PICTURE, Whose

log = structlog.get_logger(__name__)

KEPT_FOR = timedelta(days=400)
"""From the end of the rental: a fine may be asked for in the first year, and is heard in the month after it."""
ORPHANED_FOR = timedelta(days=1)
"""A picture this old has its row, or never will: nobody's upload takes a day."""
BATCH = 200
HELD: list[Callable[[str], bool]] = []
"""Who needs the photos of a rental (its id) longer; the factory fills it."""


def due() -> None:
    """Have it done, in the present transaction."""
    defer("forget_photos", lock="forget_photos")


@job("forget_photos")
def forget_photos() -> None:
    """What is past its time, what an erased person added, what no row speaks of, what was never wholly written."""
    storage = photos.storage()
    after = ""
    while rentals := _over(clock.now() - KEPT_FOR, after):
        for rental in rentals:
            for name in _forget(rental):
                storage.delete(name)
        after = rentals[-1]
    if _is_ours(storage):
        sweep(storage, real_now() - ORPHANED_FOR)
        storage.forget_halves(real_now() - ORPHANED_FOR)


@transactional
def _over(before: datetime, after: str) -> Sequence[str]:
    """Some rentals with photos that may go, by their ids."""
    gone = (
        select(Photo.rental_id).join(Person, Person.id == Photo.added_by).where(Person.erased_at.is_not(None))
    )
    over = func.coalesce(Rental.ended_at, Rental.over_at, Rental.to_at) < before
    found = select(Rental.id).where(Rental.id.in_(select(Photo.rental_id)), or_(over, Rental.id.in_(gone)))
    if after:
        found = found.where(Rental.id > after)
    return session.scalars(found.order_by(Rental.id).limit(BATCH)).all()


@transactional
def _forget(rental: str) -> list[str]:
    """The rows of one rental, and the names of their pictures; none while somebody needs them."""
    row = session.get_one(Rental, rental, with_for_update=True, populate_existing=True)
    if any(held(rental) for held in HELD):
        return []
    whole = (row.ended_at or row.over_at or row.to_at) < clock.now() - KEPT_FOR
    erased = select(Person.id).where(Person.erased_at.is_not(None))
    some = photos.of(rental) if whole else photos.of(rental).where(Photo.added_by.in_(erased))
    found = session.scalars(some).all()
    session.execute(delete(Photo).where(Photo.id.in_([one.id for one in found])))
    return [one.file for one in found]


def _is_ours(storage: Storage) -> bool:
    """Photos without a row may be another installation's: only a place with our mark is swept."""
    whose = photo_place.whose(storage)
    if whose in (Whose.ANOTHERS, Whose.UNMARKED):
        log.error("the place of the photos is not swept: see flask --app wsgi doctor", mark=whose.value)
    return whose is Whose.OURS


def sweep(storage: Storage, before: datetime) -> int:
    """Delete the pictures that were laid down before then and have no row; returns how many. What is not ours stays."""
    swept = 0
    laid = (
        (one.name, match[1])
        for one in storage.kept()
        if one.at < before and (match := PICTURE.fullmatch(one.name))
    )
    while some := dict(islice(laid, BATCH)):
        known = _known([f"{PIC}_{digits}" for digits in some.values()])
        for name, digits in some.items():
            if f"{PIC}_{digits}" not in known:
                storage.delete(name)
                swept += 1
    return swept


@transactional
def _known(ids: list[str]) -> set[str]:
    return set(session.scalars(select(Photo.id).where(Photo.id.in_(ids))))

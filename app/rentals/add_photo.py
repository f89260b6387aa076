"""A photo is added: first the picture is laid down where pictures lie, then its row says so, in a transaction of its own.

What is cut off in between leaves a picture without a row, which `forget_photos` sweeps away.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import func, select

from app.cars.models import Car
from app.facts import PhotoAdded
from app.kit import clock, facts, picture
from app.kit.db import new_id, release, session, transactional
from app.kit.errors import NotFound, OutsideRules, Validation
from app.kit.picture import NoPictureError, Picture
from app.kit.rate_limits import allow_secret
from app.rentals import access, photo_place, photos
from app.rentals.lifecycle import Role
from app.rentals.models import Rental
from app.rentals.photo_models import PIC, Photo, file_of
from app.rentals.photo_rules import ONCE, PER_RENTAL, Angle, At, require


@dataclass(frozen=True, slots=True)
class LaidDown:
    """A picture that lies where it belongs, and has no row yet."""

    id: str
    sha256: str
    picture: Picture


def lay_down(person: str, rental_id: str, at: At, angle: Angle, sent: bytes) -> LaidDown | None:
    """Clean the picture and keep it; None for what was sent before. No transaction may be open.

    Only what is drawn counts by the day. Raises NotFound, NotAllowed, StepNotAllowed, OutsideRules, RateLimited,
    Validation, Unavailable.
    """
    rental = access.may_see(rental_id, person)
    role = _role(rental, person)
    full = _is_full(rental, role)  # before the look: the last one that fits may be this very photo
    known = _known(rental, sent)
    if _same(known, rental, at, angle) is not None:
        return None
    _refuse(rental, role, at, full=full)
    _refuse_known(known, rental, at)
    zone = ZoneInfo(session.get_one(Car, rental.car_id).time_zone)
    release()
    allow_secret("photos", person, current_app.extensions["glovebox"].settings.limits.photos)
    try:
        found = picture.cleaned(sent, zone)
    except NoPictureError as error:
        raise Validation(errors=[{"pointer": "/file", "code": "invalid", "detail": str(error)}]) from error
    made, sha256 = new_id(PIC), hashlib.sha256(found.data).hexdigest()
    storage = photos.storage()
    photo_place.claim(storage)
    storage.put(file_of(sha256, made), found.data)
    return LaidDown(made, sha256, found)


@transactional
def add_photo(
    person: str, rental_id: str, at: At, angle: Angle, sent: bytes, laid: LaidDown | None
) -> tuple[Photo, bool]:
    """The photo, and whether it is new: the same bytes for the same step and angle are the same photo.

    Raises NotFound, NotAllowed, StepNotAllowed, OutsideRules, Validation.
    """
    _, rental = access.locked(rental_id)
    role = _role(rental, person)
    full = _is_full(rental, role)
    known = _known(rental, sent)
    same = _same(known, rental, at, angle)
    if same is not None:
        return same, False
    if laid is None:
        raise NotFound  # it was forgotten between the look and now
    _refuse(rental, role, at, full=full)
    _refuse_known(known, rental, at)
    row = Photo(
        id=laid.id,
        rental_id=rental_id,
        added_by=person,
        role=role.value,
        step=at.value,
        angle=angle.value,
        sha256=laid.sha256,
        sent_sha256=_hash(sent),
        bytes=len(laid.picture.data),
        width=laid.picture.width,
        height=laid.picture.height,
        taken_at=laid.picture.taken_at,
        received_at=clock.now(),
    )
    session.add(row)
    session.flush()
    facts.record(
        PhotoAdded(row.id, rental_id, by=row.role, step=row.step, angle=row.angle, sha256=row.sha256)
    )
    return row, True


def _role(rental: Rental, person: str) -> Role:
    role = access.role_of(rental, person)
    if role is None:
        raise NotFound
    return role


def _known(rental: Rental, sent: bytes) -> Sequence[Photo]:
    """The photos of the car of the very same bytes, in one look: others may add theirs at any moment."""
    of_car = select(Photo).join(Rental, Rental.id == Photo.rental_id).where(Rental.car_id == rental.car_id)
    return session.scalars(of_car.where(Photo.sent_sha256 == _hash(sent)).order_by(Photo.id)).all()


def _same(known: Sequence[Photo], rental: Rental, at: At, angle: Angle) -> Photo | None:
    this = (rental.id, at.value, angle.value)
    return next((one for one in known if (one.rental_id, one.step, one.angle) == this), None)


def _hash(sent: bytes) -> str:
    return hashlib.sha256(sent).hexdigest()


def _is_full(rental: Rental, role: Role) -> bool:
    count = select(func.count()).where(Photo.rental_id == rental.id, Photo.role == role.value)
    return session.execute(count).scalar_one() >= PER_RENTAL


def _refuse(rental: Rental, role: Role, at: At, *, full: bool) -> None:
    require(at, role, rental.stands, from_at=rental.from_at, ended_at=rental.ended_at, now=clock.now())
    if full:
        raise OutsideRules(
            f"At most {PER_RENTAL} photos of a rental by each side.",
            rule="photos_per_rental",
            limit=PER_RENTAL,
        )


def _refuse_known(known: Sequence[Photo], rental: Rental, at: At) -> None:
    """A picture is no second side of the car, and none of another time. Raises Validation."""
    for one in known:
        if one.rental_id != rental.id or one.step in ONCE[at]:
            where = f"at {one.step}, {one.angle}" if one.rental_id == rental.id else "in another rental"
            detail = f"This picture is there already, {where}: take one of its own."
            raise Validation(errors=[{"pointer": "/file", "code": "known", "detail": detail}])

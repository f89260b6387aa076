"""HTTP of photos: added by driver and owner, read by both, and by nobody else."""

from typing import Any

from flask import Response, g

from app.kit import media
from app.kit.auth import caller
from app.kit.errors import NotAllowed, OutsideRules, StepNotAllowed, Unavailable
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page
from app.kit.multipart import Form
from app.kit.routes import Routes, created
from app.rentals import access, forget_photos, photo_schemas, photos
from app.rentals.add_photo import add_photo, lay_down
from app.rentals.photo_models import Photo
from app.rentals.photo_rules import Angle, At

JOBS = (forget_photos,)
"""Importing the routes registers the job of this module."""
routes = Routes("photos", __name__, url_prefix="/v1", description="Photos of the car, before and after.")
RENTAL = '/rentals/<pid("ren"):rental>/photos'
ONE = RENTAL + '/<pid("pic"):photo>'
FORM = Form("file", 10_000_000, {"step": tuple(At), "angle": tuple(Angle)})


def _lay_down(rental: str, form: tuple[bytes, dict[str, str]]) -> None:
    """The picture is kept before any transaction begins: an Idempotency-Key's is around the whole view."""
    sent, words = form
    g.laid = lay_down(caller().person, rental, At(words["step"]), Angle(words["angle"]), sent)


@routes.add(
    "POST",
    RENTAL,
    summary="Add a photo",
    form=FORM,
    returns=photo_schemas.Photo,
    status=201,
    also=(200,),
    guard=_lay_down,
    while_suspended=True,
    problems=(NotAllowed, StepNotAllowed, OutsideRules, Unavailable),
)
def add_rental_photo(rental: str, form: tuple[bytes, dict[str, str]]) -> Answer:
    """A JPEG, PNG or WebP as multipart/form-data: by the driver from an hour before the start to the unlock, and up to a
    day after the lock; of damage by driver or owner up to a year after. Kept as a JPEG of the pixels alone: place,
    device and every other metadata are dropped. The same bytes for the same step and angle are the same photo (200);
    as another side, as the other of unlock and lock, or in another rental of the car they are refused (`known`).
    """
    sent, words = form
    made, is_new = add_photo(caller().person, rental, At(words["step"]), Angle(words["angle"]), sent, g.laid)
    place = f"/rentals/{rental}/photos/{made.id}"
    answer = created(photos.shown(made), place)
    return answer if is_new else Answer(answer.body, 200, answer.headers)


@routes.add("GET", RENTAL, summary="The photos of a rental", query=Paging, returns=photo_schemas.PhotoPage)
def list_rental_photos(rental: str, query: dict[str, Any]) -> Page:
    """The photos of a rental, the same for driver and owner, newest first."""
    access.may_see(rental, caller().person)
    found = page(photos.of(rental), Photo.id, **query)
    found.items = [photos.shown(row) for row in found.items]
    return found


@routes.add("GET", ONE, summary="A photo", returns=photo_schemas.Photo, etag=True)
def read_rental_photo(rental: str, photo: str) -> dict[str, Any]:
    """What is known of a photo; the picture is at its `url`."""
    return photos.shown(photos.find(caller().person, rental, photo))


@routes.add(
    "GET", ONE + "/file", summary="A photo's picture", etag=True, media=(media.JPEG,), problems=(Unavailable,)
)
def read_rental_photo_file(rental: str, photo: str) -> Response:
    """The picture itself. It never changes: a private cache may keep it."""
    return photos.file(photos.find(caller().person, rental, photo))

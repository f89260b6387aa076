"""HTTP of damages: the register of a car."""

from typing import Any

from flask import Response

from app.cars.routes import ONE as CAR
from app.kit.auth import caller
from app.kit.errors import InUse, NotAllowed, NotFound, Unavailable
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page, require_match
from app.kit.media import JPEG
from app.kit.routes import created, patch_of
from app.rentals import damage_schemas, damages, photos
from app.rentals.damage_models import Damage
from app.rentals.routes import routes

_ALL = CAR + "/damages"
_ONE = _ALL + '/<pid("dmg"):damage>'


_PATCH = patch_of(damage_schemas.DamageOut, "photos", "unsafe", "state")


def _damage(row: Damage) -> dict[str, Any]:
    seen = {None: "by_owner", True: "before_unlock", False: "after_unlock"}[row.before_unlock]
    shown = ("id", "part", "text", "photos", "unsafe", "state", "made_at", "repaired_at")
    rental = row.rental_id if damages.knows_rental(row, caller().person) else None
    return {name: getattr(row, name) for name in shown} | {"seen": seen, "rental": rental}


@routes.add(
    "POST",
    _ALL,
    summary="Report damage",
    body=damage_schemas.DamageIn,
    returns=damage_schemas.DamageOut,
    status=201,
    while_suspended=True,
    problems=(NotAllowed, NotFound, InUse),
)
def report_damage(car: str, body: dict[str, Any]) -> Answer:
    """Writes a damage down: by the owner, or by a driver from an hour before the start to a day after the lock. What is
    seen before the unlock is another's. With `unsafe` nobody unlocks the car from now on; who has it out can still get
    in and lock it. `photos` are those of the rental.
    """
    row = damages.report(caller().person, car, body)
    return created(_damage(row), f"/cars/{car}/damages/{row.id}")


@routes.add("GET", _ALL, summary="A car's damages", query=Paging, returns=damage_schemas.DamagePage)
def list_damages(car: str, query: dict[str, Any]) -> Page:
    """What is known to be wrong with a car, or was, newest first, for whoever may see it."""
    found = page(damages.of(caller().person, car), Damage.id, **query)
    found.items = [_damage(row) for row in found.items]
    return found


@routes.add("GET", _ONE, summary="A damage", returns=damage_schemas.DamageOut, etag=True)
def read_damage(car: str, damage: str) -> dict[str, Any]:
    """One damage of a car, for whoever may see the car; for a day also for who reported it, a member or not."""
    return _damage(damages.find(caller().person, car, damage))


@routes.add(
    "PATCH",
    _ONE,
    summary="Change a damage",
    body=_PATCH,
    returns=damage_schemas.DamageOut,
    match=True,
    while_suspended=True,
    problems=(NotAllowed,),
)
def change_damage(car: str, damage: str, body: dict[str, Any]) -> dict[str, Any]:
    """Its owner says that it is repaired, or safe to drive with; who reported it adds photos within a day, or that it is
    unsafe. What was written stays as it was written.
    """
    row = damages.change(
        caller().person,
        car,
        damage,
        body,
        lambda one: require_match(damage_schemas.DamageOut(), _damage(one)),
    )
    return _damage(row)


@routes.add(
    "GET",
    _ONE + '/photos/<pid("pic"):photo>/file',
    summary="A damage's photo",
    etag=True,
    media=(JPEG,),
    problems=(Unavailable,),
)
def read_damage_photo_file(car: str, damage: str, photo: str) -> Response:
    """A photo shown with a damage, for whoever may see the car."""
    return photos.file(damages.photo(caller().person, car, damage, photo))

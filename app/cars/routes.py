"""HTTP of cars: the vehicle, its state and place, and who held it."""

from typing import Any

from app.cars import (
    access,
    add,
    blur,
    box,
    find,
    look,
    other_times,
    schemas,
    state_schemas,
)
from app.cars.models import Car
from app.kit.auth import caller
from app.kit.errors import (
    AlreadyExists,
    InUse,
    NotAllowed,
    NotFound,
    PlaceHidden,
    Validation,
)
from app.kit.fields import PlaceSchema
from app.kit.http import Answer, require_match
from app.kit.routes import Routes, created, patch_of

routes = Routes("cars", __name__, url_prefix="/v1", description="Cars, their windows, terms and boxes.")
ONE = '/cars/<pid("car"):car>'


def represent(car: Any, *, exact: bool, has_box: bool) -> dict[str, Any]:
    """A car as far as the reader may see it."""
    lat, lon = (car.home_lat, car.home_lon) if exact else blur.blurred(car)
    return {
        "id": car.id,
        "owner": car.owner_id,
        "community": car.community_id,
        "plate": car.plate if exact else None,
        "vin": car.vin if exact else None,
        "make": car.make,
        "model": car.model,
        "powertrain": car.powertrain,
        "seats": car.seats,
        "country": car.country,
        "time_zone": car.time_zone,
        "home": {"lat": lat, "lon": lon, "label": car.home_label if exact else "", "exact": exact},
        "return_": car.return_rule,
        "note": car.note,
        "charge_rule": car.charge_rule,
        "yearly_cost": car.yearly_cost,
        "first_registration": car.first_registration,
        "inspection_until": car.inspection_until,
        "declared_value": car.declared_value,
        "state": "unsafe" if car.unsafe else "ready" if has_box else "no_box",
    }


def _car(car: Car) -> dict[str, Any]:
    return represent(car, exact=access.revealed(car, caller().person), has_box=box.live(car.id) is not None)


@routes.add(
    "POST",
    "/cars",
    summary="Add a car",
    body=schemas.CarIn,
    returns=schemas.Car,
    status=201,
    problems=(AlreadyExists, NotAllowed, NotFound),
)
def add_car(body: dict[str, Any]) -> Answer:
    """Adds a car, one's own or a community's. Plate and vehicle number are each in use once."""
    made = add.add(caller().person, body)
    return created(_car(made), f"/cars/{made.id}")


@routes.add(
    "GET",
    "/cars",
    summary="Cars that are mine or mine to book",
    query=schemas.CarQuery,
    returns=schemas.FoundCarPage,
)
def find_cars(query: dict[str, Any]) -> Answer:
    """The cars that are mine or mine to book, the newest first or, with `near`, the nearest; with a span, those that may be
    had for all of it by their calendar and by the rules of terms and community, with the total. How many rentals a week a
    community allows is said by the quote. A car of several communities is shown through the best of those.
    """
    span = query.get("free_from"), query.get("free_to")
    if (span[0] is None) != (span[1] is None) or (span[0] and span[1] and span[0] >= span[1]):
        raise Validation(
            errors=[{"parameter": "free_to", "code": "invalid", "detail": "Give both, in order."}]
        )
    rows, cursor = find.find(caller().person, query)
    items = [found(row, span) for row in rows]
    for one in items:
        one["return"] = one.pop("return_")
    return Answer({"items": items, "next_cursor": cursor}, ready=True)


@routes.add(
    "GET",
    "/cars/other-times",
    summary="When cars are free instead",
    query=schemas.OtherTimesQuery,
    returns=schemas.OtherTimes,
)
def find_other_times(query: dict[str, Any]) -> dict[str, Any]:
    """For a span in which a car is not free, the nearest of the same length in which it is, up to two days before or
    after, with what that would cost; the cars of the search, the nearest time first.
    """
    if not query["free_from"] < query["free_to"]:
        raise Validation(
            errors=[{"parameter": "free_to", "code": "invalid", "detail": "Lies after `free_from`."}]
        )
    rows = other_times.nearest(caller().person, query)
    return {"items": [{"car": found(row, (a, b)), "from_": a, "to": b} for row, a, b in rows]}


def found(row: Any, span: tuple[Any, Any]) -> dict[str, Any]:
    shown = represent(
        row._replace(
            id=f"car_{row.id.hex}",
            owner_id=f"per_{row.owner_id.hex}" if row.owner_id else None,
            community_id=f"com_{row.community_id.hex}" if row.community_id else None,
        ),
        exact=row.rank < 2 and row.owner_id is not None,
        has_box=row.box_id is not None,
    )
    shown["total"] = find.total(row, *span) if span[0] else None
    shown["distance_km"] = None if row.km is None else round(row.km, 1)
    shown["through"] = f"com_{row.through.hex}" if row.through else None
    shown["fare"] = row.fare
    return shown


@routes.add("GET", ONE, summary="A car", returns=schemas.Car, etag=True)
def read_car(car: str) -> dict[str, Any]:
    """The car as far as the reader may see it: plate, vehicle number and exact place only for its owner, and
    its driver around the rental.
    """
    return _car(access.may_see(car, caller().person))


_PATCH_CAR = patch_of(
    schemas.CarIn,
    "plate",
    "make",
    "model",
    "powertrain",
    "seats",
    "time_zone",
    "home",
    "return_",
    "note",
    "charge_rule",
    "yearly_cost",
    "first_registration",
    "inspection_until",
    "declared_value",
)


@routes.add(
    "PATCH",
    ONE,
    summary="Change a car",
    body=_PATCH_CAR,
    returns=schemas.Car,
    match=True,
    problems=(NotAllowed, AlreadyExists),
)
def change_car(car: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes what is given; what is left out stays."""
    return _car(add.change(caller().person, car, body, lambda one: require_match(schemas.Car(), _car(one))))


@routes.add("DELETE", ONE, summary="Remove a car", status=204, problems=(NotAllowed, InUse))
def remove_car(car: str) -> None:
    """Removes a car that no open rental needs."""
    add.remove(caller().person, car)


# -- state, place, custody --------------------------------------------------------------------------------------


@routes.add(
    "GET",
    ONE + "/state",
    summary="Charge, range, locks and doors",
    returns=state_schemas.CarState,
    problems=(NotAllowed,),
)
def read_state(car: str) -> dict[str, Any]:
    """Charge, range, locks and doors as the box last reported them; no place."""
    return look.state(caller().person, car)


@routes.add(
    "GET",
    ONE + "/place",
    summary="Where the car stands",
    returns=PlaceSchema,
    problems=(PlaceHidden, NotAllowed),
)
def read_place(car: str) -> dict[str, Any]:
    """Where the car stands. While it is lent the place is the driver's; before, it is shown from one hour
    before the start.
    """
    return look.place(caller().person, car)


@routes.add(
    "GET",
    ONE + "/custody",
    summary="Who held the car at an instant",
    query=schemas.CustodyQuery,
    returns=schemas.Custody,
    problems=(NotAllowed,),
)
def read_custody(car: str, query: dict[str, Any]) -> dict[str, Any]:
    """Who held the car at an instant, as known now or at `as_of`. A driver who held it is told."""
    return look.holder(caller().person, car, query["at"], query["as_of"])

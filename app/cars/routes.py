"""HTTP of cars: the vehicle, its windows, blocks, terms, box and state."""

from typing import Any

from flask import Response, g, request
from sqlalchemy import select

from app.cars import (
    access,
    add,
    block,
    box,
    box_lines,
    calendar,
    find,
    look,
    rotate,
    schemas,
    stolen,
    terms,
    wait_for_broker,
    windows,
)
from app.cars.models import Block, Car, Window
from app.kit import i18n
from app.kit.auth import caller
from app.kit.errors import (
    AlreadyExists,
    CarTaken,
    InUse,
    NotAllowed,
    NotFound,
    PlaceHidden,
    PreconditionFailed,
    PreconditionRequired,
    Unavailable,
    Validation,
)
from app.kit.fields import Paging, PlaceSchema
from app.kit.http import Answer, Page, page, require_match
from app.kit.routes import Routes, created, patch_of

routes = Routes("cars", __name__, url_prefix="/v1", description="Cars, their windows, terms and boxes.")
ONE = '/cars/<pid("car"):car>'


def represent(car: Any, *, exact: bool, has_box: bool) -> dict[str, Any]:
    """A car as far as the reader may see it."""
    lat, lon = (car.home_lat, car.home_lon) if exact else find.blurred(car)
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
    """The cars that are mine or mine to book; with a span, those free for all of it, with the total and the
    distance.
    """
    span = query.get("free_from"), query.get("free_to")
    if (span[0] is None) != (span[1] is None) or (span[0] and span[1] and span[0] >= span[1]):
        raise Validation(
            errors=[{"parameter": "free_to", "code": "invalid", "detail": "Give both, in order."}]
        )
    rows, cursor = find.find(caller().person, query)
    items = [found(row, query, span) for row in rows]
    for one in items:
        one["return"] = one.pop("return_")
    return Answer({"items": items, "next_cursor": cursor}, ready=True)


def found(row: Any, query: dict[str, Any], span: tuple[Any, Any]) -> dict[str, Any]:
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
    shown["distance_km"] = round(find.distance_km(row, query["near"]), 1) if query.get("near") else None
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


# -- communities and terms -------------------------------------------------------------------------------------------


@routes.add(
    "PUT",
    ONE + '/communities/<pid("com"):community>',
    summary="Share a car with a community",
    returns=schemas.Share,
    problems=(NotAllowed, NotFound),
)
def share_car(car: str, community: str) -> dict[str, Any]:
    """Offers the car to a community; terms and windows say when and for how much."""
    row = add.share(caller().person, car, community)
    return {"car": row.car_id, "community": row.community_id, "shared_at": row.shared_at}


@routes.add(
    "DELETE",
    ONE + '/communities/<pid("com"):community>',
    summary="End the sharing",
    status=204,
    problems=(NotAllowed,),
)
def unshare_car(car: str, community: str) -> None:
    """Ends the offer to a community; booked rentals stay."""
    add.unshare(caller().person, car, community)


@routes.add(
    "PUT",
    ONE + '/communities/<pid("com"):community>/terms',
    summary="Set the terms: a new version",
    body=schemas.Terms,
    returns=schemas.Terms,
    problems=(NotAllowed, NotFound),
)
def put_terms(car: str, community: str, body: dict[str, Any]) -> dict[str, Any]:
    """Sets price and rules for a community as a new version. Other people's open rentals keep theirs."""
    row = terms.put(caller().person, car, community, body)
    return {"version": row.version, **row.data}


@routes.add(
    "GET",
    ONE + '/communities/<pid("com"):community>/terms',
    summary="The terms in force",
    returns=schemas.Terms,
    etag=True,
)
def read_terms(car: str, community: str) -> dict[str, Any]:
    """The newest version of the terms."""
    _may_see_through(car, community)
    version, data = terms.of(car, community)
    return {"version": version, **data}


@routes.add(
    "GET",
    ONE + '/communities/<pid("com"):community>/terms/<int(max=1000000):version>',
    summary="One version of the terms",
    returns=schemas.Terms,
    etag=True,
)
def read_terms_version(car: str, community: str, version: int) -> dict[str, Any]:
    """One version of the terms, as a quote names it."""
    _may_see_through(car, community)
    return {"version": version, **terms.version(car, community, version).data}


def _may_see_through(car: str, community: str) -> None:
    found = access.may_see(car, caller().person)
    if (
        not access.runs(found, caller().person)
        and access.my_membership(found, caller().person, community) is None
    ):
        raise NotFound


# -- windows, blocks, calendar ---------------------------------------------------------------------------------------


def _window(row: Window) -> dict[str, Any]:
    rule = windows.rule_of(row)
    return {
        "id": row.id,
        "from_": row.from_local,
        "to": row.to_local,
        "rrule": row.rrule,
        "exdates": list(rule.exdates),
        "rdates": list(rule.rdates),
    }


@routes.add(
    "POST",
    ONE + "/windows",
    summary="Offer the car",
    body=schemas.Window,
    returns=schemas.Window,
    status=201,
    problems=(NotAllowed, NotFound),
)
def add_window(car: str, body: dict[str, Any]) -> Answer:
    """Offers the car for a span in its own wall time, once or repeated."""
    row = windows.add(caller().person, car, body)
    return created(_window(row), f"/cars/{car}/windows/{row.id}")


@routes.add(
    "GET", ONE + "/windows", summary="When the car is offered", query=Paging, returns=schemas.WindowPage
)
def list_windows(car: str, query: dict[str, Any]) -> Page:
    """When the car is offered."""
    access.may_see(car, caller().person)
    found = page(select(Window).where(Window.car_id == car), Window.id, **query)
    found.items = [_window(row) for row in found.items]
    return found


@routes.add(
    "GET", ONE + '/windows/<pid("win"):window>', summary="One window", returns=schemas.Window, etag=True
)
def read_window(car: str, window: str) -> dict[str, Any]:
    """One span in which the car is offered."""
    access.may_see(car, caller().person)
    return _window(windows.find(car, window))


_PATCH_WINDOW = patch_of(schemas.Window, "from_", "to", "rrule", "exdates", "rdates")


@routes.add(
    "PATCH",
    ONE + '/windows/<pid("win"):window>',
    summary="Change a window",
    body=_PATCH_WINDOW,
    returns=schemas.Window,
    match=True,
    problems=(NotAllowed,),
)
def change_window(car: str, window: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes a window; booked rentals stay."""
    return _window(
        windows.change(
            caller().person, car, window, body, lambda row: require_match(schemas.Window(), _window(row))
        )
    )


@routes.add(
    "DELETE",
    ONE + '/windows/<pid("win"):window>',
    summary="Withdraw a window",
    status=204,
    problems=(NotAllowed,),
)
def remove_window(car: str, window: str) -> None:
    """Withdraws a window; booked rentals stay."""
    windows.remove(caller().person, car, window)


@routes.add(
    "POST",
    ONE + "/blocks",
    summary="Block a span",
    body=schemas.Block,
    returns=schemas.Block,
    status=201,
    problems=(NotAllowed, CarTaken, NotFound),
)
def add_block(car: str, body: dict[str, Any]) -> Answer:
    """Keeps the car for oneself for a span; not over a booked rental."""
    row = block.add(caller().person, car, body)
    return created(row, f"/cars/{car}/blocks/{row.id}")


@routes.add(
    "GET",
    ONE + "/blocks",
    summary="Blocked spans",
    query=Paging,
    returns=schemas.BlockPage,
    problems=(NotAllowed,),
)
def list_blocks(car: str, query: dict[str, Any]) -> Page:
    """The spans in which the car is not offered."""
    access.may_run(car, caller().person)
    return page(select(Block).where(Block.car_id == car), Block.id, **query)


@routes.add(
    "GET",
    ONE + '/blocks/<pid("blk"):block_id>',
    summary="One block",
    returns=schemas.Block,
    etag=True,
    problems=(NotAllowed,),
)
def read_block(car: str, block_id: str) -> Any:
    """One span in which the car is not offered."""
    access.may_run(car, caller().person)
    return block.find(car, block_id)


_PATCH_BLOCK = patch_of(schemas.Block, "from_", "to", "kind", "note")


@routes.add(
    "PATCH",
    ONE + '/blocks/<pid("blk"):block_id>',
    summary="Change a block",
    body=_PATCH_BLOCK,
    returns=schemas.Block,
    match=True,
    problems=(NotAllowed, CarTaken),
)
def change_block(car: str, block_id: str, body: dict[str, Any]) -> Any:
    """Changes a block; not over a booked rental."""
    return block.change(caller().person, car, block_id, body, lambda row: require_match(schemas.Block(), row))


@routes.add(
    "DELETE",
    ONE + '/blocks/<pid("blk"):block_id>',
    summary="Lift a block",
    status=204,
    problems=(NotAllowed,),
)
def remove_block(car: str, block_id: str) -> None:
    """Lifts a block: the car is offered again as its windows say."""
    block.remove(caller().person, car, block_id)


@routes.add(
    "GET",
    ONE + "/calendar",
    summary="What is free, held and blocked",
    query=schemas.CalendarQuery,
    returns=schemas.Calendar,
)
def read_calendar(car: str, query: dict[str, Any]) -> dict[str, Any]:
    """What is free, held and blocked, for at most 92 days; by whom is shown to the owner alone."""
    return {"items": calendar.of(caller().person, car, query["from_"], query["to"])}


# -- box, state, place, custody --------------------------------------------------------------------------------------


def _after_box(answer: Response) -> Response:
    """Once the row is committed: wait until the broker knows the account. A repeat has no answer before that."""
    made: wait_for_broker.Made | None = g.pop("made_account", None)
    if made is not None:
        wait_for_broker.wait_loaded(made, caller().person)
    elif answer.headers.get("Idempotent-Replayed"):
        wait_for_broker.refuse_while_waiting(answer.get_json()["id"])
    return answer


@routes.add(
    "PUT",
    ONE + "/box",
    summary="Pair a box",
    body=schemas.Box,
    returns=schemas.Box,
    problems=(
        NotAllowed,
        InUse,
        AlreadyExists,
        Unavailable,
        NotFound,
        PreconditionFailed,
        PreconditionRequired,
    ),
    secrets=("credentials",),
    asks=("If-Match",),
    after=_after_box,
)
def put_box(car: str, body: dict[str, Any]) -> dict[str, Any]:
    """Pairs a box with the car. Waits up to 20 s until the broker knows the account; its password is shown
    this once. Replacing a box needs `If-Match` with the ETag of the last GET; the older one is cut off when the
    broker knows the new one, and stays in service if it does not. With the pairing record of a companion in
    `companion` the car has offline grants; the companion pins the keys in `grant_issuers`.
    """
    row, password = box.put(
        caller().person, car, body, lambda old: require_match(schemas.Box(), box.represent(old))
    )
    g.made_account = wait_for_broker.Made(row.id, row.username)
    return {**box.represent(row), "credentials": box_lines.credentials(row, password)}


@routes.add(
    "POST",
    ONE + "/box/rotate",
    summary="A new password for the box",
    query=schemas.RotateQuery,
    returns=schemas.Box,
    problems=(NotAllowed, InUse, Unavailable, NotFound),
    secrets=("credentials",),
    after=_after_box,
)
def rotate_box(car: str, query: dict[str, Any]) -> dict[str, Any]:
    """Gives the box a second account, shown this once. Both work until the box is heard on the new one, which
    `next_username` names; then the old one is cut. With `old=cut` it is cut at once: a second account made before
    becomes the only one and is not shown again, else a new one is made. Waits up to 20 s for the broker.
    """
    cut_old = query["old"] == "cut"
    row, password, g.made_account = rotate.rotate(caller().person, car, cut_old=cut_old)
    return {
        **box.represent(row),
        "warning": i18n.say("box.old_cut" if cut_old else "box.two_accounts"),
        "credentials": box_lines.credentials(row, password) if password else None,
    }


@routes.add(
    "GET", ONE + "/box", summary="The car's box", returns=schemas.Box, etag=True, problems=(NotAllowed,)
)
def read_box(car: str) -> dict[str, Any]:
    """The box, when it was last heard and what it was seen to do."""
    access.may_run(car, caller().person)
    return box.represent(box.find(car))


def _after_cut(answer: Response) -> Response:
    """Once the row is committed: wait until the broker has let go of the box."""
    wait_for_broker.wait_cut((request.view_args or {})["car"])
    return answer


@routes.add(
    "DELETE",
    ONE + "/box",
    summary="Take the box out",
    status=204,
    problems=(NotAllowed, InUse, Unavailable, NotFound),
    after=_after_cut,
)
def remove_box(car: str) -> None:
    """Takes the box out of service and cuts it off the broker, its connection too; answers once that is done. While
    the car is lent only an operator can.
    """
    box.remove(caller().person, car)


@routes.add(
    "POST",
    ONE + "/stolen",
    summary="Report a car stolen",
    returns=schemas.StolenCar,
    problems=(NotAllowed, InUse, Unavailable, NotFound),
    after=_after_cut,
)
def report_car_stolen(car: str) -> dict[str, Any]:
    """Bars the car until an operator lets it again, and cuts its box off the broker, its connection too; answers
    once that is done. Look first where it stands: a box that is cut tells nothing more. While the car is lent only
    an operator can.
    """
    found = stolen.report_stolen(caller().person, car)
    return {"car": found.id, "safe": not found.unsafe}


@routes.add(
    "GET",
    ONE + "/state",
    summary="Charge, range, locks and doors",
    returns=schemas.CarState,
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
    """Who held the car at an instant. A driver who held it is told."""
    return look.holder(caller().person, car, query["at"])

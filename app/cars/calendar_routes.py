"""HTTP of a car's calendar: the windows in which it is offered, the blocks in which it is not."""

from typing import Any

from flask import Response
from sqlalchemy import select

from app.cars import (
    access,
    block,
    calendar,
    calendar_schemas,
    windows,
)
from app.cars.calendar_models import Block, Window
from app.cars.routes import ONE, routes
from app.kit.auth import caller
from app.kit.errors import (
    CarTaken,
    InUse,
    NotAllowed,
    NotFound,
)
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page, require_match
from app.kit.media import SVG, file
from app.kit.routes import created, patch_of


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
    body=calendar_schemas.Window,
    returns=calendar_schemas.Window,
    status=201,
    problems=(NotAllowed, NotFound, InUse),
)
def add_window(car: str, body: dict[str, Any]) -> Answer:
    """Offers the car for a span in its own wall time, once or repeated."""
    row = windows.add(caller().person, car, body)
    return created(_window(row), f"/cars/{car}/windows/{row.id}")


@routes.add(
    "GET",
    ONE + "/windows",
    summary="When the car is offered",
    query=Paging,
    returns=calendar_schemas.WindowPage,
)
def list_windows(car: str, query: dict[str, Any]) -> Page:
    """When the car is offered."""
    access.may_see(car, caller().person)
    found = page(select(Window).where(Window.car_id == car), Window.id, **query)
    found.items = [_window(row) for row in found.items]
    return found


@routes.add(
    "GET",
    ONE + '/windows/<pid("win"):window>',
    summary="One window",
    returns=calendar_schemas.Window,
    etag=True,
)
def read_window(car: str, window: str) -> dict[str, Any]:
    """One span in which the car is offered."""
    access.may_see(car, caller().person)
    return _window(windows.find(car, window))


_PATCH_WINDOW = patch_of(calendar_schemas.Window, "from_", "to", "rrule", "exdates", "rdates")


@routes.add(
    "PATCH",
    ONE + '/windows/<pid("win"):window>',
    summary="Change a window",
    body=_PATCH_WINDOW,
    returns=calendar_schemas.Window,
    match=True,
    problems=(NotAllowed, InUse),
)
def change_window(car: str, window: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes a window; booked rentals stay."""
    return _window(
        windows.change(
            caller().person,
            car,
            window,
            body,
            lambda row: require_match(calendar_schemas.Window(), _window(row)),
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
    body=calendar_schemas.Block,
    returns=calendar_schemas.Block,
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
    returns=calendar_schemas.BlockPage,
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
    returns=calendar_schemas.Block,
    etag=True,
    problems=(NotAllowed,),
)
def read_block(car: str, block_id: str) -> Any:
    """One span in which the car is not offered."""
    access.may_run(car, caller().person)
    return block.find(car, block_id)


_PATCH_BLOCK = patch_of(calendar_schemas.Block, "from_", "to", "kind", "note")


@routes.add(
    "PATCH",
    ONE + '/blocks/<pid("blk"):block_id>',
    summary="Change a block",
    body=_PATCH_BLOCK,
    returns=calendar_schemas.Block,
    match=True,
    problems=(NotAllowed, CarTaken),
)
def change_block(car: str, block_id: str, body: dict[str, Any]) -> Any:
    """Changes a block; not over a booked rental."""
    return block.change(
        caller().person, car, block_id, body, lambda row: require_match(calendar_schemas.Block(), row)
    )


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
    query=calendar_schemas.CalendarQuery,
    returns=calendar_schemas.Calendar,
)
def read_calendar(car: str, query: dict[str, Any]) -> dict[str, Any]:
    """What is free, held and blocked, for at most 92 days; by whom is shown to the owner alone."""
    return {"items": calendar.of(caller().person, car, query["from_"], query["to"])}


@routes.add(
    "GET",
    ONE + "/calendar.svg",
    summary="The calendar as a picture",
    query=calendar_schemas.PictureQuery,
    media=(SVG,),
)
def draw_calendar(car: str, query: dict[str, Any]) -> Response:
    """The week (Monday to Sunday) or month around a day, today when left out, on the clocks of the car: when it is free,
    held and blocked.
    """
    drawn = calendar.picture(caller().person, car, query.get("day"), query["span"])
    return file(drawn, SVG, "calendar.svg")

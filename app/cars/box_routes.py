"""HTTP of a car's box: paired, with a new password, taken out, cut off when the car is stolen."""

from typing import Any

from flask import Response, g, request

from app.cars import (
    access,
    box,
    box_lines,
    box_schemas,
    rotate,
    stolen,
    wait_for_broker,
)
from app.cars.routes import ONE, routes
from app.kit import i18n
from app.kit.auth import caller
from app.kit.errors import (
    AlreadyExists,
    InUse,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Unavailable,
)
from app.kit.http import require_match


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
    body=box_schemas.Box,
    returns=box_schemas.Box,
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
        caller().person, car, body, lambda old: require_match(box_schemas.Box(), box.represent(old))
    )
    g.made_account = wait_for_broker.Made(row.id, row.username)
    return {**box.represent(row), "credentials": box_lines.credentials(row, password)}


@routes.add(
    "POST",
    ONE + "/box/rotate",
    summary="A new password for the box",
    query=box_schemas.RotateQuery,
    returns=box_schemas.Box,
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
    "GET", ONE + "/box", summary="The car's box", returns=box_schemas.Box, etag=True, problems=(NotAllowed,)
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
    returns=box_schemas.StolenCar,
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

"""HTTP of a car's door: readiness, unlock, pause, lock, and commands to a car."""

import hashlib
from typing import Any

from flask import Response, current_app, g, request
from sqlalchemy import select

from app.cars import access as cars_access
from app.cars.models import Car
from app.kit import clock, prefer
from app.kit.auth import caller
from app.kit.db import session
from app.kit.errors import (
    BoxRefused,
    BoxSilent,
    CarLent,
    CommandOpen,
    NotAllowed,
    NotFound,
    NotReady,
    SignatureInvalid,
    StepNotAllowed,
)
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page
from app.people import phones
from app.people.models import Phone
from app.rentals import (
    access,
    commands,
    door_schemas,
    lock,
    pause,
    readiness,
    unlock,
)
from app.rentals.lifecycle import Role
from app.rentals.models import Command
from app.rentals.routes import ONE, routes

CAR = '/cars/<pid("car"):car>'
_COMMAND = door_schemas.Command()
DOOR = (NotAllowed, StepNotAllowed, NotReady, CommandOpen, BoxRefused, BoxSilent, SignatureInvalid)


def _after_command(answer: Response) -> Response:
    """Once the command is committed: wait for it with no connection in hand, then answer as it stands."""
    command = g.get("command")
    if command is None:
        return answer
    place = answer.headers["Location"]
    shown = commands.outcome_of(commands.wait_settled(command, prefer.wait_after()), place)
    made: Response = current_app.json.response(_COMMAND.dump(shown.body))  # type: ignore[assignment]
    made.status_code = shown.status or 200
    made.headers.update(shown.headers)
    if "Idempotent-Replayed" in answer.headers:
        made.headers["Idempotent-Replayed"] = "true"
    return made


def _begun(command: Command, place: str) -> Answer:
    g.command = command.id
    return Answer(commands.represent(command), 202, {"Location": f"/v1{place}/commands/{command.id}"})


def _require_signature() -> None:
    """A phone that registered a key signs its door commands with it; what else their headers ask must be sound too."""
    prefer.wait()
    if caller().phone is None:
        return
    public_key = session.execute(
        select(Phone.public_key).where(Phone.id == caller().phone)
    ).scalar_one_or_none()
    if public_key is None:
        return
    digest = hashlib.sha256(request.get_data(cache=True)).hexdigest()
    phones.check_signature(
        public_key,
        request.headers.get("Phone-Signature"),
        request.method,
        request.path,
        request.headers.get("Idempotency-Key", ""),
        digest,
    )


@routes.add(
    "GET",
    ONE + "/readiness",
    summary="Whether a step would be let through",
    query=door_schemas.StepQuery,
    returns=door_schemas.Readiness,
    problems=(NotAllowed,),
)
def read_readiness(rental: str, query: dict[str, Any]) -> dict[str, Any]:
    """Every condition of unlock or lock as the step itself would judge it now, and what to do about those not
    met.
    """
    row = access.may_see(rental, caller().person)
    if access.role_of(row, caller().person) is not Role.DRIVER:
        raise NotAllowed("Only the driver asks for readiness.")
    car = session.get(Car, row.car_id)
    assert car is not None
    now = clock.now()
    asked = readiness.Asked(caller().person, caller().phone, keys_in_glove_box=row.keys_stated)
    found = readiness.of(car, row, query["step"], now, asked)
    return {"ready": all(one.met or not one.blocking for one in found), "at": now, "conditions": found}


@routes.add(
    "POST",
    ONE + "/unlock",
    summary="Open the car",
    while_suspended=True,
    returns=door_schemas.Command,
    key=True,
    also=(202,),
    asks=("Prefer", "Phone-Signature"),
    problems=(*DOOR, NotFound),
    after=_after_command,
)
def unlock_rental(rental: str) -> Answer:
    """Opens the car, on the driver's phone. Answers 200 with the settled command within `Prefer: wait`, else
    202. While a command is open the same one is answered.
    """
    _require_signature()
    return _begun(unlock.unlock(caller(), rental), f"/rentals/{rental}")


@routes.add(
    "POST",
    ONE + "/pause",
    summary="Lock without ending",
    while_suspended=True,
    returns=door_schemas.Command,
    key=True,
    also=(202,),
    asks=("Prefer", "Phone-Signature"),
    problems=(*DOOR, NotFound),
    after=_after_command,
)
def pause_rental(rental: str) -> Answer:
    """Locks the car without ending the rental."""
    _require_signature()
    return _begun(pause.pause(caller(), rental), f"/rentals/{rental}")


@routes.add(
    "POST",
    ONE + "/lock",
    summary="Lock and end the rental",
    while_suspended=True,
    body=door_schemas.LockIn,
    returns=door_schemas.Command,
    key=True,
    also=(202,),
    asks=("Prefer", "Phone-Signature"),
    limit="none",
    problems=(*DOOR, NotFound),
    after=_after_command,
)
def lock_rental(rental: str, body: dict[str, Any]) -> Answer:
    """Locks the car and ends the rental once the box has confirmed; if it refuses, the rental stays active."""
    _require_signature()
    command = lock.lock(
        caller(), rental, keys_in_glove_box=body["keys_in_glove_box"], plugged_in=body.get("plugged_in")
    )
    return _begun(command, f"/rentals/{rental}")


@routes.add(
    "GET",
    ONE + '/commands/<pid("cmd"):command>',
    summary="A command of a rental",
    returns=door_schemas.Command,
    etag=True,
)
def read_rental_command(rental: str, command: str) -> dict[str, Any]:
    """How a command of the rental stands."""
    return commands.represent(commands.find_of_rental(rental, command, caller().person))


@routes.add(
    "POST",
    CAR + "/commands",
    summary="Command a car",
    body=door_schemas.CommandIn,
    returns=door_schemas.Command,
    key=True,
    status=202,
    also=(200,),
    asks=("Prefer", "Phone-Signature"),
    after=_after_command,
    problems=(
        NotAllowed,
        NotFound,
        CarLent,
        NotReady,
        CommandOpen,
        BoxRefused,
        BoxSilent,
        SignatureInvalid,
    ),
)
def command_car(car: str, body: dict[str, Any]) -> Answer:
    """Commands the car outside the steps of a rental: its owner while it is not lent, its driver for charging
    and climate while it is.
    """
    _require_signature()
    return _begun(commands.ask(caller(), car, body["kind"], body.get("value")), f"/cars/{car}")


@routes.add(
    "GET",
    CAR + "/commands",
    summary="Commands to a car",
    query=Paging,
    returns=door_schemas.CommandPage,
    problems=(NotAllowed,),
)
def list_commands(car: str, query: dict[str, Any]) -> Page:
    """Commands to the car, newest first."""
    cars_access.may_run(car, caller().person)
    found = page(select(Command).where(Command.car_id == car), Command.id, **query)
    found.items = [commands.represent(row) for row in found.items]
    return found


@routes.add(
    "GET",
    CAR + '/commands/<pid("cmd"):command>',
    summary="A command to a car",
    returns=door_schemas.Command,
    etag=True,
)
def read_car_command(car: str, command: str) -> dict[str, Any]:
    """How a command to the car stands."""
    return commands.represent(commands.find_of_car(car, command, caller().person))

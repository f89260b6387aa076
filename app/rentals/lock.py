"""Lock: the driver's lock ends the rental once the box has confirmed it."""

from app.facts import LockAsked
from app.kit import clock, facts
from app.kit.auth import Caller
from app.kit.db import transactional
from app.kit.errors import CommandOpen
from app.rentals import access, commands, lifecycle, readiness
from app.rentals.lifecycle import Role, State, Step
from app.rentals.models import Command
from app.rentals.readiness import Asked


@transactional
def lock(by: Caller, rental_id: str, *, keys_in_glove_box: bool, plugged_in: bool | None = None) -> Command:
    """Ask the box to lock. Returns the command to wait for; a second tap gets the first tap's command.

    Raises NotFound, NotAllowed, StepNotAllowed, NotReady, CommandOpen.
    """
    car, rental, role = access.locked_as(rental_id, by.person, Role.DRIVER, Role.OWNER)
    following = lifecycle.after(rental.stands, Step.LOCK, role)
    box, open_command = commands.door_of(car)
    if open_command is not None:
        if open_command.purpose == "lock" and open_command.rental_id == rental.id:
            return open_command
        raise CommandOpen("Another command is open; wait for its answer.", command=open_command.id)
    asked = Asked(by.person, by.phone, keys_in_glove_box=keys_in_glove_box, plugged_in=plugged_in)
    readiness.require(readiness.of(car, rental, "lock", clock.now(), asked))
    if rental.stands is not State.LOCKING:
        rental.state = following.value
    rental.keys_stated, rental.plugged_stated = keys_in_glove_box, plugged_in
    command = commands.create(car, box, "lock", "lock", by, rental)
    facts.record(LockAsked(rental=rental.id, command=command.id))
    return command

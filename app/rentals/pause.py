"""Pause: lock the door and go shopping; custody, cover and meter go on."""

from app.kit.auth import Caller
from app.kit.db import transactional
from app.kit.errors import CommandOpen
from app.rentals import access, commands, lifecycle
from app.rentals.lifecycle import Role, Step
from app.rentals.models import Command


@transactional
def pause(by: Caller, rental_id: str) -> Command:
    """Ask the box to lock without ending the rental. Raises NotFound, NotAllowed, StepNotAllowed, CommandOpen."""
    car, rental, role = access.locked_as(rental_id, by.person, Role.DRIVER, Role.OWNER)
    lifecycle.after(rental.stands, Step.PAUSE, role)
    box, open_command = commands.door_of(car)
    if open_command is not None:
        if open_command.purpose == "pause" and open_command.rental_id == rental.id:
            return open_command
        raise CommandOpen("Another command is open; wait for its answer.", command=open_command.id)
    return commands.create(car, box, "lock", "pause", by, rental)

"""A command has its result: by what the box said, or because nothing was sent."""

from typing import Any

from app.facts import DoorUnknown
from app.kit import clock, facts
from app.kit.db import notify, session
from app.rentals.models import Command, Rental
from carbox.box import Answer, AnswerKind, Evidence


def settle(
    command: Command, state: str, *, reason: str | None = None, conditions: list[Any] | None = None
) -> None:
    """The command has its result; whoever waits is woken."""
    command.state, command.reason, command.settled_at = state, reason, clock.now()
    command.problem = {"refused": "box-refused", "unknown": "box-silent", "dead": "box-silent"}.get(state)
    command.conditions = conditions or []
    with session.no_autoflush:  # all that the answer changes is written at once, further on
        notify("command_settled", command.id)


def surely_done(answer: Answer) -> bool:
    if answer.effect is False and answer.evidence is Evidence.STRONG:
        return False
    return answer.kind is AnswerKind.CONFIRMED or answer.effect is True


def surely_not(answer: Answer) -> bool:
    return (
        answer.effect is False
        and answer.evidence is Evidence.STRONG
        and (answer.dead or answer.kind in (AnswerKind.REFUSED, AnswerKind.CONFIRMED))
    )


def settle_plainly(command: Command, answer: Answer | None, reason: str | None) -> bool:
    """Settle a command that moves no state; True when it was done."""
    if answer is None:
        settle(command, "refused", reason=reason or "unreachable")
    elif surely_done(answer):
        settle(command, "confirmed")
        return True
    elif answer.kind in (AnswerKind.REFUSED, AnswerKind.CONFIRMED) or surely_not(answer):
        settle(command, "refused", reason="not_done")
    else:
        settle(command, "dead" if answer.dead else "unknown")
    return False


def tell_unknown(rental: Rental, command: Command) -> None:
    """The driver hears that nobody knows what the door did."""
    if command.state in ("unknown", "dead"):
        facts.record(DoorUnknown(rental=rental.id, command=command.id, what=command.purpose))

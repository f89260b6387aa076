"""What an examination found: good, not quite, or wrong, in words, and what to do about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    state: State
    what: str
    says: str
    remedy: str = ""


Check = Callable[[], Iterator[Finding]]


def ok(what: str, says: str) -> Finding:
    return Finding(State.OK, what, says)


def warning(what: str, says: str, remedy: str) -> Finding:
    return Finding(State.WARNING, what, says, remedy)


def wrong(what: str, says: str, remedy: str) -> Finding:
    return Finding(State.WRONG, what, says, remedy)


def run(checks: tuple[Check, ...]) -> list[Finding]:
    """Every finding of every check; one that breaks says so itself and keeps none of the others from running."""
    found: list[Finding] = []
    for check in checks:
        name = getattr(check, "__name__", "check").strip("_").replace("_", " ")
        try:
            found += check()
        except Exception as error:  # noqa: BLE001 - whatever is broken is what the doctor is here to say
            words = (
                f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else 'no words'}"
            )
            found.append(wrong(name, words, "Mend this, then ask the doctor again."))
    return found

"""Doors at which a worker dies: before it asks, or after the provider acted and before the answer is written down."""

from collections.abc import Callable
from typing import Any, Literal, cast

from app.doors import Doors

Moment = Literal["before", "after"]


class Killed(Exception):
    """The worker is gone; its job is put back into the queue, as `jobs.rescue` does."""

    temporary = True


class Torn:
    """When the next worker dies: at the nth call from now on. All doors of an app share it."""

    def __init__(self) -> None:
        self._moment: Moment = "before"
        self._calls = 0

    def arm(self, moment: Moment, calls: int) -> None:
        self._moment, self._calls = moment, calls

    def disarm(self) -> None:
        self._calls = 0

    def doors(self, real: Doors) -> Doors:
        """The same doors, with death on the threshold."""
        payments, payouts, disputes = (
            cast("Any", _Door(self, door)) for door in (real.payments, real.payouts, real.disputes)
        )
        return Doors(
            insurers=real.insurers,
            payments=payments,
            push=None,
            mail=None,
            payouts=payouts,
            disputes=disputes,
        )

    def pass_through(self, call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        self._calls -= 1
        if self._calls != 0:
            return call(*given, **named)
        if self._moment == "after":
            call(*given, **named)
        raise Killed(call.__name__)


class _Door:
    def __init__(self, torn: Torn, real: object) -> None:
        self._torn, self._real = torn, real

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._real, name)
        if name == "signed_event" or not callable(call):
            return call
        return lambda *given, **named: self._torn.pass_through(call, *given, **named)

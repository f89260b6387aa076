"""One fact with what can be asked about it: the scene from which people are told."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from app.cars.models import Car
from app.kit import facts
from app.kit.db import session
from app.kit.facts import Fact
from app.messages.about import About, about


@dataclass
class Scene:
    """`fact` as it happened, its number and instant; `rental` is another than the fact's for the next driver."""

    fact: Any
    seq: int
    at: datetime
    rental_id: str | None = field(default=None)

    @cached_property
    def rental(self) -> About | None:
        return about(self.rental_id) if self.rental_id else None

    @cached_property
    def car(self) -> Car | None:
        car = getattr(self.fact, "car", None) or (self.rental.car if self.rental else None)
        return session.get(Car, car) if car else None

    def said(self, name: str) -> Any:
        """What the fact itself says, None where it has no such field."""
        return getattr(self.fact, name, None)


def of(fact: Fact) -> Scene:
    """The scene of the fact that is being reacted to."""
    row = facts.present()
    return Scene(fact=fact, seq=row.seq, at=row.at, rental_id=getattr(fact, "rental", None))

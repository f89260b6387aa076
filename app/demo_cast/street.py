"""A car on the street, with a simulated box in it."""

from typing import Any

from sqlalchemy import select

from app.cars import readings
from app.cars.models import Box
from app.demo_cast.waiting import until
from app.kit.db import session
from app.supervisor import Supervisor


class CarOnTheStreet:
    """The car around a simulated box: what a driver's hands and feet do to it."""

    def __init__(self, place: Supervisor, username: str) -> None:
        self._place, self.username = place, username

    def do(self, verb: str, **body: Any) -> Any:
        return self._place.control("simulator", "POST", f"boxes/{self.username}/{verb}", **body)

    def state(self) -> Any:
        return self._place.control("simulator", "GET", f"boxes/{self.username}/state")

    def log(self) -> Any:
        return self._place.control("simulator", "GET", f"boxes/{self.username}/log")

    def fault(self, kind: str, **more: Any) -> None:
        self.do("fault", kind=kind, **more)

    def vanish(self) -> None:
        """Out of reach, and all that it said before is stored: the clock may move without having heard it since."""
        self.fault("offline")
        until(self._is_stored_as_gone, "the box to be gone")

    def _is_stored_as_gone(self) -> bool:
        """The broker's word that a box is gone comes after its own, and is stored no sooner."""
        with self._place.application().app_context():
            box = session.scalars(select(Box).where(Box.username == self.username)).one()
            return readings.value(box, "connected") is False

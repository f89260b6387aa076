"""Companions of a simulator: powered before they are paired, then put beside a box; phones reach each at a port."""

import threading
from typing import Any, Final

from carbox.grant import BadGrant, unb64
from carbox.simulator.box import SimBox
from carbox.simulator.car import Car
from carbox.simulator.clock import HastenedClock
from carbox.simulator.companion import Companion, NearPhones, unix_now
from carbox.simulator.profiles import PROFILES

ON_THE_BENCH: Final = PROFILES["DEMO"]


class Companions:
    """By pairing record. A companion that is beside no box opens a car of its own."""

    def __init__(self) -> None:
        self._near: dict[str, NearPhones] = {}
        self._beside: dict[str, str] = {}

    def add(self, issuers: list[str], *, ahead_s: int = 0) -> dict[str, Any]:
        """A new one that has pinned these keys, base64url; its clock is `ahead_s` seconds ahead. Raises ValueError."""
        kind = ON_THE_BENCH
        car = Car(HastenedClock(), "WME4533911K000000", kind.capacity_kwh, kind.range_km)
        companion = Companion(car, [], clock=lambda: unix_now() + ahead_s)
        _pin(companion, issuers)
        near = NearPhones(0, companion)
        self._near[near.companion.pairing] = near
        threading.Thread(target=near.serve_forever, daemon=True).start()
        return self.shown(near.companion.pairing)

    def pin(self, record: str, issuers: list[str]) -> dict[str, Any]:
        """Further keys for one that is there. Raises LookupError, ValueError."""
        _pin(self._near[record].companion, issuers)
        return self.shown(record)

    def put_beside(self, record: str, box: SimBox) -> None:
        """From now on it moves that box's car, by the same hand. Raises LookupError."""
        companion = self._near[record].companion
        companion.car, companion.hand = box.firmware.car, box.hand
        self._beside[record] = box.settings.username

    def shown(self, record: str) -> dict[str, Any]:
        port = self._near[record].server_address[1]
        return {"companion": record, "port": port, "beside": self._beside.get(record)}

    def all(self) -> list[dict[str, Any]]:
        return [self.shown(record) for record in self._near]

    def stop(self) -> None:
        for near in self._near.values():
            near.shutdown()
            near.server_close()
        self._near.clear()


def _pin(companion: Companion, issuers: list[str]) -> None:
    try:
        companion.pin([unb64(one) for one in issuers])
    except BadGrant as problem:
        raise ValueError(str(problem)) from problem

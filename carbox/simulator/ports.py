"""The box's ten EGPIO ports, and what the installer has wired to them."""

from dataclasses import dataclass, field
from typing import Final

from carbox.simulator.car import Car

PORTS: Final = range(10)
WIRES: Final = ("unlock", "lock", "immobilise", "release", "status", "keys", "nothing")
KEYS_PORT: Final = 6
PULLED_UP: Final = 3


@dataclass(slots=True)
class Ports:
    """`wires`: port -> what hangs on it. `release` is a relay without which the car does not start."""

    car: Car
    wires: dict[int, str] = field(
        default_factory=lambda: {4: "unlock", 5: "lock", KEYS_PORT: "keys", 7: "immobilise"}
    )
    present_level: int = 1
    """What the switch in the glove box reads while the keys are there."""
    high: set[int] = field(default_factory=set)
    monitored: set[int] = field(default_factory=lambda: set(PORTS))
    """As the installer's guide leaves them; an unwatched port keeps the level last seen."""
    seen: dict[int, int] = field(default_factory=dict)

    def wire(self, port: int, to: str, level: int = 1) -> None:
        """Raises ValueError for what cannot be wired."""
        if port not in PORTS or to not in WIRES:
            raise ValueError(f"ports 0..9 are wired to {', '.join(WIRES)}")
        self.wires[port] = to
        if to == "keys":
            self.present_level = level
        self._hold()

    def port_of(self, wire: str) -> int | None:
        return next((port for port, to in self.wires.items() if to == wire), None)

    def pulse(self, port: int) -> None:
        """A relay closes and opens again."""
        if self.wires.get(port) in {"lock", "unlock"}:
            self.car.turn_lock(locked=self.wires[port] == "lock")

    def put(self, port: int, level: int) -> None:
        (self.high.add if level else self.high.discard)(port)
        self._hold()

    def level(self, port: int) -> int:
        """What the port reads now."""
        wire = self.wires.get(port)
        if wire == "keys":
            return self.present_level if self.car.keys_in_glove_box else 1 - self.present_level
        if wire == "status":
            return int(self.car.locked)
        return int(port <= PULLED_UP)

    def inputs(self) -> list[int]:
        """The ports that read high, as far as they are watched."""
        for port in PORTS:
            if port in self.monitored or port not in self.seen:
                self.seen[port] = self.level(port)
        return [port for port in PORTS if self.seen[port]]

    def _hold(self) -> None:
        """Whether a relay keeps the car from starting."""
        wires = self.wires.items()
        self.car.immobilised = any(
            (to == "immobilise" and port in self.high) or (to == "release" and port not in self.high)
            for port, to in wires
        )

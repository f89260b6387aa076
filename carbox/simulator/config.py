"""The box's configuration: `config set <param> <instance> <value>`, and the script an installer may have put in."""

from collections import UserDict
from typing import Final

DEFAULTS: Final = {
    "vehicle/id": "CAR",
    "xsq/canwrite": "yes",
    "xse/canwrite": "yes",
    "xse/doorlock.port": "9",
    "xse/doorunlock.port": "8",
    "xse/egpio_timout": "5",
    "server.v3/updatetime.on": "5",
    "server.v3/updatetime.charging": "10",
    "server.v3/updatetime.connected": "10",
    "server.v3/updatetime.awake": "60",
    "server.v3/updatetime.idle": "600",
    "server.v3/updatetime.sendall": "1200",
    "server.v3/updatetime.immediately": "yes",
    "server.v3/metrics.include.immediately": "v.e.locked,v.d.*,v.e.on,v.c.charging,m.egpio.input",
    "server.v3/metrics.include": "",
    "server.v3/metrics.exclude": "",
    "server.v3/events.legacy_topic": "yes",
}
"""As our installer's guide leaves a box: doors and lock are told at once."""
PIN: Final = "password/pin"


class Config(UserDict[str, str]):
    """`param/instance` -> value; what is not set is empty. `hook`: a script that answers `lock` and `unlock`."""

    def __init__(self, given: dict[str, str] | None = None, *, hook: bool = False) -> None:
        super().__init__(DEFAULTS | (given or {}))
        self.hook = hook

    def __missing__(self, _key: str) -> str:
        return ""

    @property
    def pin(self) -> str:
        return self[PIN]

    def flag(self, key: str) -> bool:
        return self[key] in {"yes", "1", "true"}

    def number(self, key: str) -> float:
        """Zero or more; what is none is as if it were not set."""
        try:
            value = float(self[key])
        except ValueError:
            value = -1.0
        return value if 0 <= value < float("inf") else float(DEFAULTS[key])

    def seconds(self, kind: str) -> float:
        """The interval in which changed metrics are sent, e.g. `awake`."""
        return self.number(f"server.v3/updatetime.{kind}")

    def prefix(self, username: str) -> str:
        """What all topics begin with; a prefix that is set is taken as it stands, even without its last slash."""
        return self["server.v3/topic.prefix"] or f"ovms/{username}/{self['vehicle/id']}/"

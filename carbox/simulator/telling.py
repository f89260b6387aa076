"""What the box tells, when, and to whom: changed metrics by the interval ladder, events, notifications."""

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from carbox.simulator import reports, travel
from carbox.simulator.metrics import PERSISTED, PERSISTED_PLACE, metrics
from carbox.simulator.profiles.profile import Profile
from carbox.simulator.shell import Shell

ALL_ON_ANNOUNCE_S: Final = 30.0
ACTIVE_S: Final = 120.0
FORGOTTEN: Final = "v.d."
"""What a reboot leaves undefined until the car is heard: doors are not among what is kept."""


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    payload: str
    qos: int = 0
    retain: bool = False
    made_at: float | None = None
    """Of a history record: its topic ends with its age when it is sent."""

    def sent(self, now: float) -> "Message":
        age = 0 if self.made_at is None else round(now - self.made_at)
        return self if self.made_at is None else replace(self, topic=f"{self.topic}/{-age}")


class Teller:
    """`out` is what is to be sent. Without a connection metrics and events are lost, notifications wait."""

    def __init__(self, prefix: str, profile: Profile, shell: Shell) -> None:
        self.profile, self.car, self.clock = profile, profile.car, profile.car.clock
        self.config, self._shell, self._prefix = profile.config, shell, prefix
        self.online = False
        self.out: deque[Message] = deque()
        self._clients: dict[str, float] = {}
        self._said: dict[str, str] = {}
        self._kept: dict[str, str] = {}
        self._kept_at = 0.0
        self._seen = reports.watched(profile)
        self._changed_at = self._all_at = float("-inf")
        self._records = 0

    def connected(self) -> None:
        """Everything is told anew."""
        self.online = True
        self._tell_all()

    def disconnected(self) -> None:
        """What was on its way is lost, but for notifications and records."""
        self.online = False
        self._clients.clear()
        waiting = [one for one in self.out if one.topic.startswith(f"{self._prefix}notify/")]
        self.out.clear()
        self.out.extend(waiting)

    def rebooted(self, *, back_at: float, stale: bool) -> None:
        """Memory is gone. `stale`: what was persisted is told, and no door, until the car stirs again."""
        known = metrics(self.profile)
        self._kept = {name: value for name, value in known.items() if _persisted(name)} if stale else {}
        self._kept_at = back_at
        self.disconnected()
        self.out.clear()
        self._said.clear()

    def notice(self, *, off: bool) -> None:
        """See what has changed, and tell what is told at once. A box that is `off` sees nothing of it, ever."""
        travel.settle(self.car)
        self.profile.elapse()
        before, after = self._seen, reports.watched(self.profile)
        self._seen = after
        if off or before == after:
            return
        events = reports.events(before, after, self.profile.ports.monitored)
        everything = any(event in reports.ALL_CHANGED for event in events)
        self._tell(self._changed("*" if everything else self._at_once()))
        for event in events:
            self.event(event)
        for kind, text in reports.notifications(before, after, self.car, self._shell):
            self.say(f"notify/{kind}", text, qos=1)
        for kind, line in reports.history(before, after, self.car):
            self._records += 1
            topic = f"{self._prefix}notify/data/{kind}/{self._records}"
            self.out.append(Message(topic, line, qos=2, made_at=self.clock.now()))

    def announced(self, client: str, payload: str) -> None:
        """A client comes, stays or goes; for the first everything is told, unless it just was."""
        first = not self._clients
        if payload in {"", "0"}:
            if self._clients.pop(client, None) is not None and not self._clients:
                self._all_gone()
            return
        self._clients[client] = self.clock.now() + ACTIVE_S
        if first:
            self.event("app.connected")
            if self.clock.now() - self._all_at > ALL_ON_ANNOUNCE_S:
                self._tell_all()

    def tell_due(self) -> None:
        """Changed readings by the interval ladder, all of them every 20 minutes."""
        now = self.clock.now()
        had = bool(self._clients)
        self._clients = {name: until for name, until in self._clients.items() if until > now}
        if had and not self._clients:
            self._all_gone()
        if now - self._all_at >= self.config.seconds("sendall"):
            self._tell_all()
        elif now - self._changed_at >= self.config.seconds(self.rung()):
            self._changed_at = now
            self._tell(self._changed("*"))

    def rung(self) -> str:
        """Where on the ladder the box stands: the first of these that holds."""
        holds = {
            "on": self.car.on,
            "charging": self.car.charging,
            "connected": bool(self._clients),
            "awake": self.car.awake,
        }
        return next((kind for kind, held in holds.items() if held), "idle")

    def asked(self, patterns: str) -> None:
        """A request for metrics, or `server v3 update`: they are told again at once."""
        self._tell({name: value for name, value in self._known().items() if _asked(name, patterns)})

    def update(self, *, everything: bool) -> None:
        self._tell(self._known() if everything else self._changed("*"))

    def event(self, event: str) -> None:
        if self.config.flag("server.v3/events.legacy_topic"):
            self.say("event", event)
        self.say(f"event/{event.replace('.', '/')}", "")

    def say(self, topic: str, payload: str, *, qos: int = 0, retain: bool = False) -> None:
        if self.online or topic.startswith("notify/"):
            self.out.append(Message(f"{self._prefix}{topic}", payload, qos, retain))

    def _all_gone(self) -> None:
        self.event("app.disconnected")
        self._tell(self._changed("*"))

    def _at_once(self) -> str:
        wanted = self.config["server.v3/metrics.include.immediately"]
        return wanted if self.config.flag("server.v3/updatetime.immediately") else ""

    def _known(self) -> dict[str, str]:
        """What it would tell now, filtered."""
        known = metrics(self.profile)
        if self._kept and self.car.stirred_at >= self._kept_at:
            self._kept = {}
        if self._kept:
            known = {name: value for name, value in known.items() if not name.startswith(FORGOTTEN)}
        known |= self._kept
        if self._clients:
            known["s.v3.peers"] = str(len(self._clients))
        only, never = (self.config[f"server.v3/metrics.{word}"] for word in ("include", "exclude"))
        return {
            name: value
            for name, value in known.items()
            if not only or _asked(name, only) or name.startswith("s.v3.")
            if not _asked(name, never)
        }

    def _changed(self, patterns: str) -> dict[str, str]:
        """What differs from what was last told."""
        known = self._known()
        return {n: value for n, value in known.items() if self._said.get(n) != value and _asked(n, patterns)}

    def _tell_all(self) -> None:
        self._all_at = self._changed_at = self.clock.now()
        self._tell(self._known())

    def _tell(self, values: dict[str, str]) -> None:
        if not self.online:
            return
        for name, value in values.items():
            self._said[name] = value
            self.say(f"metric/{name.replace('.', '/')}", value, retain=True)


def _persisted(name: str) -> bool:
    return name.startswith(PERSISTED) or name in PERSISTED_PLACE


def _asked(name: str, patterns: str) -> bool:
    wanted = patterns.split(",")
    return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in wanted)

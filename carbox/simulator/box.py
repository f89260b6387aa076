"""One simulated box: an MQTT 3.1.1 client in its own thread, obeying faults that a test or a demo sets."""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from carbox.simulator.car import Car
from carbox.simulator.metrics import metrics
from carbox.simulator.shell import Shell, masked

INTERVALS_S: Final = {"on": 5.0, "charging": 10.0, "connected": 10.0, "awake": 60.0, "idle": 600.0}
ALL_S: Final = 1200.0
RECONNECT_S: Final = 60.0
RETRY_S: Final = 30.0
ACTIVE_S: Final = 120.0
SUBSCRIBE_AFTER_S: Final = 1.0
FAULTS: Final = (
    "none",
    "silent",
    "mute",
    "slow",
    "answer_lost",
    "executes_twice",
    "refuse",
    "frozen",
    "offline",
    "reconnect",
)
AT_ONCE: Final = ("v.e.locked", "v.d.", "v.e.on", "v.c.charging", "m.egpio.input")
EVENTS: Final = {
    ("v.e.locked", "yes"): "vehicle.locked",
    ("v.e.locked", "no"): "vehicle.unlocked",
    ("v.e.on", "yes"): "vehicle.on",
    ("v.e.on", "no"): "vehicle.off",
    ("v.c.charging", "yes"): "vehicle.charge.start",
    ("v.c.charging", "no"): "vehicle.charge.stop",
}


@dataclass(frozen=True, slots=True)
class BoxSettings:
    """`pace` multiplies every time of the box: 0.02 makes its minute 1.2 s."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    vehicle: str = "CAR"
    client_id: str = ""
    keep_alive_s: int = 60
    pace: float = 1.0


@dataclass(slots=True)
class Fault:
    kind: str = "none"
    seconds: float = 0.0
    times: int = -1
    """How many commands it still befalls; -1 = until changed."""


class SimBox:
    """The box's own thread does all its work, in order, as the firmware's network task does."""

    def __init__(self, settings: BoxSettings, car: Car, pin: str | None) -> None:
        self.settings = settings
        self.car = car
        self.shell = Shell(car, pin, settings.pace)
        self.fault = Fault()
        self.log: list[dict[str, Any]] = []
        self.connected = False
        self.refused = False
        self._prefix = f"ovms/{settings.username}/{settings.vehicle}/"
        self._config = {"vehicle/id": settings.vehicle, "password/pin": pin or ""}
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._said: dict[str, str] = {}
        self._clients: dict[str, float] = {}
        self._changed_at = self._all_at = 0.0
        self._client = self._made()
        self._thread = threading.Thread(target=self._run, name=f"box-{settings.username}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(10)

    def do(self, work: Callable[[], Any]) -> Any:
        """Run something on the box's thread and wait for it; what it changes is told at once."""
        done: Future[Any] = Future()
        self._work.put((work, done))
        return done.result(20)

    def state(self) -> dict[str, Any]:
        """The car as it truly is, for whoever watches from outside."""
        car = asdict(self.car) | {
            "open_doors": sorted(self.car.open_doors),
            "outputs": sorted(self.car.outputs),
        }
        link = {"connected": self.connected, "refused": self.refused, "fault": asdict(self.fault)}
        return {"username": self.settings.username, "vehicle": self.settings.vehicle, **link, "car": car}

    def set_fault(self, kind: str, seconds: float, times: int) -> None:
        """From any thread: a frozen or slow box must be curable too. Raises ValueError."""
        if kind not in FAULTS:
            raise ValueError(f"faults are {', '.join(FAULTS)}")
        self.fault = Fault(kind, seconds, times)
        self.shell.refuse = kind == "refuse"
        if kind in {"offline", "reconnect"}:
            self._hang_up()
        if kind in {"none", "reconnect"}:
            self.refused = False
            self._wake.set()

    def _made(self) -> Client:
        own = self.settings
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=own.client_id or own.username,
            clean_session=False,
            protocol=MQTTv311,
        )
        client.username_pw_set(own.username, own.password)
        client.will_set(f"{self._prefix}metric/s/v3/connected", "no", qos=0, retain=True)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_socket_open = _no_delay
        return client

    def _hang_up(self) -> None:
        sock: Any = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while not self._stop.is_set():
            wait = RETRY_S
            if self.fault.kind != "offline" and not self.refused:
                with contextlib.suppress(OSError):
                    self._client.connect(self.settings.host, self.settings.port, self.settings.keep_alive_s)
                    self._live()
                    wait = RECONNECT_S
            self.connected = False
            self._rest(0.0 if self.fault.kind == "reconnect" else wait * self.settings.pace)
            if self.fault.kind == "reconnect":
                self.fault = Fault()
        self._hang_up()

    def _live(self) -> None:
        """One connection, until it ends."""
        while not self._stop.is_set():
            if self.fault.kind == "frozen":
                self._wake.wait(0.02)
                continue
            if self._client.loop(timeout=0.02) != 0:
                return
            self._obey()
            if self.connected:
                self._tick()

    def _rest(self, seconds: float) -> None:
        self._wake.clear()
        ends = time.monotonic() + seconds
        while not (self._stop.is_set() or self._wake.is_set() or time.monotonic() > ends):
            self._obey()
            time.sleep(0.01)

    def _obey(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                work, done = self._work.get_nowait()
                try:
                    done.set_result(work())
                except Exception as problem:  # noqa: BLE001 - it is the caller's, who gets it
                    done.set_exception(problem)
                if self.connected:
                    self._tell(self._changed(AT_ONCE))

    def _on_connect(self, client: Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.refused = reason.getName() in {"Not authorized", "Bad user name or password"}
            return
        time.sleep(SUBSCRIBE_AFTER_S * self.settings.pace)
        wanted = ("active", "command/+", "request/metric", "request/config")
        client.subscribe([(f"{self._prefix}client/+/{topic}", 1) for topic in wanted])
        self.connected = True
        self._tell_all()

    def _on_message(self, client: Client, _user: Any, message: MQTTMessage) -> None:
        if self.fault.kind == "silent":
            return
        levels = message.topic.removeprefix(self._prefix).split("/")
        text = message.payload.decode("utf-8", "replace")
        if levels[2] == "command":
            self._command(levels[1], levels[3], text)
        elif levels[2:] == ["request", "metric"]:
            self._tell({name: value for name, value in metrics(self.car).items() if _asked(name, text)})
        elif levels[2:] == ["request", "config"]:
            value = self._config.get(text, "")
            client.publish(f"{self._prefix}client/{levels[1]}/config/{text}", value, qos=0)
        elif levels[2] == "active":
            self._announced(levels[1], text)

    def _announced(self, client_id: str, text: str) -> None:
        first = not self._clients
        if text in {"", "0"}:
            self._clients.pop(client_id, None)
            return
        self._clients[client_id] = time.monotonic() + ACTIVE_S * self.settings.pace
        if first and time.monotonic() - self._all_at > RETRY_S * self.settings.pace:
            self._tell_all()

    def _command(self, client_id: str, command_id: str, payload: str) -> None:
        fault = self._befallen()
        entry: dict[str, Any] = {"at": time.time(), "id": command_id, "executed": 0, "answer": None}
        entry["line"] = masked(payload)
        self.log.append(entry)
        if fault.kind == "mute":
            return
        if fault.kind == "slow":
            time.sleep(fault.seconds)
        for _time in range(2 if fault.kind == "executes_twice" else 1):
            answer = self.shell.run(payload)
            entry["executed"] += not answer.startswith(("Error", "Unrecognised", "Usage", "Subcommand"))
            if fault.kind != "answer_lost":
                entry["answer"] = answer.strip()
                self._client.publish(f"{self._prefix}client/{client_id}/response/{command_id}", answer, qos=1)
        self._tell(self._changed(AT_ONCE))

    def _befallen(self) -> Fault:
        fault = self.fault
        if fault.times == 0:
            self.set_fault("none", 0.0, -1)
            return self.fault
        if fault.times > 0:
            fault.times -= 1
        return fault

    def _tick(self) -> None:
        """Changed readings by the interval ladder, all of them every 20 minutes."""
        now, pace = time.monotonic(), self.settings.pace
        self._clients = {name: until for name, until in self._clients.items() if until > now}
        state = "on" if self.car.on else "charging" if self.car.charging else "connected"
        if state == "connected" and not self._clients:
            state = "idle" if self.car.seen_locked else "awake"
        if now - self._all_at >= ALL_S * pace:
            self._tell_all()
        elif now - self._changed_at >= INTERVALS_S[state] * pace:
            self._changed_at = now
            self._tell(self._changed(("",)))

    def _changed(self, prefixes: tuple[str, ...]) -> dict[str, str]:
        return {
            name: value
            for name, value in metrics(self.car).items()
            if name.startswith(prefixes) and self._said.get(name) != value
        }

    def _tell_all(self) -> None:
        self._all_at = self._changed_at = time.monotonic()
        self._tell(metrics(self.car), events=False)

    def _tell(self, values: dict[str, str], *, events: bool = True) -> None:
        for name, value in values.items():
            changed = self._said.get(name) != value
            self._said[name] = value
            self._client.publish(f"{self._prefix}metric/{name.replace('.', '/')}", value, qos=0, retain=True)
            event = EVENTS.get((name, value))
            if events and changed and event:
                self._client.publish(f"{self._prefix}event", event, qos=0)
                self._client.publish(f"{self._prefix}event/{event.replace('.', '/')}", "", qos=0)
                self._notify(event)

    def _notify(self, event: str) -> None:
        """A charge that ended: news when full, an alert when it was stopped."""
        if event == "vehicle.charge.stop":
            kind = "info/charge/done" if self.car.charge_state == "done" else "alert/charge/stopped"
            self._client.publish(f"{self._prefix}notify/{kind}", self.shell.run("stat"), qos=1)


def _asked(name: str, patterns: str) -> bool:
    wanted = patterns.split(",")
    return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in wanted)


def _no_delay(_client: Client, _user: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

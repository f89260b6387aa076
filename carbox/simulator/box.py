"""One simulated box on a broker: an MQTT 3.1.1 client in a thread of its own around the firmware."""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from carbox.simulator import travel
from carbox.simulator.car import Car
from carbox.simulator.clock import Clock
from carbox.simulator.config import PIN, Config
from carbox.simulator.firmware import Firmware, Line
from carbox.simulator.ports import Ports
from carbox.simulator.profiles import PROFILES
from carbox.simulator.telling import Message

RECONNECT_S: Final = 60.0
RETRY_S: Final = 30.0
SUBSCRIBE_AFTER_S: Final = 1.0
LOOP_S: Final = 0.02
TOPICS: Final = ("active", "command/+", "request/metric", "request/config")
REFUSED: Final = frozenset({"Not authorized", "Bad user name or password"})


@dataclass(frozen=True, slots=True)
class BoxSettings:
    """How a box reaches its broker, which car it sits in and how it is set up.

    `config`: `param/instance` -> value; `hook`: a script answers `lock` and `unlock` where the module does not;
    `ca_file`: the box's trust list, with which it speaks TLS and checks the name it connects to.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    vehicle: str = "CAR"
    client_id: str = ""
    keep_alive_s: int = 60
    profile: str = "DEMO"
    vin: str = "WME4533911K000000"
    pin: str | None = field(default="4711", repr=False)
    config: dict[str, str] = field(default_factory=dict)
    hook: bool = False
    ca_file: str = ""


def firmware(settings: BoxSettings, clock: Clock) -> Firmware:
    """A box in a car of its own. Raises KeyError for a profile there is not."""
    kind = PROFILES[settings.profile]
    given = {"vehicle/id": settings.vehicle} | ({PIN: settings.pin} if settings.pin else {})
    car = Car(clock, settings.vin, kind.capacity_kwh, kind.range_km)
    profile = kind(car, Ports(car), Config(given | settings.config, hook=settings.hook))
    return Firmware(settings.username, profile)


class SimBox:
    """The thread reads and sends; a hand from outside holds `guard` only for the moment it moves the car."""

    def __init__(self, settings: BoxSettings, clock: Clock) -> None:
        self.settings = settings
        self.firmware = firmware(settings, clock)
        self.connected = False
        self.refused = False
        self.problem = ""
        self._clock = clock
        self._guard = threading.RLock()
        self._stop = threading.Event()
        self._retry_at = float("-inf")
        self._subscribe_at: float | None = None
        self._cuts = self._boots = 0
        self._records: deque[Message] = deque()
        self._record: MQTTMessageInfo | None = None
        self._client = self._made()
        self._thread = threading.Thread(target=self._run, name=f"box-{settings.username}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    @contextlib.contextmanager
    def hand(self) -> Iterator[Firmware]:
        """A hand on the car or the box from outside, in any state of the link; what it changes is noticed."""
        with self._guard:
            self.firmware.notice()
            try:
                yield self.firmware
            finally:
                self.firmware.notice()

    def move(self, work: Callable[[Firmware], None]) -> None:
        with self.hand() as firmware:
            work(firmware)

    def try_again(self) -> None:
        """As if the box were set up anew: it connects now, even where it was refused."""
        self._retry_at = float("-inf")

    def state(self) -> dict[str, Any]:
        """The car as it truly is, for whoever watches from outside."""
        with self._guard:
            own, car = self.firmware, self.firmware.car
            travel.settle(car)
            known = {name: getattr(car, name) for name in Car.__dataclass_fields__ if name != "clock"}
            known |= {
                "open_doors": sorted(car.open_doors),
                "openings": list(car.openings),
                "journey": car.journey is not None,
                "awake": car.awake,
                "climate": car.climate,
                "said_locked": own.profile.locked(),
                "valet": own.profile.valet_from is not None,
                "outputs": sorted(own.profile.ports.high),
            }
            return {
                "username": self.settings.username,
                "vehicle": self.settings.vehicle,
                "profile": self.settings.profile,
                "connected": self.connected,
                "refused": self.refused,
                "problem": self.problem,
                "line": own.line.name.lower(),
                "rung": own.teller.rung(),
                "fault": asdict(own.fault),
                "car": known,
            }

    def log(self) -> list[dict[str, Any]]:
        """Every command that reached the box, its PIN masked."""
        with self._guard:
            return [dict(entry) for entry in self.firmware.log]

    def recent(self) -> list[str]:
        with self._guard:
            return list(self.firmware.recent)

    def _made(self) -> Client:
        own = self.settings
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=own.client_id or own.username,
            clean_session=False,
            protocol=MQTTv311,
        )
        client.username_pw_set(own.username, own.password)
        if own.ca_file:
            client.tls_set(ca_certs=own.ca_file)
        client.will_set(f"{self.firmware.prefix}metric/s/v3/connected", "no", qos=0, retain=True)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_socket_open = _no_delay
        return client

    def _run(self) -> None:
        while not self._stop.is_set():
            now = self._clock.now()
            line = self._ticked()
            if line is Line.DOWN:
                self._retry_at = float("-inf")
            if line is not Line.UP or now < self._retry_at:
                self._stop.wait(LOOP_S)
                continue
            self._retry_at = now + RETRY_S
            try:
                self._client.connect(self.settings.host, self.settings.port, self.settings.keep_alive_s)
                self.problem = ""
                self._live()
            except OSError as problem:
                self.problem = str(problem)
            self._hang_up()

    def _live(self) -> None:
        """One connection, until it ends."""
        self._cuts = self.firmware.cuts
        while not self._stop.is_set():
            line = self._ticked()
            own = self.firmware
            if line is Line.DOWN or (own.cuts, own.boots) != (self._cuts, self._boots):
                self.try_again()
                return
            if line is Line.STALLED:
                self._stop.wait(LOOP_S)
                continue
            if self._client.loop(timeout=LOOP_S) != 0:
                if self.connected:
                    self._retry_at = self._clock.now() + RECONNECT_S
                return
            self._subscribe()
            self._send()

    def _ticked(self) -> Line:
        with self._guard:
            self.firmware.tick()
            return self.firmware.line

    def _subscribe(self) -> None:
        if self._subscribe_at is None or self._clock.now() < self._subscribe_at:
            return
        self._subscribe_at = None
        self._client.subscribe([(f"{self.firmware.prefix}client/+/{topic}", 1) for topic in TOPICS])
        self.connected = True
        with self._guard:
            self.firmware.teller.connected()

    def _send(self) -> None:
        with self._guard:
            messages = self.firmware.take()
        for message in messages:
            if message.qos == 2:
                self._records.append(message)
            else:
                self._publish(message)
        if self._records and (self._record is None or self._record.is_published()):
            self._record = self._publish(self._records.popleft())  # one in flight, as the firmware does

    def _publish(self, message: Message) -> MQTTMessageInfo:
        return self._client.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)

    def _hang_up(self) -> None:
        """Close the socket without a word, as the firmware does: the broker then tells the will."""
        sock: Any = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            self._client.loop(timeout=0)
        self.connected, self._subscribe_at = False, None
        with self._guard:
            self.firmware.teller.disconnected()
        if self._boots != self.firmware.boots:
            self._boots = self.firmware.boots
            self._records.clear()
            self._record, self._client = None, self._made()

    def _on_connect(self, _client: Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.refused = reason.getName() in REFUSED
            if self.refused:
                self._retry_at = float("inf")  # for good, until it is set up anew
            return
        self.refused = False
        self._subscribe_at = self._clock.now() + SUBSCRIBE_AFTER_S

    def _on_message(self, _client: Client, _user: Any, message: MQTTMessage) -> None:
        with self._guard:
            self.firmware.hear(message.topic, message.payload.decode("utf-8", "replace"))


def _no_delay(_client: Client, _user: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

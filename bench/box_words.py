"""What a car says: its usual readings, as a box writes them to the broker, and boxes that only write."""

import socket
from collections.abc import Iterator, Sequence
from itertools import cycle

USUAL = {
    "v.b.soc": ("71", "70.5"),
    "v.b.soh": ("93", "93"),
    "v.b.range.est": ("88", "87"),
    "v.b.range.ideal": ("101", "100"),
    "v.b.temp": ("17", "18"),
    "v.b.12v.voltage": ("12.61", "12.64"),
    "v.b.12v.current": ("0.4", "0.5"),
    "v.c.charging": ("no", "no"),
    "v.c.pilot": ("no", "no"),
    "v.d.cp": ("no", "no"),
    "v.d.fl": ("no", "yes"),
    "v.d.fr": ("no", "no"),
    "v.d.rl": ("no", "no"),
    "v.d.rr": ("no", "no"),
    "v.d.trunk": ("no", "no"),
    "v.d.hood": ("no", "no"),
    "v.e.locked": ("yes", "no"),
    "v.e.on": ("no", "yes"),
    "v.e.awake": ("yes", "yes"),
    "v.e.gear": ("0", "1"),
    "v.e.handbrake": ("yes", "no"),
    "v.e.drivetime": ("0", "60"),
    "v.e.parktime": ("600", "0"),
    "v.p.latitude": ("48.85661", "48.85672"),
    "v.p.longitude": ("2.35222", "2.35231"),
    "v.p.gpslock": ("yes", "yes"),
    "v.p.gpssq": ("91", "88"),
    "v.p.odometer": ("41967.1", "41967.2"),
    "v.p.speed": ("0", "31"),
    "v.p.trip": ("0.4", "0.5"),
    "v.t.pressure": ("220,221,229,230", "220,221,229,231"),
    "m.net.sq": ("-71", "-75"),
}
"""Metric -> what it says by turns."""
BURST = 4
"""A box sends the metrics that changed together, a few at once."""


class Talker:
    """One box's connection (MQTT 3.1.1, QoS 0), without the library of the side that is measured."""

    def __init__(self, port: int, username: str, password: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        words = [name.encode() for name in (username, username, password)]
        body = b"\x00\x04MQTT\x04\xc2\x00\x00" + b"".join(len(one).to_bytes(2, "big") + one for one in words)
        self._socket.sendall(b"\x10" + _length(len(body)) + body)
        if self._socket.recv(4) != b"\x20\x02\x00\x00":
            raise ConnectionError("the broker did not let the box in")
        self._bursts = cycle(list(_bursts(username)))

    def say(self) -> int:
        """One burst; returns of how many messages."""
        self._socket.sendall(next(self._bursts))
        return BURST

    def leave(self) -> None:
        self._socket.close()


def topics(username: str) -> list[tuple[str, str]]:
    """Topic and text of each usual reading of one box, once."""
    return [(_topic(username, metric), texts[0]) for metric, texts in USUAL.items()]


def _bursts(username: str) -> Iterator[bytes]:
    said = [(_topic(username, metric), texts[turn]) for turn in (0, 1) for metric, texts in USUAL.items()]
    for first in range(0, len(said), BURST):
        yield b"".join(map(_published, said[first : first + BURST]))


def _topic(username: str, metric: str) -> str:
    return f"ovms/{username}/v/metric/{metric.replace('.', '/')}"


def _published(said: Sequence[str]) -> bytes:
    topic, text = (one.encode() for one in said)
    body = len(topic).to_bytes(2, "big") + topic + text
    return b"\x31" + _length(len(body)) + body


def _length(count: int) -> bytes:
    return bytes([count]) if count < 128 else bytes([count % 128 | 128, count // 128])

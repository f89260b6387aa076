"""`make simulate`: one car with its box and a broker of its own in a terminal, and keys to move it."""

import argparse
import contextlib
import curses
import secrets
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from carbox.broker_accounts import password_hash
from carbox.local_broker import LocalBroker
from carbox.simulator.box import SimBox
from carbox.simulator.car import Impossible
from carbox.simulator.control import ControlServer, Fleet
from carbox.simulator.do import CONTROL_PORT
from carbox.simulator.profiles import PROFILES
from carbox.simulator.view import KEYS, QUIT, screen

NAME: Final = "car"
SENDER: Final = "hand"
LOOK_MS: Final = 200


class Hand:
    """Presses keys: commands go to the box through the broker, all else to the car directly."""

    def __init__(self, fleet: Fleet, sender: Client) -> None:
        self._fleet, self._sender, self._count = fleet, sender, 0
        self.said = "press a key"

    @property
    def box(self) -> SimBox:
        return self._fleet.boxes[NAME]

    def press(self, pressed: str) -> None:
        """What came of it is in `said`."""
        key = KEYS.get(pressed)
        if key is None:
            return
        try:
            if key.line:
                self._count += 1
                settings = self.box.settings
                topic = f"ovms/{NAME}/{settings.vehicle}/client/{SENDER}/command/{self._count}"
                self._sender.publish(topic, key.line)
            else:
                self._fleet.move(NAME, key.verb, key.body(self.box.state()))
            self.said = key.says
        except (Impossible, ValueError) as problem:
            self.said = f"{key.says}: {problem}"


@contextlib.contextmanager
def started(profile: str, pace: float, control_port: int) -> Iterator[tuple[Hand, str]]:
    """A broker, a box in a car, a sender of commands and the control port; and where to find them."""
    port = _free_port()
    password = secrets.token_urlsafe(12)
    hashes = {name: password_hash(password) for name in (NAME, SENDER)}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simulate-")))
        broker = LocalBroker(folder, port, backend=SENDER, hashes=hashes)
        broker.start()
        stack.callback(broker.stop)
        fleet = Fleet("127.0.0.1", port, pace)
        stack.callback(fleet.stop)
        near = fleet.companions.add([])
        box = {"username": NAME, "password": password, "profile": profile, "companion": near["companion"]}
        fleet.add(box)
        server = ControlServer(control_port, fleet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        sender = Client(CallbackAPIVersion.VERSION2, client_id=SENDER)
        sender.username_pw_set(SENDER, password)
        sender.connect("127.0.0.1", port)
        sender.loop_start()
        stack.callback(sender.loop_stop)
        stack.callback(sender.disconnect)
        where = f"broker 127.0.0.1:{port}, {SENDER} / {password}; control port {server.server_address[1]}"
        where += f"; phones at {near['port']}"
        yield Hand(fleet, sender), where


def shown(window: "curses.window", hand: Hand, where: str) -> None:
    """Draw and take keys until `q`."""
    with contextlib.suppress(curses.error):
        curses.curs_set(0)
    window.timeout(LOOK_MS)
    while True:
        height, width = window.getmaxyx()
        window.erase()
        lines = screen(hand.box.state(), hand.box.recent(), f"{hand.said}   [{where}]", width, height)
        for row, line in enumerate(lines):
            with contextlib.suppress(curses.error):  # the terminal has shrunk in between
                window.addstr(row, 0, line)
        pressed = window.getch()
        if pressed == ord(QUIT):
            return
        if pressed > 0:
            hand.press(chr(pressed))


def main(words: list[str]) -> int:
    asked = arguments(words)
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        sys.stderr.write("this view needs a terminal; without one see `python -m carbox.simulator --help`\n")
        return 2
    try:
        with started(asked.profile, asked.pace, asked.control_port) as (hand, where):
            curses.wrapper(shown, hand, where)
    except KeyboardInterrupt:
        return 0
    except (OSError, TimeoutError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def arguments(words: list[str]) -> Any:
    parser = argparse.ArgumentParser(
        prog="carbox.simulator view", description="One simulated car in a terminal"
    )
    parser.add_argument("--profile", choices=sorted(PROFILES), default="DEMO", help="which car")
    parser.add_argument(
        "--pace", type=float, default=1.0, help="multiplies all times; 0.1 = ten times as fast"
    )
    parser.add_argument(
        "--control-port", type=int, default=CONTROL_PORT, help=f"for `do`; default {CONTROL_PORT}"
    )
    return parser.parse_args(words)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port

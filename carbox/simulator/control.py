"""The hand that moves the simulated cars: HTTP on loopback, outside of MQTT.

GET  /state                      every box        GET /boxes/{username}/state | /log
POST /boxes                      {username, password, vehicle, vin, profile, pin?, ...}   adds a box
DELETE /boxes/{username}         takes it away
POST /boxes/{username}/{verb}    drive {km, minutes?} doors {fl: open|closed} keys {in_glove_box}
                                 ignition {on} plug {plugged} battery {percent} position {latitude, longitude}
                                 lock {locked} jam {jammed, lag_s?} pass {minutes}
                                 fault {kind, seconds?, times?}
POST /stop                       ends the process
"""

import json
import threading
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from carbox.simulator.box import BoxSettings, SimBox
from carbox.simulator.car import Car, Impossible
from carbox.simulator.profiles import PROFILES


class Fleet:
    """All boxes of this process."""

    def __init__(self, host: str, port: int, pace: float) -> None:
        self._host, self._port, self._pace = host, port, pace
        self._guard = threading.Lock()
        self.boxes: dict[str, SimBox] = {}
        self.ended = threading.Event()

    def add(self, wanted: dict[str, Any]) -> SimBox:
        """Start a box; one of the same name is replaced, as if its configuration were changed."""
        settings = BoxSettings(
            host=wanted.get("host", self._host),
            port=int(wanted.get("port", self._port)),
            username=wanted["username"],
            password=wanted["password"],
            vehicle=wanted.get("vehicle", "CAR"),
            client_id=wanted.get("client_id", ""),
            keep_alive_s=int(wanted.get("keep_alive_s", 60)),
            pace=float(wanted.get("pace", self._pace)),
        )
        profile = PROFILES[wanted.get("profile", "DEMO")]
        car = Car(profile, wanted.get("vin", "WME4533911K000000"))
        box = SimBox(settings, car, wanted.get("pin", "4711"))
        self.remove(settings.username)
        with self._guard:
            self.boxes[settings.username] = box
        box.start()
        return box

    def remove(self, username: str) -> bool:
        with self._guard:
            box = self.boxes.pop(username, None)
        if box is not None:
            box.stop()
        return box is not None

    def stop(self) -> None:
        for username in list(self.boxes):
            self.remove(username)


def _drive(box: SimBox, body: dict[str, Any]) -> None:
    was_on = box.car.on
    box.do(lambda: box.car.drive(float(body["km"])))
    box.do(lambda: box.car.pass_time(float(body.get("minutes", 0))))
    if not was_on:
        box.do(lambda: box.car.ignite(on=False))


def _doors(box: SimBox, body: dict[str, Any]) -> None:
    for door, how in body.items():
        if how not in {"open", "closed"}:
            raise ValueError("a door is open or closed")
        box.do(partial(box.car.set_door, door, is_open=how == "open"))


def _setting(name: str, key: str, kind: Callable[[Any], Any]) -> Callable[[SimBox, dict[str, Any]], None]:
    return lambda box, body: box.do(lambda: setattr(box.car, name, kind(body[key])))


def _position(box: SimBox, body: dict[str, Any]) -> None:
    for name in ("latitude", "longitude"):
        _setting(name, name, float)(box, body)


def _jam(box: SimBox, body: dict[str, Any]) -> None:
    _setting("jammed", "jammed", bool)(box, {"jammed": body.get("jammed", box.car.jammed)})
    _setting("lag_s", "lag_s", float)(box, {"lag_s": body.get("lag_s", box.car.lag_s)})


def _fault(box: SimBox, body: dict[str, Any]) -> None:
    box.set_fault(body["kind"], float(body.get("seconds", 1.0)), int(body.get("times", -1)))


VERBS: dict[str, Callable[[SimBox, dict[str, Any]], None]] = {
    "drive": _drive,
    "doors": _doors,
    "keys": _setting("keys_in_glove_box", "in_glove_box", bool),
    "ignition": lambda box, body: box.do(lambda: box.car.ignite(on=bool(body["on"]))),
    "plug": lambda box, body: box.do(lambda: box.car.plug(plugged=bool(body["plugged"]))),
    "battery": _setting("percent", "percent", float),
    "position": _position,
    "lock": lambda box, body: box.do(lambda: box.car.turn_lock(locked=bool(body["locked"]))),
    "jam": _jam,
    "pass": lambda box, body: box.do(lambda: box.car.pass_time(float(body["minutes"]))),
    "fault": _fault,
}


class Control(BaseHTTPRequestHandler):
    """Answers JSON: 404 for who or what is unknown, 409 for what the car cannot do, 422 for a bad body."""

    protocol_version = "HTTP/1.1"
    server: "ControlServer"

    def do_GET(self) -> None:
        self._answer(self._got)

    def do_POST(self) -> None:
        self._answer(self._posted)

    def do_DELETE(self) -> None:
        self._answer(self._deleted)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep quiet: stdout belongs to the ready line."""

    def _answer(self, work: Callable[[list[str], dict[str, Any]], Any]) -> None:
        try:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            status, answer = HTTPStatus.OK, work(self.path.strip("/").split("/"), body)
        except LookupError as problem:
            status, answer = HTTPStatus.NOT_FOUND, {"problem": f"unknown: {problem}"}
        except Impossible as problem:
            status, answer = HTTPStatus.CONFLICT, {"problem": str(problem)}
        except (ValueError, TypeError, AttributeError) as problem:
            status, answer = HTTPStatus.UNPROCESSABLE_ENTITY, {"problem": str(problem)}
        except TimeoutError:
            status, answer = HTTPStatus.GATEWAY_TIMEOUT, {"problem": "the box is busy"}
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _got(self, path: list[str], _body: dict[str, Any]) -> Any:
        fleet = self.server.fleet
        if path in (["state"], ["boxes"]):
            return {name: box.state() for name, box in list(fleet.boxes.items())}
        _boxes, username, what = path if len(path) == 3 else ("", "", "")
        box = fleet.boxes[username]
        if what not in {"state", "log"}:
            raise LookupError(what)
        return box.state() if what == "state" else list(box.log)

    def _posted(self, path: list[str], body: dict[str, Any]) -> Any:
        fleet = self.server.fleet
        if path == ["stop"]:
            fleet.ended.set()
            return {}
        if path == ["boxes"]:
            return fleet.add(body).state()
        _boxes, username, verb = path if len(path) == 3 else ("", "", "")
        box = fleet.boxes[username]
        move = VERBS[verb]
        try:
            move(box, body)
        except KeyError as missing:
            raise ValueError(f"missing: {missing}") from missing
        return box.state()

    def _deleted(self, path: list[str], _body: dict[str, Any]) -> Any:
        if not self.server.fleet.remove(path[-1]):
            raise LookupError(path[-1])
        return {}


class ControlServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, fleet: Fleet) -> None:
        super().__init__(("127.0.0.1", port), Control)
        self.fleet = fleet

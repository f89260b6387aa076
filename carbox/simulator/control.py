"""The hand that moves the simulated cars: HTTP on loopback, outside of MQTT.

GET  /state                      every box        GET /boxes/{username}/state | /log | /recent
GET  /verbs                      what can be done to each, with its values
POST /boxes                      {username, password, vehicle, vin, profile, pin?, ...}   adds a box
DELETE /boxes/{username}         takes it away
POST /companions                 {issuers, ahead_s?}  powers a companion, its clock that much ahead: answers its pairing
                                 record and the port of its phones;
                                 {companion, issuers} pins further keys; GET /companions lists them. `companion` of
                                 POST /boxes puts one beside that box
POST /boxes/{username}/{verb}    a verb of `carbox/simulator/verbs.py` with its values
POST /stop                       ends the process
"""

import json
import threading
from collections.abc import Callable
from dataclasses import fields
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from carbox.simulator import verbs
from carbox.simulator.box import BoxSettings, SimBox
from carbox.simulator.car import Impossible
from carbox.simulator.clock import HastenedClock
from carbox.simulator.companions import Companions

SETTINGS = frozenset(one.name for one in fields(BoxSettings))


class Fleet:
    """All boxes of this process."""

    def __init__(self, host: str, port: int, pace: float, ca_file: str = "") -> None:
        self._broker = {"host": host, "port": port, "ca_file": ca_file}
        self._pace = pace
        self._guard = threading.Lock()
        self.boxes: dict[str, SimBox] = {}
        self.companions = Companions()
        self.ended = threading.Event()

    def add(self, wanted: dict[str, Any]) -> SimBox:
        """Start a box; one of the same name is replaced, as if its configuration were changed."""
        given: dict[str, Any] = self._broker
        settings = BoxSettings(**given | {name: wanted[name] for name in wanted if name in SETTINGS})
        box = SimBox(settings, HastenedClock(float(wanted.get("pace", self._pace))))
        if wanted.get("companion"):
            self.companions.put_beside(str(wanted["companion"]), box)
        self.remove(settings.username)
        with self._guard:
            self.boxes[settings.username] = box
        box.start()
        return box

    def move(self, username: str, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """The state after it. Raises LookupError, ValueError or Impossible."""
        box = self.boxes[username]
        if verb not in verbs.VERBS:
            raise LookupError(verb)
        box.move(lambda firmware: verbs.move(firmware, verb, body))
        if verb == "fault" and body["kind"] in {"none", "reconnect"}:
            box.try_again()
        return box.state()

    def remove(self, username: str) -> bool:
        with self._guard:
            box = self.boxes.pop(username, None)
        if box is not None:
            box.stop()
        return box is not None

    def stop(self) -> None:
        for username in list(self.boxes):
            self.remove(username)
        self.companions.stop()


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
        if path == ["companions"]:
            return fleet.companions.all()
        if path == ["verbs"]:
            return {name: {"takes": verb.takes, "says": verb.says} for name, verb in verbs.VERBS.items()}
        _boxes, username, what = path if len(path) == 3 else ("", "", "")
        box = fleet.boxes[username]
        looks: dict[str, Callable[[], Any]] = {"state": box.state, "log": box.log, "recent": box.recent}
        return looks[what]()

    def _posted(self, path: list[str], body: dict[str, Any]) -> Any:
        fleet = self.server.fleet
        if path == ["stop"]:
            fleet.ended.set()
            return {}
        if path == ["boxes"]:
            return fleet.add(body).state()
        if path == ["companions"]:
            issuers = list(body.get("issuers", []))
            pinned = body.get("companion")
            if pinned:
                return fleet.companions.pin(pinned, issuers)
            return fleet.companions.add(issuers, ahead_s=int(body.get("ahead_s", 0)))
        _boxes, username, verb = path if len(path) == 3 else ("", "", "")
        return fleet.move(username, verb, body)

    def _deleted(self, path: list[str], _body: dict[str, Any]) -> Any:
        if not self.server.fleet.remove(path[-1]):
            raise LookupError(path[-1])
        return {}


class ControlServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, fleet: Fleet) -> None:
        super().__init__(("127.0.0.1", port), Control)
        self.fleet = fleet

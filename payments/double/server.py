"""The double's HTTP side: who asks, faults, idempotency, parameters, and the log of every call."""

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from payments.double import intents
from payments.double.api import HANDLERS
from payments.double.control import Control, Fault
from payments.double.deliveries import Deliveries, Endpoint
from payments.double.form import parameters
from payments.double.lists import expanded
from payments.double.problem import Problem
from payments.double.routes import route_of, template_of
from payments.double.world import API_VERSION, Body, World

RUNNING = 0
FAULT_STATUS = {
    "400": "amount_too_large",
    "401": None,
    "403": None,
    "409": "lock_timeout",
    "429": "rate_limit",
    "500": None,
    "500_after_commit": None,
}
KEPT_FAULTS = ("500", "500_after_commit")


class Dropped(ConnectionError):
    """The connection ends before the answer; werkzeug closes it without a word."""


@dataclass
class _Known:
    """What was answered under an idempotency key; `status` RUNNING while it is being worked on."""

    fingerprint: tuple[str, str, str]
    status: int = RUNNING
    text: str = ""


class App:
    """A WSGI application with one Stripe account in it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.world = World()
        self.deliveries = Deliveries(self.world, endpoint)
        self.world.on_event = self.deliveries.post
        self.control = Control(self.world, self.deliveries)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        try:
            response = self._control(request) if request.path.startswith("/_control/") else self._api(request)
        except Problem as problem:
            response = _json(problem.status, problem.body)
        return response(environ, start_response)

    def _control(self, request: Request) -> Response:
        body = {**request.args.to_dict(), **json.loads(request.get_data() or b"{}")}
        with self.world.lock:
            verb = request.path.removeprefix("/_control/")
            return _json(200, self.control.answer(request.method, verb, body))

    def _api(self, request: Request) -> Response:
        key = request.headers.get("Idempotency-Key")
        entry: Body = {
            "at": time.time(),
            "method": request.method,
            "path": request.path,
            "idempotency_key": key,
        }
        entry.update(fault=None, status=None, replayed=False)  # all fields at once: it may be read meanwhile
        with self.world.lock:
            fault = self.control.take_fault(request.path)
            self.control.log.append(entry)
        entry["fault"] = fault.kind if fault else None
        try:
            response = self._answer(request, key, fault)
        except Problem as problem:
            response = _json(problem.status, problem.body)
        entry["status"] = response.status_code
        entry["replayed"] = "Idempotent-Replayed" in response.headers
        if fault and fault.kind == "drop_after_commit":
            entry["status"] = None
            raise Dropped
        response.headers["Request-Id"] = f"req_{secrets.token_hex(7)}"
        return response

    def _answer(self, request: Request, key: str | None, fault: Fault | None) -> Response:
        keyed = key if request.method == "POST" else None
        if fault and fault.kind in FAULT_STATUS and not (keyed and fault.kind in KEPT_FAULTS):
            kind = "invalid_request_error" if fault.kind == "400" else "api_error"
            raise Problem(int(fault.kind[:3]), "As ordered.", kind=kind, code=FAULT_STATUS[fault.kind])
        delay_s = fault.seconds if fault and fault.kind == "delay" else 0
        params = self._params(request)
        if keyed is None:
            time.sleep(delay_s)
            return _json(200, self._act(request, params, key))
        fingerprint = (request.method, request.path, json.dumps(params, sort_keys=True))
        with self.world.lock:
            known = self.control.keys.get(keyed)
            if known is not None:
                return _replay(known, fingerprint)
            known = self.control.keys[keyed] = _Known(fingerprint)
        time.sleep(delay_s)  # a repeat meanwhile is told that the first one is still at work
        with self.world.lock:
            try:
                status, body = self._acted(request, params, keyed, fault)
            except Problem as problem:
                status, body = problem.status, problem.body
            known.status, known.text = status, json.dumps(body)
        return _text(status, known.text)

    def _acted(self, request: Request, params: Body, key: str, fault: Fault | None) -> tuple[int, Body]:
        """A fault of the server is an answer as any other: it is kept under the key, whether something came of it or not."""
        broken = Problem(500, "As ordered.", kind="api_error")
        if fault and fault.kind == "500":
            raise broken
        body = self._act(request, params, key)
        if fault and fault.kind == "500_after_commit":
            raise broken
        return 200, body

    def _params(self, request: Request) -> Body:
        if not _bearer(request).startswith(("sk_", "rk_")):
            raise Problem(401, "You did not provide an API key.")
        if request.headers.get("Stripe-Version") != API_VERSION:
            raise Problem(400, f"This double speaks {API_VERSION}.")
        template = template_of(request.path)
        route = route_of(request.method.lower(), template) if template else None
        if route is None:
            raise Problem(404, f"Unrecognized request URL ({request.method}: {request.path}).")
        if request.mimetype == "multipart/form-data":
            files = [(name, file.read().hex()) for name, file in request.files.items()]
            return parameters([*request.form.items(), *files], route.schema)
        raw = request.get_data(as_text=True) if request.method == "POST" else request.query_string.decode()
        return parameters(parse_qsl(raw, keep_blank_values=True), route.schema)

    def _act(self, request: Request, params: Body, key: str | None) -> Body:
        handler = HANDLERS.get((request.method.lower(), str(template_of(request.path))))
        if handler is None:
            raise Problem(400, f"The double does not play {request.method} {request.path}.")
        with self.world.lock:
            intents.expire_holds(self.world)
            self.world.acting_for = request.headers.get("Stripe-Account")
            self.world.current_request = {"id": None, "idempotency_key": key}
            return expanded(self.world, handler(self.world, request.path, params), params.get("expand", []))


def serve(port: int, endpoint: Endpoint) -> tuple[BaseWSGIServer, App]:
    """A server on loopback, bound and with its deliveries running; port 0 takes a free one."""
    app = App(endpoint)
    app.deliveries.start()
    return make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet), app


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's own name
        """The calls are in /_control/log."""

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:  # noqa: ARG002 - werkzeug's
        self.close_connection = True


def _replay(known: _Known, fingerprint: tuple[str, str, str]) -> Response:
    if known.fingerprint != fingerprint:
        message = "An idempotency key goes with the parameters it was first used with."
        raise Problem(400, message, kind="idempotency_error")
    if known.status == RUNNING:
        raise Problem(
            409,
            "There is currently another in-progress request using this key.",
            kind="idempotency_error",
            code="idempotency_key_in_use",
        )
    response = _text(known.status, known.text)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _bearer(request: Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def _json(status: int, body: Any) -> Response:
    return _text(status, json.dumps(body))


def _text(status: int, text: str) -> Response:
    return Response(text, status=status, mimetype="application/json")

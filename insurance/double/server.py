"""The insurer's API on loopback, with its control verbs beside it."""

import json
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from insurance.double.insurer import Answer, FakeInsurer

_VERSION: Final = re.compile(r"/v1/covers/([^/]+)/versions/([^/]+)")
_HEAD: Final = re.compile(r"/v1/log-heads/([0-9]+)")
_MAX_BODY: Final = 1_000_000


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, insurer: FakeInsurer) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.insurer = insurer
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._answer(self._routed(b""))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MAX_BODY:
            self.close_connection = True
            self._answer(Answer(413, {"error": "too large"}))
            return
        self._answer(self._routed(self.rfile.read(length)))

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the ready line is the only output."""

    def _routed(self, body: bytes) -> Answer:
        url = urlsplit(self.path)
        if url.path.startswith("/_control/"):
            return self._controlled(url.path.removeprefix("/_control/"), url.query, body)
        authorization, insurer = self.headers.get("Authorization"), self.server.insurer
        if (self.command, url.path) == ("POST", "/oauth/token"):
            return insurer.token(authorization, body)
        if not insurer.knows(authorization):
            return Answer(401, {"error": "invalid_token"})
        if (self.command, url.path) == ("POST", "/v1/covers"):
            try:
                report = json.loads(body)
            except ValueError:
                return Answer(400, {"error": "not JSON"})
            return insurer.report(self.headers.get("Idempotency-Key"), report, time.time())
        version = _VERSION.fullmatch(url.path)
        if self.command == "GET" and version:
            return insurer.read(unquote(version[1]), version[2])
        head = _HEAD.fullmatch(url.path)
        if self.command == "PUT" and head:
            return insurer.keep_head(int(head[1]), json.loads(body))
        return Answer(404, {"error": "no such route"})

    def _controlled(self, verb: str, query: str, body: bytes) -> Answer:
        insurer = self.server.insurer
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        try:
            match self.command, verb:
                case "GET", "covers":
                    return Answer(200, insurer.covers(asked.get("cover")))
                case "GET", "heads":
                    return Answer(200, insurer.heads())
                case "POST", "mood":
                    insurer.set_mood(json.loads(body))
                case "POST", "decide":
                    insurer.decide(json.loads(body))
                case "POST", "forget_tokens":
                    insurer.forget_tokens()
                case "POST", "reset":
                    insurer.reset()
                case _:
                    return Answer(404, {"error": "no such control verb"})
        except (KeyError, TypeError, ValueError) as wrong:
            return Answer(422, {"error": str(wrong)})
        return Answer(200)

    def _answer(self, answer: Answer) -> None:
        if answer.delay:
            time.sleep(answer.delay)
        if answer.lost:
            self.close_connection = True
            return
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            # The other side had no patience: that is what a slow insurer is for.
            self.close_connection = True

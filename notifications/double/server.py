"""The proxy that stands where the internet would be: it plays Google inside the tunnel, takes orders outside.

A CONNECT to a Google host is answered here, with a certificate of our test CA. Plain requests are the token
endpoint and the control verbs.
"""

import json
import re
import ssl
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from notifications.double.browsers import PATH, Browsers
from notifications.double.fcm import Answer, FakeFcm, error
from notifications.double.google_sign_in import SignIn
from notifications.double.mail_sink import MailSink

FCM: Final = "fcm.googleapis.com"
HOSTS: Final = (FCM, "oauth2.googleapis.com", "iamcredentials.googleapis.com")
_SEND: Final = re.compile(r"/v1/projects/([^/]+)/messages:send")
_MAX_BODY: Final = 1_000_000


class Server(ThreadingHTTPServer):
    """Listens on loopback; everything the handlers need hangs on it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, project: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.fcm = FakeFcm(project)
        self.sign_in = SignIn(project, f"{self.url}/token")
        self.mails = MailSink()
        self.browsers = Browsers(self.url)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


class Handler(BaseHTTPRequestHandler):
    """One connection, before and after its CONNECT."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    server: Server
    tunnel: str | None = None

    def do_CONNECT(self) -> None:
        host = self.path.rpartition(":")[0]
        if host not in HOSTS:
            self._answer(Answer(403, {"error": f"nothing behind this proxy is called {host}"}))
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        try:
            self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        except OSError:
            self.close_connection = True
            return
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.tunnel = host
        self.close_connection = False

    def do_GET(self) -> None:
        self._answer(self._routed(b""))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MAX_BODY:
            self.close_connection = True
            self._answer(error(413, "INVALID_ARGUMENT", "Request too large."))
            return
        self._answer(self._routed(self.rfile.read(length)))

    def finish(self) -> None:
        super().finish()
        if self.tunnel:
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the ready line is the only output."""

    def _routed(self, body: bytes) -> Answer:
        if self.tunnel == FCM:
            return self._fcm(body)
        if self.tunnel is None and self.path == "/token":
            return self.server.sign_in.token(body)
        if self.tunnel is None and self.path.startswith(PATH) and self.command == "POST":
            return self.server.browsers.take(self.path, dict(self.headers.items()), body)
        if self.tunnel is None and self.path.startswith("/_control/"):
            return self._controlled(body)
        return error(404, "NOT_FOUND", "Not found.")

    def _fcm(self, body: bytes) -> Answer:
        sent = _SEND.fullmatch(self.path)
        if sent is None or self.command != "POST":
            return error(404, "NOT_FOUND", "Not found.")
        if not self.server.sign_in.knows(self.headers.get("Authorization")):
            return error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        return self.server.fcm.send(sent[1], body, time.time())

    def _controlled(self, body: bytes) -> Answer:
        url = urlsplit(self.path)
        asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
        verb = (self.command, url.path.removeprefix("/_control/"))
        try:
            match verb:
                case ("GET", "pushes"):
                    return Answer(200, self.server.fcm.pushes(asked.get("address")))
                case ("GET", "mails"):
                    return Answer(200, self.server.mails.mails(asked.get("to")))
                case ("GET", "web_pushes"):
                    return Answer(200, self.server.browsers.pushes(asked["endpoint"]))
                case ("POST", "subscribe"):
                    return Answer(200, self.server.browsers.subscribe())
                case ("POST", "web_fault"):
                    self.server.browsers.set_fault(json.loads(body))
                case ("POST", "fault"):
                    self.server.fcm.set_fault(json.loads(body))
                case ("POST", "smtp_fault"):
                    self.server.mails.set_fault(json.loads(body))
                case ("POST", "reset"):
                    self.server.fcm.reset()
                    self.server.mails.reset()
                    self.server.browsers.reset()
                case _:
                    return Answer(404, {"error": "no such control verb"})
        except (KeyError, TypeError, ValueError) as wrong:
            return Answer(422, {"error": str(wrong)})
        return Answer(200, {})

    def _answer(self, answer: Answer) -> None:
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

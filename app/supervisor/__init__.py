"""The supervisor: starts database, broker, doubles, simulator and our own processes, and stops each by its own process.

Demo, serve and tests stand on the same parts. Everything listens on loopback, on ports chosen free at start.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import psycopg
import requests
from flask import Flask
from flask.testing import FlaskCliRunner

from app.doors import Doors
from app.factory import create_app
from app.kit import playground
from app.kit.config import from_environment
from app.kit.db import dispose
from app.kit.embedded_postgres import EmbeddedPostgres, free_port
from app.supervisor import settings as told
from app.supervisor.part import READY_WITHIN_S, Part, PartFailedError, with_us
from carbox.broker_accounts import password_hash
from carbox.local_broker import LocalBroker
from insurance.partners import partners_of

ROOT = Path(__file__).parents[2]
DOUBLES = ("stripe", "push", "insurer", "simulator")
PROXY_NAMES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


class Supervisor:
    """All parts, in a folder of their own. `with Supervisor(folder) as place:` or start() and stop()."""

    def __init__(
        self,
        folder: Path,
        *,
        mode: str = "demo",
        api_workers: int = 2,
        worker: bool = True,
        settings: dict[str, str] | None = None,
        entry: str = "wsgi:app",
        database_url: str | None = None,
    ) -> None:
        """`database_url`: a database to stand on; None means that of the environment, empty or none a server of its own."""
        self.folder, self._mode, self._api_workers, self._with_worker = folder, mode, api_workers, worker
        self._extra, self._entry = settings or {}, entry
        self._given = os.environ.get("DATABASE_URL", "") if database_url is None else database_url
        self.parts: dict[str, Part] = {}
        self._postgres: EmbeddedPostgres | None = None
        self._broker: LocalBroker | None = None
        self.environment: dict[str, str] = {}
        self._app: Flask | None = None
        self.url = ""
        self.database_url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything, in the order of need. Raises PartFailedError; what had started is stopped again."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database_url = self._given_database() or self._start_postgres()
        mqtt_password = secrets.token_urlsafe(24)
        mqtt_port = self._start_broker(mqtt_password)
        api_port = free_port()
        self.url = f"http://127.0.0.1:{api_port}"
        webhook_secret = f"whsec_{secrets.token_hex(16)}"
        self._start_doubles(mqtt_port, webhook_secret)
        for name in DOUBLES:
            self.parts[name].await_ready()
        self.environment = {
            "DATABASE_URL": self.database_url,
            "GLOVEBOX_MODE": self._mode,
            "GLOVEBOX_PUBLIC_URL": self.url,
            "GLOVEBOX_METRICS_TOKEN": "demo-metrics",
            **told.of_folder(self.folder),
            **told.of_broker(mqtt_port, mqtt_password),
            **told.of_doubles({name: self.parts[name].ready for name in DOUBLES}, webhook_secret),
            **self._extra,
        }
        self.flask("db", "upgrade", "--directory", str(ROOT / "migrations"))
        playground.mark(self.database_url)
        self._start_ours(api_port)

    def _start_doubles(self, mqtt_port: int, webhook_secret: str) -> None:
        ours, owners = f"{self.url}/webhooks/stripe", f"{self.url}/webhooks/stripe-connect"
        hooks = ["--webhook-url", ours, "--webhook-secret", webhook_secret]
        hooks += ["--connect-url", owners, "--connect-secret", webhook_secret]
        authority, credentials = self.folder / "ca.pem", self.folder / "firebase.json"
        files = ["--ca-file", str(authority), "--credentials-file", str(credentials)]
        broker = ["--host", "127.0.0.1", "--port", str(mqtt_port)]
        self._spawn("stripe", ["-m", "payments.double", "--port", "0", *hooks])
        self._spawn("push", ["-m", "notifications.double", *files])
        self._spawn("insurer", ["-m", "insurance.double", "--port", "0"])
        self._spawn("simulator", ["-m", "carbox.simulator", *broker, "--control-port", "0", "--pace", "0.02"])

    def _given_database(self) -> str | None:
        """The database to stand on, if one is named and may be played with. Raises PartFailedError."""
        url = self._given
        if not url:
            return None
        try:
            real = playground.is_real(url)
        except psycopg.Error as error:
            raise PartFailedError(f"DATABASE_URL cannot be reached: {error}") from error
        if real:
            raise PartFailedError(playground.NOT_TO_PLAY_WITH)
        return url

    def _start_postgres(self) -> str:
        self._postgres = EmbeddedPostgres(self.folder)
        self._postgres.start()
        return self._postgres.url()

    def _start_broker(self, password: str) -> int:
        folder = self.folder / "broker"
        folder.mkdir(exist_ok=True)
        port = free_port()
        self._broker = LocalBroker(
            folder, port, backend="glovebox", hashes={"glovebox": password_hash(password)}
        )
        try:
            self._broker.start()
        except FileNotFoundError as error:
            raise PartFailedError(
                "mosquitto is not installed: run `make setup`, which says what to do"
            ) from error
        return port

    def _start_ours(self, api_port: int) -> None:
        self._spawn(
            "api",
            [
                "-m",
                "granian",
                "--interface",
                "wsgi",
                "--workers",
                str(self._api_workers),
                "--blocking-threads",
                "64",
                "--host",
                "127.0.0.1",
                "--port",
                str(api_port),
                "--no-access-log",
                "--log-level",
                "warning",
                self._entry,
            ],
        )
        if self._with_worker:
            self.start_worker()
        self.start_boxlink()
        self._await_http()

    def start_worker(self, name: str = "worker") -> Part:
        """A worker process; its pushes go through the proxy of the push double. Stories wait for what it does."""
        give_way = ("--nice", "0") if self._mode == "test" else ()
        environment = self.parts["push"].ready["environment"]
        return self._spawn(name, ["-m", "flask", "--app", "wsgi", "worker", *give_way], environment)

    def start_boxlink(self, name: str = "boxlink") -> Part:
        """One more boxlink, under a name of its own, shares the boxes with those that run."""
        return self._spawn(name, ["-m", "flask", "--app", "wsgi", "boxlink"])

    def flask(self, *arguments: str) -> str:
        """Run a command of the place to its end; returns what it said. Raises PartFailedError.

        The command runs in this process, as `flask --app wsgi ...` would run it: a demo has many of them.
        """
        done = self._runner().invoke(args=list(arguments))
        if done.exit_code:
            words = (
                done.output
                if done.exception is None or isinstance(done.exception, SystemExit)
                else repr(done.exception)
            )
            raise PartFailedError(f"flask {' '.join(arguments)}: {words.strip()[-2000:]}")
        return done.output

    def _runner(self) -> FlaskCliRunner:
        return self.application().test_cli_runner()

    def application(self) -> Flask:
        """The app in this process, on the same database, its doors shut."""
        if self._app is None:
            shut = Doors(insurers=partners_of([]), payments=None, push=None, mail=None)
            self._app = create_app(from_environment(self.environment), shut)
        return self._app

    def _environ(self, more: dict[str, str] | None = None) -> dict[str, str]:
        clean = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith("GLOVEBOX_") and k.lower() not in PROXY_NAMES
        }
        clean |= {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), **self.environment, **(more or {})}
        return clean

    def _spawn(self, name: str, arguments: list[str], more: dict[str, str] | None = None) -> Part:
        log = self.folder / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(  # noqa: S603
                [*with_us(), sys.executable, *arguments],
                stdout=subprocess.PIPE,
                stderr=out,
                text=True,
                cwd=ROOT,
                env=self._environ(more),
                start_new_session=True,
            )
        self.parts[name] = Part(name, process, log)
        return self.parts[name]

    def _await_http(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            for part in self.parts.values():
                if part.process.poll() is not None:
                    raise PartFailedError(f"{part.name} ended at once:\n{part.end_of_log()}")
            try:
                if requests.get(f"{self.url}/healthz", timeout=2).ok:
                    return
            except requests.RequestException:
                pass
            if time.monotonic() > deadline:
                raise PartFailedError(f"the API did not answer:\n{self.parts['api'].end_of_log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop everything, our own processes first."""
        for doubles in (False, True):
            group = [part for name, part in self.parts.items() if (name in DOUBLES) is doubles]
            for part in group:
                if part.process.poll() is None:
                    part.process.send_signal(signal.SIGTERM)
            for part in group:
                part.stop()
        self.parts.clear()
        if self._app is not None:
            with self._app.app_context():
                dispose()
        if self._broker is not None:
            self._broker.stop()
        if self._postgres is not None:
            self._postgres.stop()

    # -- the doubles

    def control(self, name: str, method: str, path: str, /, **body: Any) -> Any:
        """A control verb of a double."""
        ready = self.parts[name].ready
        base = {
            "stripe": f"{ready.get('url')}/_control",
            "simulator": f"http://127.0.0.1:{ready.get('control_port')}",
        }.get(name) or str(ready["control"]).rstrip("/")
        kwargs: dict[str, Any] = {"params": body} if method == "GET" else {"json": body}
        answer = requests.request(method, f"{base}/{path}", timeout=30, **kwargs)
        if not answer.ok:
            raise PartFailedError(f"{name} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

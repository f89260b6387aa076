"""A Mosquitto of one's own on loopback, for the demo and the tests; its accounts change while it runs."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from carbox.broker_accounts import TlsListener, accounts_in, acl_file, mosquitto_conf, password_file

UP_WITHIN_S: Final = 10.0
BINARIES: Final = ("mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")


def write_accounts(path: Path, hashes: Mapping[str, str]) -> None:
    """Replace the broker's password file at once."""
    write_whole(path, password_file(hashes))


def write_whole(path: Path, content: str) -> None:
    """Readable for its owner only; a power cut leaves the old or the new."""
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    with fresh.open("w") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


def refuse_broken(passwords: Path, backend: str) -> None:
    """Look before a broker starts: with no accounts it must not listen. Raises OSError or ValueError.

    Mosquitto itself stays away only when a file is missing; with a broken one it would listen and refuse every box, and a
    box that is refused does not come again.
    """
    if backend not in accounts_in(passwords.read_text()):
        raise ValueError(f"{passwords} has no account of {backend}")


def reload_accounts(pid_path: Path) -> None:
    """Have the broker with this pid file read its files again. Raises OSError or ValueError."""
    os.kill(int(pid_path.read_text()), signal.SIGHUP)


class LocalBroker:
    """Files in `directory`, listening on `port` of loopback. `hashes` is username -> password hash.

    `tls`: one more listener, which shows a certificate.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        backend: str,
        hashes: Mapping[str, str],
        tls: TlsListener | None = None,
    ) -> None:
        self.port = port
        self._directory = directory
        self._backend = backend
        self._passwords = directory / "passwords"
        self._acl = acl = directory / "acl"
        self._walls = acl_file(backend)
        self._config = directory / "mosquitto.conf"
        write_whole(acl, self._walls)
        write_accounts(self._passwords, hashes)
        self._config.write_text(
            mosquitto_conf(
                port=port,
                password_path=str(self._passwords),
                acl_path=str(acl),
                pid_path=str(directory / "mosquitto.pid"),
                run_as="root" if os.geteuid() == 0 else None,
                tls=tls,
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return once it listens. Raises ValueError for broken files, FileNotFoundError, TimeoutError."""
        refuse_broken(self._passwords, self._backend)
        if self._acl.read_text() != self._walls:
            raise ValueError(f"{self._acl} does not hold the walls between boxes")
        binary = next(filter(None, map(shutil.which, BINARIES)), None)
        if binary is None:
            raise FileNotFoundError("mosquitto is not installed")
        with (self._directory / "mosquitto.log").open("ab") as log:
            command = [binary, "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own words
        ends = time.monotonic() + UP_WITHIN_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > ends:
                self.stop()
                raise TimeoutError("mosquitto did not come up; see its log")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(UP_WITHIN_S)
            self._process = None

    def reload(self, hashes: Mapping[str, str]) -> None:
        """Only these accounts from now on; who is no longer among them is cut off."""
        write_accounts(self._passwords, hashes)
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

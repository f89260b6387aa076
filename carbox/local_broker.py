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

from carbox.broker_accounts import acl_file, mosquitto_conf, password_file

UP_WITHIN_S: Final = 10.0
BINARIES: Final = ("mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")


def write_accounts(path: Path, hashes: Mapping[str, str]) -> None:
    """Replace the broker's password file at once, readable for its owner only."""
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(password_file(hashes))
    fresh.replace(path)


def reload_accounts(pid_path: Path) -> None:
    """Have the broker with this pid file read its files again. Raises OSError or ValueError."""
    os.kill(int(pid_path.read_text()), signal.SIGHUP)


class LocalBroker:
    """Files in `directory`, listening on `port` of loopback. `hashes` is username -> password hash."""

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        backend: str,
        hashes: Mapping[str, str],
        client_id: str = "glovebox",
    ) -> None:
        self.port = port
        self._directory = directory
        self._passwords = directory / "passwords"
        self._config = directory / "mosquitto.conf"
        acl = directory / "acl"
        acl.write_text(acl_file(backend, client_id))
        acl.chmod(0o600)
        write_accounts(self._passwords, hashes)
        self._config.write_text(
            mosquitto_conf(
                port=port,
                password_path=str(self._passwords),
                acl_path=str(acl),
                pid_path=str(directory / "mosquitto.pid"),
                run_as="root" if os.geteuid() == 0 else None,
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return once it listens. Raises FileNotFoundError or TimeoutError."""
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

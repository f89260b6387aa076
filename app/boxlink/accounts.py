"""The broker's accounts: written whenever boxes come or go, by one boxlink at a time."""

import math
import secrets
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import structlog
from flask import Flask

from app.boxlink.aside import aside
from app.cars import box as boxes
from app.kit.config import Settings
from app.kit.db import release
from app.kit.listen import connect, notices
from carbox.broker_accounts import new_password, password_hash
from carbox.local_broker import reload_accounts, write_accounts
from carbox.mqtt_link import BrokerAddress, let_in

log = structlog.get_logger(__name__)
ONE_WRITES, SWEEP_S, COMPARE_S = 7009, 1.0, 10.0


class Accounts:
    """What the broker knows of boxes, kept as the database has it."""

    def __init__(self, app: Flask, settings: Settings, stop: threading.Event) -> None:
        self._app, self._settings, self._stop = app, settings, stop
        self._backend_hash = password_hash(settings.mqtt_password)

    def keep(self) -> None:
        """Until stopped, while no other boxlink does; never where the broker's files are not."""
        if not self._settings.mqtt_accounts_dir:
            log.error("no GLOVEBOX_MQTT_ACCOUNTS_DIR: box accounts are left to other boxlinks")
            return
        while not self._stop.is_set():
            try:
                with connect(self._settings.listen_database_url) as alone:
                    if alone.execute("select pg_try_advisory_lock(%s)", (ONE_WRITES,)).fetchone() == (True,):
                        self._keep(alone)
            except psycopg.Error as error:
                log.warning("accounts again", error=repr(error))
            self._stop.wait(SWEEP_S)

    def _keep(self, alone: psycopg.Connection[Any]) -> None:
        """Write the broker's accounts, have it reload, prove it, wake who waits. Raises psycopg.Error with the lock lost.

        All are compared when a notice says so, and now and then for one that was lost.
        """
        loaded: dict[str, str] = {}
        agreed = -math.inf
        for notice in notices(self._settings.listen_database_url, "boxes", SWEEP_S, self._stop):
            alone.execute("select 1")
            lately = time.monotonic() - agreed < COMPARE_S
            if notice is None and lately and not aside(self._app, boxes.unsettled):
                continue
            agreed = -math.inf
            wanted = aside(self._app, boxes.accounts)
            if wanted is None:
                continue
            if wanted != loaded or aside(self._app, boxes.unsettled):
                if not aside(self._app, self._load, wanted):
                    continue
                loaded = wanted
            agreed = time.monotonic()

    def _load(self, wanted: dict[str, str]) -> bool:
        release()
        probe, password = f"probe-{secrets.token_hex(6)}", new_password()
        accounts = {
            **wanted,
            self._settings.mqtt_username: self._backend_hash,
            probe: password_hash(password),
        }
        write_accounts(Path(self._settings.mqtt_accounts_dir) / "passwords", accounts)
        reload_accounts(Path(self._settings.mqtt_pid_file))
        address = BrokerAddress(
            self._settings.mqtt_host,
            self._settings.mqtt_port,
            probe,
            password,
            client_id=probe,
            ca_file=self._settings.mqtt_ca_file or None,
        )
        for _ in range(10):
            if let_in(address, 2.0):
                break
            time.sleep(0.1)
        else:
            log.error("the broker did not take the accounts")
            return False
        boxes.mark_loaded(wanted)
        return True

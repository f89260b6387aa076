"""boxlink's threads: commands, readings, late answers, accounts."""

import math
import queue
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import bindparam, select
from sqlalchemy.exc import InterfaceError, OperationalError

from app.boxlink import ingest
from app.boxlink.inbox import Listener
from app.cars import box as boxes
from app.cars.models import Box
from app.kit import heartbeat, rights
from app.kit.config import Settings
from app.kit.db import release, session
from app.kit.driver import read
from app.kit.listen import connect, notices
from app.rentals import abandoned, outcome
from app.rentals.claim import Claim, claim
from app.rentals.models import Command
from carbox.box import (
    Answer,
    BadCommand,
    BoxFault,
    CarBox,
    CommandKind,
)
from carbox.box import Command as BoxCommand
from carbox.broker_accounts import new_password, password_hash
from carbox.local_broker import reload_accounts, write_accounts
from carbox.mqtt_link import BrokerAddress, let_in

log = structlog.get_logger(__name__)
THREADS, SWEEP_S, LOOK_AGAIN_S = 64, 1.0, 0.2
ONE_AT_A_TIME = 7008
SETTLE_WITHIN_S, SETTLE_AGAIN_S = 20.0, 0.5
COMPARE_S = 10.0
_WIRING = (Box.username, Box.vehicle, Box.config, Box.pin_sealed, Box.key_sensor)
_TO_SEND = (
    select(Command.kind, Command.value, Command.asked_by, *_WIRING)
    .join(Box, Box.id == Command.box_id)
    .where(Command.id == bindparam("command"), Command.state == "created")
)


class BoxLink:
    """The process: its threads, each in an application context of its own."""

    def __init__(self, app: Flask, settings: Settings, make_door: Callable[[Listener], CarBox]) -> None:
        self._app, self._settings = app, settings
        self._listener = Listener()
        self._door = make_door(self._listener)
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="command")
        self._taken: set[str] = set()
        self._guard = threading.Lock()
        self._name = f"boxlink-{secrets.token_hex(4)}"
        self._backend_hash = password_hash(settings.mqtt_password)

    def run(self) -> None:
        """Until `stop`. A second boxlink waits until the first is gone: two would throw each other off the broker."""
        with connect(self._settings.listen_database_url) as alone:
            while alone.execute("select pg_try_advisory_lock(%s)", (ONE_AT_A_TIME,)).fetchone() != (True,):
                if self._stop.wait(SWEEP_S):
                    return
            self._run()

    def _run(self) -> None:
        self._door.start()
        loops = (self._load_accounts, self._take_readings, self._take_late, self._take_commands)
        threads = [threading.Thread(target=loop, name=loop.__name__) for loop in loops]
        for thread in threads:
            thread.start()
        self._stop.wait()
        for thread in threads:
            thread.join(5)
        self._door.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def stop(self) -> None:
        self._stop.set()

    def _in_context(self, work: Callable[..., Any], *args: Any) -> Any:
        with self._app.app_context():
            try:
                return work(*args)
            except Exception as error:
                log.exception("boxlink", work=getattr(work, "__name__", "?"), error=repr(error))
                return None

    # -- commands

    def _take_commands(self) -> None:
        """As their notices come; each second also those whose notice was lost, and those nobody works on any longer."""
        swept = beaten = 0.0
        for notice in notices(self._settings.listen_database_url, "commands", SWEEP_S, self._stop):
            if notice:
                self._submit(notice)
            if notice and time.monotonic() - swept < SWEEP_S:
                continue
            swept = time.monotonic()
            self._in_context(abandoned.settle)
            for command in self._in_context(_waiting) or ():
                self._submit(command)
            if swept - beaten > heartbeat.EVERY_S:
                self._in_context(heartbeat.beat, "boxlink", heartbeat.FINE if self._door.up else "down")
                beaten = swept

    def _submit(self, command: str) -> None:
        with self._guard:
            if command in self._taken:
                return
            self._taken.add(command)
        self._pool.submit(self._work, command)

    def _work(self, command: str) -> None:
        try:
            self._in_context(self._execute, command)
        finally:
            with self._guard:
                self._taken.discard(command)

    def _execute(self, command_id: str) -> None:
        """One command: a sign of life, the right once more, publish, wait, apply."""
        found = read(_TO_SEND, {"command": command_id})
        if not found:
            return
        row = found[0]
        wired = boxes.wired(row)
        try:
            alive = row.kind == "ping" or self._door.alive(wired)
        except BoxFault:
            alive = False
        if not alive:
            abandoned.not_sent(command_id, "unreachable")
            return
        with rights.used(row.asked_by) as use:
            claimed = claim(command_id, self._name)
            if claimed is not Claim.MINE:
                use.done()
                if claimed is not Claim.TAKEN:
                    why = "no_longer" if claimed is Claim.NO_LONGER else "unreachable"
                    abandoned.not_sent(command_id, why)
                return
            release()
            try:
                answer = self._door.send(
                    wired,
                    _as_box_command(row.kind, row.value),
                    command_id=command_id,
                    wait_s=self._settings.box_answer_within_s,
                    on_sent=use.sent,
                )
            except BadCommand:
                answer, reason = None, "bad_command"
            except BoxFault:
                answer, reason = None, "unreachable"
            else:
                reason = ""
        _settle(command_id, answer, reason or None)

    # -- readings and late answers

    def _take_readings(self) -> None:
        with self._app.app_context():
            ingest.keep_writing(self._listener.readings, self._stop)

    def _take_late(self) -> None:
        while not self._stop.is_set():
            try:
                command, answer = self._listener.late.get(timeout=SWEEP_S)
            except queue.Empty:
                continue
            self._in_context(self._late, command, answer)

    def _late(self, command: str, answer: Answer) -> None:
        """What proves something after all. A command in hand elsewhere: its own process is dead, or settles it now."""
        row = session.execute(select(Command.state, Command.claimed_by).where(Command.id == command)).first()
        release()
        if row is None:
            return
        if row.state == "sent" and row.claimed_by == self._name:
            time.sleep(LOOK_AGAIN_S)
            self._listener.late.put((command, answer))
            return
        if row.state == "sent":
            abandoned.give_up(command)
        outcome.apply_late(command, answer)

    # -- accounts

    def _load_accounts(self) -> None:
        """Whenever boxes come or go: write the broker's accounts, have it reload, prove it, wake who waits.

        All are compared when a notice says so, and now and then for one that was lost.
        """
        loaded: dict[str, str] = {}
        agreed = -math.inf
        for notice in notices(self._settings.listen_database_url, "boxes", SWEEP_S, self._stop):
            lately = time.monotonic() - agreed < COMPARE_S
            if notice is None and lately and not self._in_context(boxes.unsettled):
                continue
            agreed = -math.inf
            wanted = self._in_context(boxes.accounts)
            if wanted is None:
                continue
            if wanted != loaded or self._in_context(boxes.unsettled):
                if not self._in_context(self._load, wanted):
                    continue
                loaded = wanted
            agreed = time.monotonic()

    def _load(self, wanted: dict[str, str]) -> bool:
        if not self._settings.mqtt_accounts_dir:
            log.error("no GLOVEBOX_MQTT_ACCOUNTS_DIR: box accounts cannot be loaded")
            return False
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
        for box in boxes.every_wired():
            self._door.watch(box)
        release()
        boxes.mark_loaded(wanted)
        return True


def _waiting() -> list[str]:
    """Commands nobody has claimed."""
    rows = session.scalars(select(Command.id).where(Command.state == "created")).all()
    release()
    return list(rows)


def _settle(command: str, answer: Answer | None, reason: str | None) -> None:
    """Apply what came of a command; the answer is not to be had again, so a database that is away is waited for."""
    deadline = time.monotonic() + SETTLE_WITHIN_S
    while True:
        try:
            outcome.apply(command, answer, reason)
            return
        except (InterfaceError, OperationalError) as error:
            if time.monotonic() > deadline:
                raise
            log.warning("settling again", command=command, error=repr(error))
            release()
            time.sleep(SETTLE_AGAIN_S)


def _as_box_command(kind: str, value: int | None) -> BoxCommand:
    known = CommandKind(kind)
    if known is CommandKind.CHARGE_LIMIT:
        return BoxCommand(known, amps=value)
    return BoxCommand(known, on=bool(value) if known is CommandKind.CLIMATE else None)

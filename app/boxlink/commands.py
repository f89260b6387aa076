"""Commands to this boxlink's boxes, from the notice to the applied outcome; and answers that come late."""

import contextlib
import queue
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import bindparam, or_, select
from sqlalchemy.exc import InterfaceError, OperationalError

from app.boxlink.aside import aside
from app.boxlink.inbox import Listener
from app.boxlink.sharing import Member
from app.cars import box as boxes
from app.cars import hear
from app.cars.hear import WIRING
from app.cars.models import Box
from app.kit import heartbeat, rights
from app.kit.config import Settings
from app.kit.db import release, session
from app.kit.driver import read
from app.kit.listen import notices
from app.rentals import abandoned, outcome
from app.rentals.claim import Claim, claim
from app.rentals.models import Command
from carbox.box import LOCK_NAMES, Answer, BadCommand, BoxFault, BrokerDown, CarBox, CommandKind
from carbox.box import Command as BoxCommand

log = structlog.get_logger(__name__)
THREADS, SWEEP_S, LOOK_AGAIN_S = 64, 1.0, 0.2
SETTLE_WITHIN_S, SETTLE_AGAIN_S = 20.0, 0.5
_TO_SEND = (
    select(Command.kind, Command.value, Command.asked_by, *WIRING)
    .join(Box, Box.id == Command.box_id)
    .where(Command.id == bindparam("command"), Command.state == "created")
)
_ASKED = (
    select(Command.state, Command.claimed_by)
    .join(Box, Box.id == Command.box_id)
    .where(
        Command.id == bindparam("command"),
        or_(Box.username == bindparam("username"), Box.next_username == bindparam("username")),
    )
)


class Commands:
    """One thread takes them, each is worked on by one of a pool."""

    def __init__(
        self,
        app: Flask,
        settings: Settings,
        door: CarBox,
        listener: Listener,
        member: Member,
        stop: threading.Event,
    ) -> None:
        self._app, self._settings, self._door = app, settings, door
        self._late, self._member, self._stop = listener.late, member, stop
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="command")
        self._taken: set[str] = set()
        self._boxes: Counter[str] = Counter()
        self._guard = threading.Lock()

    def in_hand(self) -> set[str]:
        """The boxes to which a command is under way."""
        with self._guard:
            return set(+self._boxes)

    def take(self) -> None:
        """As their notices come; each second also those whose notice was lost, and those nobody works on any longer."""
        swept = beaten = 0.0
        for notice in notices(self._settings.listen_database_url, "commands", SWEEP_S, self._stop):
            if notice:
                self._submit(notice)
            if notice and time.monotonic() - swept < SWEEP_S:
                continue
            swept = time.monotonic()
            aside(self._app, abandoned.refuse_unsent)
            aside(self._app, self._give_up)
            for command in aside(self._app, _waiting) or ():
                self._submit(command)
            if swept - beaten > heartbeat.EVERY_S:
                says = heartbeat.FINE if self._door.up else "down"
                aside(self._app, heartbeat.beat, heartbeat.numbered("boxlink", self._member.rank), says)
                beaten = swept

    def _give_up(self) -> None:
        """Commands to boxes of ours whose boxlink has died."""
        for command, username in abandoned.silent():
            if self._member.has(username):
                abandoned.give_up(command)
                self._ask_doors(username)

    def _ask_doors(self, username: str) -> None:
        """What a box told of its doors while the command was out could not be drawn upon, and it may say nothing by itself
        for 20 minutes.
        """
        for box in hear.wired([username]):
            with contextlib.suppress(BrokerDown):  # on coming back a box tells everything by itself
                self._door.ask(box, LOCK_NAMES)

    def finish(self) -> None:
        """Wait for what is in hand; what has not begun stays for others."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, command: str) -> None:
        with self._guard:
            if command in self._taken:
                return
            self._taken.add(command)
        self._pool.submit(self._work, command)

    def _work(self, command: str) -> None:
        try:
            aside(self._app, self._take_mine, command)
        finally:
            with self._guard:
                self._taken.discard(command)

    def _take_mine(self, command: str) -> None:
        """Whoever sends a command must hear what its box says then, so it is sent by the one who hears the box."""
        found = read(_TO_SEND, {"command": command})
        if not found:
            return
        username = found[0].username
        with self._guard:
            self._boxes[username] += (
                1  # first in hand, then whose it is: from here on the box is not forgotten
            )
        try:
            if self._member.has(username):
                self._execute(command, found[0])
        finally:
            with self._guard:
                self._boxes[username] -= 1

    def _execute(self, command: str, row: Any) -> None:
        """One command: a sign of life, the right once more, publish, wait, apply."""
        wired = boxes.wired(row)
        try:
            alive = row.kind == "ping" or self._door.alive(wired)
        except BoxFault:
            alive = False
        if not alive:
            abandoned.not_sent(command, "unreachable")
            return
        with rights.used(row.asked_by) as use:
            claimed = claim(command, self._member.name)
            if claimed is not Claim.MINE:
                use.done()
                if claimed is not Claim.TAKEN:
                    why = "no_longer" if claimed is Claim.NO_LONGER else "unreachable"
                    abandoned.not_sent(command, why)
                return
            release()
            try:
                answer = self._door.send(
                    wired,
                    _as_box_command(row.kind, row.value),
                    command_id=command,
                    wait_s=self._settings.box_answer_within_s,
                    on_sent=use.sent,
                )
            except BadCommand:
                answer, reason = None, "bad_command"
            except BoxFault:
                answer, reason = None, "unreachable"
            else:
                reason = ""
        _settle(command, answer, reason or None)

    # -- late answers

    def take_late(self) -> None:
        """Answers whose sender no longer waits, or has died."""
        while not self._stop.is_set():
            try:
                late = self._late.get(timeout=SWEEP_S)
            except queue.Empty:
                continue
            aside(self._app, self._apply_late, *late)

    def _apply_late(self, username: str, command: str, answer: Answer) -> None:
        """What proves something after all. What a boxlink that lives has in hand it settles; a dead one's is given up.

        Only a command's own box can answer it: another that knows its id proves nothing.
        """
        row = session.execute(_ASKED, {"command": command, "username": username}).first()
        release()
        if row is None:
            return
        if row.state == "sent" and self._member.lives(row.claimed_by):
            time.sleep(LOOK_AGAIN_S)
            self._late.put((username, command, answer))
            return
        if row.state == "sent":
            abandoned.give_up(command)
        outcome.apply_late(command, answer)
        self._ask_doors(username)


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

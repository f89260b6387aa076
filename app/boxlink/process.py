"""boxlink's threads: commands, readings, late answers, accounts, and which boxes are its own."""

import math
import threading
import time
from collections.abc import Callable

from flask import Flask

from app.boxlink import ingest
from app.boxlink.accounts import Accounts
from app.boxlink.aside import aside
from app.boxlink.commands import Commands
from app.boxlink.hearing import Hearing
from app.boxlink.inbox import Listener
from app.boxlink.sharing import LOOK_S, Member
from app.kit.config import Settings
from app.kit.listen import notices
from carbox.box import CarBox

COMPARE_S, GATHER_S = 10.0, 0.02
UP_WITHIN_S, LOOK_AGAIN_S = 5.0, 0.05


class BoxLink:
    """The process: its threads, each in application contexts of its own.

    `make_door`: the door to the boxes, from its listener and our client id at the broker.
    """

    def __init__(self, app: Flask, settings: Settings, make_door: Callable[[Listener, str], CarBox]) -> None:
        self._app, self._settings = app, settings
        self._stop = threading.Event()
        self._member = Member(settings.listen_database_url)
        self._listener = Listener()
        self._door = make_door(self._listener, self._member.name)
        self._commands = Commands(app, settings, self._door, self._listener, self._member, self._stop)
        self._accounts = Accounts(app, settings, self._stop)
        self._hearing = Hearing(self._door, self._member, self._commands.in_hand)

    def run(self) -> None:
        """Until `stop`."""
        self._door.start()
        self._join()
        loops = (
            self._keep_looking,
            self._watch_clock,
            self._accounts.keep,
            self._share_boxes,
            self._take_readings,
            self._commands.take_late,
            self._commands.take,
        )
        threads = [threading.Thread(target=loop, name=loop.__name__) for loop in loops]
        for thread in threads:
            thread.start()
        self._stop.wait()
        for thread in threads:
            thread.join(5)
        self._member.leave()
        self._door.stop()
        self._commands.finish()

    def stop(self) -> None:
        self._stop.set()

    def _join(self) -> None:
        """Take a share of the boxes, if possible not before the broker can be spoken to."""
        ends = time.monotonic() + UP_WITHIN_S
        while not self._door.up and time.monotonic() < ends and not self._stop.is_set():
            self._stop.wait(LOOK_AGAIN_S)
        while not self._member.look() and not self._stop.wait(LOOK_S):
            pass

    def _keep_looking(self) -> None:
        self._member.keep_looking(self._stop)

    def _watch_clock(self) -> None:
        self._app.extensions["glovebox"].watch.keep_looking(self._app, self._stop, "boxlink")

    def _share_boxes(self) -> None:
        """Whenever boxes or boxlinks come or go, and now and then for a notice that was lost."""
        compared, living = -math.inf, self._member.living
        for notice in notices(
            self._settings.listen_database_url, "boxes", LOOK_S, self._stop, gather_s=GATHER_S
        ):
            lately = time.monotonic() - compared < COMPARE_S
            if notice is None and lately and living == self._member.living and not self._hearing.unfinished:
                continue
            compared, living = time.monotonic(), self._member.living
            if not aside(self._app, self._hearing.divide):
                compared = -math.inf

    def _take_readings(self) -> None:
        with self._app.app_context():
            ingest.keep_writing(self._listener.readings, self._stop)

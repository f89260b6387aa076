"""Sixteen writers of covers on connections of their own, and an insurer who walks their changes by cursor meanwhile."""

import random
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import requests
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.cars import access, custody
from app.coverage import cover
from app.coverage.models import Cover
from app.coverage.trip import Trip
from app.kit import clock
from app.kit.db import new_id, release, session, transactional
from tests.faults.stack import Stack

LINGERS_S = 0.1
"""At most so long a transaction stays open after it has written: others that began later commit before it."""
CUT_OFF = ("57P01", None)
"""What a writer hears of an ended connection: from the server, or of the line that is gone."""


@dataclass
class Written:
    """A version that was acknowledged, and between which instants of this process's clock it must have been committed."""

    cover: str
    version: int
    began: float
    ended: float


@dataclass
class Writer:
    """Max, in a car of his own, again and again. A step that was cut off is made again until it is acknowledged."""

    app: Flask
    trip: Trip
    random: random.Random
    stop: threading.Event
    written: list[Written] = field(default_factory=list)
    cut_off: int = 0
    failed: Exception | None = None

    def run(self) -> None:
        try:
            with self.app.app_context():
                while not self.stop.is_set():
                    self._rental()
        except Exception as error:  # noqa: BLE001 - the test tells of it
            self.failed = error
        finally:
            with self.app.app_context():
                release()

    def _rental(self) -> None:
        now = clock.now()
        self.trip = replace(self.trip, rental=new_id("ren"), from_at=now, to_at=now + timedelta(hours=2))
        self._acknowledged(self._unlocks)
        if self.random.random() < 0.2:
            self._acknowledged(self._voided)
            return
        self._acknowledged(self._opened)
        self._acknowledged(self._locked)

    def _acknowledged(self, step: Any) -> None:
        began = time.monotonic()
        while True:
            try:
                cover, version = transactional(step)()
            except DBAPIError as error:
                release()
                if getattr(error.orig, "sqlstate", None) not in CUT_OFF:
                    raise
                self.cut_off += 1
                continue
            self.written.append(Written(cover, version, began, time.monotonic()))
            return

    def _unlocks(self) -> tuple[str, int]:
        car = access.of(self.trip.car.id, lock=True)
        at = custody.next_instant(car)
        bound = cover.bind(replace(self.trip, car=car), at)
        held = custody.current(car.no)
        if held is None or held.rental_id != self.trip.rental:
            custody.take(car, holder="driver", person=self.trip.driver, rental=self.trip.rental, at=at)
        return self._lingering(bound)

    def _opened(self) -> tuple[str, int]:
        car = access.of(self.trip.car.id, lock=True)
        cover.activate(self.trip.rental, custody.next_instant(car))
        return self._lingering(self._of())

    def _voided(self) -> tuple[str, int]:
        car = access.of(self.trip.car.id, lock=True)
        at = custody.next_instant(car)
        cover.void(self.trip.rental, at, "never opened")
        custody.void(car, self.trip.rental)
        return self._lingering(self._of())

    def _locked(self) -> tuple[str, int]:
        car = access.of(self.trip.car.id, lock=True)
        at = custody.next_instant(car)
        closed = cover.close(self.trip.rental, at, evidence="box")
        if custody.lent_to(car.no) is not None:
            custody.take(car, holder="owner", person=car.owner_id, rental=None, at=at)
        return self._lingering(closed)

    def _of(self) -> Cover:
        found = cover.of(self.trip.rental)
        assert found is not None
        return found

    def _lingering(self, row: Cover) -> tuple[str, int]:
        session.flush()
        session.execute(text("select pg_sleep(:s)"), {"s": self.random.random() * LINGERS_S})
        return row.id, row.version


class Walker:
    """Reads the changes by cursor over HTTP; where it has no answer it asks again with the cursor it has."""

    def __init__(self, stack: Stack, client: dict[str, str], limit: int) -> None:
        self._stack, self._client, self._limit = stack, client, limit
        self.items: list[Any] = []
        self.unanswered = 0
        self.pages = 0
        self.reached = 0
        """How far the last answer's knowledge went."""
        self.failed: Exception | None = None
        self._cursor: str | None = None
        self._headers: dict[str, str] = {}

    def run(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                self.step()
        except Exception as error:  # noqa: BLE001 - the test tells of it
            self.failed = error

    def to_the_end(self) -> int:
        """Page after page until there is no more; how far the last answer's knowledge went."""
        while self.step():
            pass
        return self.reached

    def step(self) -> bool:
        """One page; whether there is more behind it."""
        page = self._page()
        if page is None:
            self.unanswered += 1
            time.sleep(0.05)
            return True
        self.pages += 1
        self.items += page["items"]
        self._cursor = page["next_cursor"]
        assert page["position"] >= self.reached, "knowledge went back"
        self.reached = page["position"]
        return bool(page["has_more"])

    def _page(self) -> Any:
        query = {"limit": str(self._limit)} | ({"cursor": self._cursor} if self._cursor else {})
        try:
            answer = requests.get(
                f"{self._stack.url}/v1/insurer/changes", params=query, headers=self._token(), timeout=30
            )
        except requests.RequestException:
            return None
        if answer.status_code == 401:
            self._headers = {}
            return None
        assert answer.status_code in (200, 503), answer.text
        return answer.json() if answer.status_code == 200 else None

    def _token(self) -> dict[str, str]:
        if not self._headers:
            form = {"grant_type": "client_credentials", **self._client}
            answer = requests.post(f"{self._stack.url}/oauth/token", data=form, timeout=30)
            answer.raise_for_status()
            self._headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return self._headers

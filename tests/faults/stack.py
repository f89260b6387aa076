"""A place whose parts are killed and started again, and what one sees of it from outside."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
import requests

from app.coverage import log_export
from app.demo_cast import Actor, until
from app.kit.db import dispose, release
from app.supervisor import Supervisor
from insurance import verify_log
from tests.conftest import IN_TESTS, insure
from tests.faults import at_the_door
from tests.faults.at_the_door import Looked
from tests.flows.friends import Friends

T = TypeVar("T")
SETTLES_WITHIN_S = 60.0
LONG = os.environ.get("GLOVEBOX_FAULTS") == "long"
long_run = pytest.mark.skipif(not LONG, reason="a part of the long run: make faults")


class Stack(Supervisor):
    """The supervisor's parts, killed with -9 and started again on the same ports; the database server is its own."""

    client: dict[str, Any]
    looks: list[Looked]
    """What each check at a car's door looked at."""

    @classmethod
    def up(cls, folder: Path, **settings: str) -> "Stack":
        made = cls(folder, mode="test", api_workers=1, settings={**IN_TESTS, **settings}, database_url="")
        made.looks = []
        made.start()
        made.client = insure(made)
        return made

    # -- faults

    def kill(self, name: str) -> None:
        """-9, the whole process group: granian's worker dies with granian."""
        part = self.parts[name]
        os.killpg(part.process.pid, signal.SIGKILL)
        part.process.wait(10)
        if part.process.stdout is not None:
            part.process.stdout.close()

    def revive(self, name: str) -> None:
        """The same command once more, as a service manager would; in the main thread, or it ends with that thread."""
        workers = self._newest_worker()
        if name.startswith("worker"):
            self.start_worker(name)
            until(lambda: self._newest_worker() > workers, "the worker", 60)
            return
        arguments = self.parts[name].process.args
        assert isinstance(arguments, list)
        self._spawn(name, [str(one) for one in arguments[arguments.index(sys.executable) + 1 :]])
        if name == "api":
            self.await_http()
        else:
            listens = "select 1 from pg_stat_activity where query = 'listen commands'"
            until(lambda: self.sql(listens), "boxlink", 60)

    def _newest_worker(self) -> int:
        return int(self.sql("select coalesce(max(id), 0) from procrastinate_workers")[0][0])

    def await_http(self) -> None:
        until(self._answers, "the API", 60)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=2).ok
        except requests.RequestException:
            return False

    def cut_database(self) -> int:
        """End every connection to the database; returns how many."""
        rows = self.sql(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        self.forget_connections()
        return int(rows[0][0])

    def forget_connections(self) -> None:
        """Those of the commands that run in this process."""
        with self._runner().app.app_context():
            dispose()

    def restart_database(self) -> None:
        server = self._postgres
        assert server is not None
        assert server._process is not None
        server._process.send_signal(signal.SIGINT)
        server._process.wait(30)
        arguments = server._process.args
        server._process = subprocess.Popen(
            arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        server._wait()
        self.forget_connections()

    def restart_broker(self) -> None:
        assert self._broker is not None
        self._broker.stop()
        self._broker.start()

    def kill_broker(self) -> None:
        """-9: it has no time to tell anybody."""
        broker = self._broker
        assert broker is not None
        assert broker._process is not None
        broker._process.kill()
        broker._process.wait(10)

    def start_broker(self) -> None:
        assert self._broker is not None
        self._broker.start()

    def slow_captures(self, seconds: float) -> None:
        """Stripe takes its time over the next capture."""
        order = {"next": "delay", "path": "/capture", "seconds": seconds}
        requests.post(
            f"{self.parts['stripe'].ready['url']}/_control/fault", json=order, timeout=10
        ).raise_for_status()

    # -- what the database says, for what no route shows

    def sql(self, query: str, *parameters: Any) -> list[Any]:
        url = self.database_url.replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    def unsettled(self) -> dict[str, int]:
        """What still waits: jobs, unsealed facts, open commands, messages on their way, states that only pass."""
        counts = {
            "jobs": "select count(*) from procrastinate_jobs where status in ('todo', 'doing')",
            "pushes": "select count(*) from deliveries where try_at is not null",
            "facts": "select count(*) from facts where position is null",
            "commands": "select count(*) from commands where state in ('created', 'sent')",
            "payments": "select count(*) from payment_commands where state = 'open'",
            "failed": "select count(*) from failed_jobs",
        }
        found = {name: int(self.sql(query)[0][0]) for name, query in counts.items()}
        return {name: count for name, count in found.items() if count}

    def unsealed(self) -> int:
        """How many facts have no place in the order yet."""
        return int(self.sql("select count(*) from facts where position is null")[0][0])

    def settles(self, within_s: float = SETTLES_WITHIN_S) -> float:
        """Wait until nothing is on its way any more; returns how many seconds that took."""
        began = time.monotonic()
        while self.unsettled():
            assert time.monotonic() - began < within_s, (
                f"after {within_s:.0f} s there are still {self.unsettled()}"
            )
            time.sleep(0.2)
        return time.monotonic() - began

    # -- invariants

    def check(self, *circles: Friends) -> None:
        """Everything that must be true once all has settled."""
        self.log_is_whole()
        self.books_are_true()
        self.changes_are_complete()
        self.each_charged_once()
        for circle in circles:
            self.each_command_once(circle)
            self.each_told_once(circle)
            self.looks.append(at_the_door.look(self, circle))

    def must_hold(self, circle: Friends) -> None:
        """A minute of calm at most, then everything that must be true."""
        began = time.monotonic()
        until(lambda: at_the_door.calm(self, circle), "what only passes to pass", SETTLES_WITHIN_S)
        self.settles(SETTLES_WITHIN_S - (time.monotonic() - began))
        self.check(circle)

    def log_is_whole(self) -> None:
        """Positions are dense and the chain verifies; what is written meanwhile may come to it."""
        count, first, last = self.sql("select count(position), min(position), max(position) from facts")[0]
        assert (first, last) == (1, count)
        with self._runner().app.app_context():
            wrong, log = verify_log.verify(log_export.lines())
            release()
        assert wrong == []
        assert log.position >= last

    def books_are_true(self) -> None:
        """The ledger sums to zero per currency, and so does each entry."""
        assert self.sql("select currency, sum(amount) from postings group by 1 having sum(amount) <> 0") == []
        one = "select entry_id, currency, sum(amount) from postings group by 1, 2 having sum(amount) <> 0"
        assert self.sql(one) == []

    def changes_are_complete(self) -> None:
        """The insurer's cursor shows every version of every cover once, in order."""
        seen: dict[str, list[int]] = {}
        for change in self.changes():
            seen.setdefault(change["cover"]["id"], []).append(change["version"])
        assert all(versions == list(range(1, len(versions) + 1)) for versions in seen.values()), seen
        recorded = self.sql("select count(*) from cover_versions")[0][0]
        assert sum(map(len, seen.values())) == recorded

    def changes(self) -> list[Any]:
        form = {
            "grant_type": "client_credentials",
            **{n: self.client[n] for n in ("client_id", "client_secret")},
        }
        token = requests.post(f"{self.url}/oauth/token", data=form, timeout=10).json()["access_token"]
        found: list[Any] = []
        cursor: str | None = None
        while True:
            query = {"limit": 100} | ({"cursor": cursor} if cursor else {})
            answer = requests.get(
                f"{self.url}/v1/insurer/changes",
                params=query,
                timeout=10,
                headers={"Authorization": f"Bearer {token}"},
            )
            page = answer.json()
            found += page["items"]
            cursor = page["next_cursor"]
            if not page["has_more"]:
                return found

    def each_charged_once(self) -> None:
        """At Stripe each intent was captured at most once, and what was captured is what we wrote down."""
        calls = Counter(
            one["path"]
            for one in self.control("stripe", "GET", "log")["calls"]
            if one["path"].endswith("/capture") and one["status"] == 200 and not one["replayed"]
        )
        assert all(count == 1 for count in calls.values()), calls
        there = self.control("stripe", "GET", "objects")["objects"].get("payment_intent", [])
        ours = dict(self.sql("select intent_id, captured from payments where intent_id is not null"))
        received = {one["id"]: one["amount_received"] for one in there if one["amount_received"]}
        assert received == {intent: amount for intent, amount in ours.items() if amount}

    @staticmethod
    def each_command_once(circle: Friends) -> None:
        """The box received each command once, and carried it out at most once."""
        log = circle.street.log()
        assert len({one["id"] for one in log}) == len(log)
        assert all(one["executed"] <= 1 for one in log), log

    def each_told_once(self, circle: Friends) -> None:
        """One message to a person for a fact of a rental; what a phone shows twice has the same message id."""
        for who in (circle.olga, circle.max):
            rows = who.get("/me/messages", limit=100)["items"]
            told = Counter(
                (one["kind"], one.get("rental"))
                for one in rows
                if one.get("rental") and one["kind"].split(".")[0] in ONCE
            )
            assert all(count == 1 for count in told.values()), told

    def pushed_twice(self, *actors: Actor) -> int:
        """How many pushes reached a phone once more, after a worker died between sending and writing it down."""
        shown = Counter(one["message"]["data"]["message"] for who in actors for one in who.pushes())
        return sum(count - 1 for count in shown.values())


ONCE = ("rental_booked", "rental_unlocked", "rental_started", "rental_ended", "payment_done", "receipt_ready")


def in_background(work: Callable[[], T]) -> Callable[[], T | Exception]:
    """Start it on a thread; the returned function waits for what came of it."""
    came: list[T | Exception] = []

    def run() -> None:
        try:
            came.append(work())
        except Exception as error:  # noqa: BLE001 - what came of it may be any error
            came.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> T | Exception:
        thread.join(60)
        return came[0]

    return result

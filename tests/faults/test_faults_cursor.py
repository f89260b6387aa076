"""An insurer walks the changes of covers while sixteen write, sealers are killed with -9 and connections are ended."""

import gc
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import pytest
from sqlalchemy import select

from app.cars import custody
from app.cars.custody import Held
from app.cars.models import Custody
from app.demo_cast import until
from app.kit import sealed
from app.kit.db import release, session
from tests import factories as people
from tests.coverage import factories
from tests.faults.stack import Stack, long_run
from tests.faults.writers import Walker, Writer, Written

# A pool that is thrown away, its server's connections having been ended, lets go of those that are in use.
pytestmark = [
    pytest.mark.fault,
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WRITERS, SECONDS, PAGE, ENOUGH, AT_MOST_S = 16, 30.0, 7, 6, 150.0
SEALERS = ("worker", "worker2", "worker3")
MID_TRANSACTION = (
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
    " and backend_xid is not null and pid <> pg_backend_pid() order by random() limit 1"
)
ANY_CONNECTION = (
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
    " and backend_type = 'client backend' and pid <> pg_backend_pid() order by random() limit 1"
)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A place of its own: these covers have no rentals, which nobody else's checks expect."""
    made = Stack.up(tmp_path_factory.mktemp("crowd"), GLOVEBOX_POOL_SIZE="20")
    for name in SEALERS[1:]:
        made.start_worker(name)
    yield made
    made.stop()


@dataclass
class Done:
    """How much was done, for whoever reads the run."""

    seed: int
    seconds: float = 0.0
    covers: int = 0
    versions: int = 0
    killed: int = 0
    ended: int = 0
    cut_off: int = 0
    pages: int = 0
    read_meanwhile: int = 0
    unanswered: int = 0


@pytest.mark.must_hold("sixteen write, sealers killed: the insurer's cursor")
@pytest.mark.parametrize("seed", range(5))
@long_run
def test_a_cursor_among_writers_whose_sealers_are_killed_shows_each_change_once_in_order(
    crowd: Stack, seed: int
) -> None:
    dice, done, began = chance(seed), Done(seed), time.monotonic()
    writers, insurer, client = cast(crowd, seed)
    walker, stop, walked = Walker(crowd, client, PAGE), threading.Event(), threading.Event()
    with at_work(writers, stop), walking(walker, walked):
        while time.monotonic() - began < SECONDS or min(done.killed, cut_off(writers)) < ENOUGH:
            assert time.monotonic() - began < AT_MOST_S, "nothing to disturb: nobody writes"
            disturb(crowd, dice, done)
        stop.set()
        until(lambda: all(one.written or one.failed for one in writers), "each writer to have written")
    done.read_meanwhile = len(walker.items)
    until(lambda: not crowd.unsealed(), "every fact to have its place", 60)
    last = last_position(crowd)
    until(lambda: walker.to_the_end() >= last, "the walker to arrive", 60)
    done.seconds, done.pages, done.unanswered = time.monotonic() - began, walker.pages, walker.unanswered
    done.cut_off = cut_off(writers)
    assert [walker.failed, *(one.failed for one in writers)] == [None] * (1 + WRITERS)
    written = [one for writer in writers for one in writer.written]
    done.covers, done.versions = len({one.cover for one in written}), len(written)
    print(asdict(done))  # noqa: T201 - figures of the run
    complete_and_once(crowd, walker, insurer, written)
    in_the_order_of_time(walker, written)
    held_as_recorded(crowd, writers)
    crowd.log_is_whole()
    waits = "select count(*) from pg_locks where not granted"
    until(lambda: crowd.sql(waits)[0][0] == 0, "nobody to wait for a lock")
    assert done.read_meanwhile > ENOUGH
    crowd.forget_connections()
    gc.collect()  # here, where it is known that some were let go


def cut_off(writers: list[Writer]) -> int:
    """How many steps lost their connection so far."""
    return sum(one.cut_off for one in writers)


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same again for the same seed


def cast(stack: Stack, seed: int) -> tuple[list[Writer], str, dict[str, str]]:
    """A car for each writer under one policy, its insurer, and the credentials of that one's client."""
    app = stack.application()
    with app.app_context():
        circle = factories.circle(max_open_unacknowledged=1_000_000)
        cars = [people.shared(circle.olga, circle.community_row()) for _ in range(WRITERS)]
        made, secret = factories.client(circle.policy.insurer_id, "coverage:read")
        trips = [circle.trip(car=one) for one in cars]
        release()
    writers = [Writer(app, trip, chance(seed * 100 + n), threading.Event()) for n, trip in enumerate(trips)]
    return writers, circle.policy.insurer_id, {"client_id": made.id, "client_secret": secret}


@contextmanager
def at_work(writers: list[Writer], stop: threading.Event) -> Iterator[None]:
    threads = []
    for one in writers:
        one.stop = stop
        threads.append(threading.Thread(target=one.run))
    yield from _joined(threads, stop)


@contextmanager
def walking(walker: Walker, stop: threading.Event) -> Iterator[None]:
    yield from _joined([threading.Thread(target=walker.run, args=(stop,))], stop)


def _joined(threads: list[threading.Thread], stop: threading.Event) -> Iterator[None]:
    """Started here, and over when the block is: who then still waits for something waits for ever."""
    for one in threads:
        one.start()
    try:
        yield
    finally:
        stop.set()
        for one in threads:
            one.join(60)
    assert not any(one.is_alive() for one in threads), "somebody waits for ever"


def disturb(stack: Stack, dice: random.Random, done: Done) -> None:
    """End a few connections, most amid what they write; then kill a sealer, or all, start them anew, and let seal."""
    for _ in range(dice.randrange(3, 9)):
        time.sleep(dice.uniform(0.05, 0.3))
        done.ended += len(stack.sql(MID_TRANSACTION if dice.random() < 0.8 else ANY_CONNECTION))
    for name in SEALERS if dice.random() < 0.3 else (dice.choice(SEALERS),):
        stack.kill(name)
        done.killed += 1
        time.sleep(dice.uniform(0, 0.3))
        stack.start_worker(name)
    sealed_before = last_position(stack)
    until(lambda: last_position(stack) > sealed_before, "the next sealer", 60)
    time.sleep(dice.uniform(0, 1))


def last_position(stack: Stack) -> int:
    return int(stack.sql("select coalesce(max(position), 0) from facts")[0][0])


def complete_and_once(stack: Stack, walker: Walker, insurer: str, written: list[Written]) -> None:
    """What was read is what the table has, in the order of positions; what was acknowledged is among it."""
    rows = stack.sql(
        "select 'cov_' || replace(v.cover_id::text, '-', ''), v.version, f.position from cover_versions v"
        " join facts f on f.seq = v.fact_seq where v.insurer_id = %s order by f.position",
        insurer.split("_")[1],
    )
    read = [(one["cover"]["id"], one["version"], one["position"]) for one in walker.items]
    assert read == rows
    assert len({(cover, version) for cover, version, _ in read}) == len(read)
    assert {(one.cover, one.version) for one in written} <= {(cover, version) for cover, version, _ in read}
    assert len(read) == len(written), "a step that was cut off was recorded twice"


def in_the_order_of_time(walker: Walker, written: list[Written]) -> None:
    """What was acknowledged before another step began stands before it."""
    known = {(one.cover, one.version): one for one in written}
    latest = 0.0
    for item in walker.items:
        one = known[item["cover"]["id"], item["version"]]
        assert one.ended >= latest, "it had been acknowledged before one began that stands before it"
        latest = max(latest, one.began)
    of_covers: dict[str, list[int]] = {}
    for item in walker.items:
        of_covers.setdefault(item["cover"]["id"], []).append(item["version"])
    assert all(versions == list(range(1, len(versions) + 1)) for versions in of_covers.values())


def held_as_recorded(stack: Stack, writers: list[Writer]) -> None:
    """The ledger of custody says of every span what custody says."""
    with stack.application().app_context():
        head = sealed.head()
        for number in [one.trip.car.no for one in writers]:
            for row in session.scalars(select(Custody).where(Custody.car_no == number)).all():
                if row.to_at != row.from_at:
                    held = Held(row.holder, row.person_id, row.rental_id, row.from_at, row.to_at)
                    assert custody.at(number, row.from_at, head) == held
        release()

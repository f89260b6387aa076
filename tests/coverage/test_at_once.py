import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask

from app.coverage import insurer_reads
from app.coverage.models import Cover
from app.coverage.trip import Trip
from app.kit.clock import z
from app.kit.db import release, session
from app.kit.errors import NotInsurable
from tests import factories as people
from tests.coverage import factories
from tests.coverage.factories import bind, seal


def at_once(app: Flask, works: list[Callable[[], Any]]) -> list[Any]:
    """Run all in threads that start together; exceptions are answers too."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        with app.app_context():
            gate.wait()
            try:
                return work()
            except NotInsurable as refused:
                return refused
            finally:
                release()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def let_go(trips: list[Trip]) -> None:
    """The cars stay readable for the threads, which lock rows of their own."""
    for trip in trips:
        if trip.car in session:
            session.refresh(trip.car)
    release()


def test_of_many_unlocks_at_once_one_is_covered(app: Flask) -> None:
    circle = factories.circle()
    trips = [circle.trip() for _ in range(6)]
    let_go(trips)
    answers = at_once(app, [lambda trip=trip: bind(trip) for trip in trips])  # type: ignore[misc]
    assert sum(isinstance(one, Cover) for one in answers) == 1
    refused = [one.members["reasons"] for one in answers if isinstance(one, NotInsurable)]
    assert refused == [["cover_open"]] * 5


def test_the_last_cover_the_authority_allows_is_given_once(app: Flask) -> None:
    circle = factories.circle(max_open_unacknowledged=2)
    cars = [people.shared(circle.olga, circle.community_row()) for _ in range(6)]
    trips = [circle.trip(car=car) for car in cars]
    let_go(trips)
    answers = at_once(app, [lambda trip=trip: bind(trip) for trip in trips])  # type: ignore[misc]
    assert sum(isinstance(one, Cover) for one in answers) == 2
    refused = [one.members["reasons"] for one in answers if isinstance(one, NotInsurable)]
    assert refused == [["too_many_unacknowledged"]] * 4


def test_unlocks_at_once_do_not_pass_the_limit_of_sums_insured_together(app: Flask) -> None:
    """A car of the tests is worth 15,000: two are within the sum, three are not."""
    circle = factories.circle(max_declared_value=1_500_000, max_sum_unacknowledged=3_000_000)
    cars = [people.shared(circle.olga, circle.community_row()) for _ in range(6)]
    trips = [circle.trip(car=car) for car in cars]
    let_go(trips)
    answers = at_once(app, [lambda trip=trip: bind(trip) for trip in trips])  # type: ignore[misc]
    assert sum(isinstance(one, Cover) for one in answers) == 2
    refused = [one.members["reasons"] for one in answers if isinstance(one, NotInsurable)]
    assert refused == [["unacknowledged_sum_too_high"]] * 4


def test_a_reader_walking_among_writers_misses_no_change_and_sees_none_twice(app: Flask) -> None:
    circle = factories.circle()
    insurer = circle.policy.insurer_id
    cars = [people.shared(circle.olga, circle.community_row()) for _ in range(20)]
    trips = [circle.trip(car=car) for car in cars]
    let_go(trips)
    seen: list[str] = []
    cursor: str | None = None
    done = threading.Event()

    def writer(mine: list[Any]) -> None:
        for trip in mine:
            bind(trip)

    def sealing() -> None:
        while not done.wait(0.005):
            seal()

    def reader() -> None:
        nonlocal cursor
        while not done.is_set():
            cursor = take(cursor)

    def take(after: str | None) -> str:
        page = insurer_reads.changes(insurer, cursor=after, limit=3, as_of=None)
        seen.extend(one["cover"]["id"] for one in page["items"])
        following: str = page["next_cursor"]
        return following

    def writers() -> None:
        try:
            at_once(app, [lambda part=part: writer(trips[part::4]) for part in range(4)])  # type: ignore[misc]
        finally:
            done.set()

    at_once(app, [writers, sealing, reader])
    seal()
    for _ in range(20):
        cursor = take(cursor)
    listed = insurer_reads.covers(insurer, limit=100, cursor=None, state=None, acknowledged=None, as_of=None)
    assert sorted(seen) == sorted(one["id"] for one in listed["items"])
    assert len(seen) == 20


def test_of_many_notices_under_one_reference_one_makes_the_claim(app: Flask) -> None:
    """Half of them name one cover, half another: a retry is the same claim, the other cover's notice is refused."""
    circle = factories.circle()
    covers = [factories.ended(circle), factories.ended(circle)]
    asked = [
        {"cover": one.id, "occurred_at": z(one.from_at), "reference": "1", "text": "A dent."}
        for one in covers
    ]
    headers = factories.bearer(app.test_client(), factories.client(circle.policy.insurer_id, "claims:write"))
    release()

    def notify(body: dict[str, str]) -> Any:
        return app.test_client().post("/v1/insurer/claims", headers=headers, json=body)

    answers = at_once(app, [lambda body=body: notify(body) for body in asked * 4])  # type: ignore[misc]
    assert sorted(one.status_code for one in answers) == [200] * 3 + [201] + [409] * 4
    assert len({one.json["id"] for one in answers if one.status_code < 300}) == 1

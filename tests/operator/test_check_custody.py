"""The doctor sees what somebody did to custody or covers past all rules. What is broken here is taken back at once."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from app.kit import clock
from app.kit.db import session
from app.operator import check_custody
from app.operator.check_custody import COVER, GAP, LEDGER
from tests.rentals.garage import MINUTE, Garage, build, end_with_signal, start_with_signal

SHORTER = "update custody set to_at = to_at - interval '1 ms' where car_no = :car and holder = 'driver'"
LONGER = "update custody set to_at = to_at + interval '1 ms' where car_no = :car and holder = 'driver'"
ANOTHER = "update custody set person_id = null where car_no = :car and to_at is null"
FORGOTTEN = "delete from custody_entries where car_no = :car"
UNCOVERED = "update covers set from_at = from_at + interval '1 s' where car_no = :car"
VOID = "update covers set state = 'void' where car_no = :car"


@pytest.fixture
def garage(app: Flask) -> Iterator[Garage]:
    """A car that came back from its rental."""
    del app
    made = build()
    start_with_signal(made)
    clock.forward(20 * MINUTE)
    end_with_signal(made)
    yield made
    session.rollback()


def wrong_with(garage: Garage) -> set[str]:
    return {what for what, cars in check_custody.broken().items() if garage.scene.car_id in cars}


def test_a_car_that_came_back_is_as_it_must_be_and_so_is_one_that_is_out(garage: Garage) -> None:
    assert wrong_with(garage) == set()
    out = build()
    start_with_signal(out)
    assert wrong_with(out) == set()


def test_what_began_before_the_months_that_are_looked_at_is_cut_alike(garage: Garage) -> None:
    found = check_custody.broken(since=10 * MINUTE).values()
    assert all(garage.scene.car_id not in cars for cars in found)


@pytest.mark.parametrize(
    ("done", "seen"),
    [
        (SHORTER, {GAP, COVER}),
        (LONGER, {GAP, COVER}),
        (ANOTHER, {LEDGER}),
        (FORGOTTEN, {LEDGER}),
        (UNCOVERED, {COVER}),
        (VOID, {COVER}),
    ],
)
def test_what_was_done_past_all_rules_is_seen(
    garage: Garage, broken: Callable[[str, Garage], None], done: str, seen: set[str]
) -> None:
    broken(done, garage)
    assert wrong_with(garage) == seen
    says = " ".join(one.says for one in check_custody.custody_and_covers() if one.state == "wrong")
    assert all(what in says for what in seen)


@pytest.fixture
def broken() -> Callable[[str, Garage], None]:
    """Without the triggers that would refuse it, in a transaction that is never committed."""

    def run(statement: str, garage: Garage) -> None:
        car = garage.scene.car.no
        session.execute(text("set local session_replication_role = replica"))
        session.execute(text(statement), {"car": car})

    return run

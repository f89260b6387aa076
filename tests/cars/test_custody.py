"""What we come to know of custody changes the present alone: as of an instant the answer stays, whatever came after."""

import importlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.cars import custody
from app.cars.custody import Held
from app.kit import clock, sealed
from app.kit.clock import z
from app.kit.db import constraint, db, session
from app.rentals import access
from tests import factories
from tests.cars.test_look import asks
from tests.coverage.factories import doing, seal
from tests.rentals.scene import Scene, make

MINUTE, MS = timedelta(minutes=1), timedelta(milliseconds=1)


@pytest.fixture
def scene(app: Flask) -> Scene:
    return make()


class Ledger:
    """Olga's car of an hour ago, and what becomes of its custody. Instants are in minutes after `begun`."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.begun = clock.now() + MINUTE
        clock.forward(timedelta(hours=2))

    def minute(self, number: int) -> datetime:
        return self.begun + number * MINUTE

    def does(self, step: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """The step, as a transaction with the car's row locked has it."""

        def work() -> None:
            step(access.locked(self.scene.rental_id)[0], *args, **kwargs)

        session.rollback()
        doing(work)

    def taken(self, minute: int) -> None:
        who = {"person": self.scene.max.id, "rental": self.scene.rental_id}
        self.does(custody.take, holder="driver", **who, at=self.minute(minute))

    def given_back(self, minute: int) -> None:
        who = {"person": self.scene.olga.id, "rental": None}
        self.does(custody.take, holder="owner", **who, at=self.minute(minute))

    def recorded(self, begins: int, ends: int | None) -> None:
        who = {"person": self.scene.max.id, "rental": self.scene.rental_id}
        until = None if ends is None else self.minute(ends)
        self.does(custody.record, **who, from_at=self.minute(begins), to_at=until)

    def known(self) -> datetime:
        """All is sealed; an instant as of which the answers stay, before anything that follows."""
        seal()
        as_of = sealed.head().as_of
        clock.forward(2 * MS)
        return as_of

    def held(self, minute: int, as_of: datetime | None = None) -> Held:
        session.rollback()
        known = None if as_of is None else sealed.head(as_of)
        found = custody.at(self.scene.car.no, self.minute(minute), known)
        assert found is not None
        return found

    def holders(self, *minutes: int, as_of: datetime | None = None) -> str:
        """Who held it at these minutes, by their first letters; the present and the ledger say the same."""
        found = "".join(self.held(one, as_of).holder[0] for one in minutes)
        if as_of is None:
            self.known()
            assert [self.held(one) for one in minutes] == [self.held(one, clock.now()) for one in minutes]
        return found


@pytest.fixture
def ledger(scene: Scene) -> Ledger:
    return Ledger(scene)


def test_before_the_car_changed_hands_it_was_the_owners_and_stays_so_as_of_then(ledger: Ledger) -> None:
    before = ledger.known()
    ledger.taken(10)
    meanwhile = ledger.known()
    ledger.given_back(20)
    assert ledger.holders(9, 10, 19, 20) == "oddo"
    assert ledger.holders(9, 10, 19, 20, as_of=before) == "oooo"
    assert ledger.holders(9, 10, 19, 20, as_of=meanwhile) == "oddd"
    assert ledger.held(15, meanwhile).to_at is None
    assert ledger.held(15, clock.now()).to_at == ledger.minute(20)


def test_a_custody_that_was_voided_was_held_as_of_before(ledger: Ledger) -> None:
    ledger.taken(10)
    before = ledger.known()
    ledger.does(custody.void, ledger.scene.rental_id)
    assert ledger.holders(9, 10, 30) == "ooo"
    assert ledger.holders(9, 10, 30, as_of=before) == "odd"


def test_a_custody_heard_of_afterwards_was_not_known_before(ledger: Ledger) -> None:
    before = ledger.known()
    ledger.recorded(10, 20)
    assert ledger.holders(9, 10, 19, 20) == "oddo"
    assert ledger.holders(9, 10, 19, 20, as_of=before) == "oooo"


def test_a_custody_that_began_earlier_began_later_as_of_before(ledger: Ledger) -> None:
    ledger.taken(10)
    before = ledger.known()
    ledger.does(
        custody.begin_earlier, person=ledger.scene.max.id, rental=ledger.scene.rental_id, at=ledger.minute(5)
    )
    assert ledger.holders(4, 5, 9, 10) == "oddd"
    assert ledger.holders(4, 5, 9, 10, as_of=before) == "oood"


@pytest.mark.parametrize("follows", ["owner", "driver"])
def test_a_custody_that_ended_earlier_ended_later_as_of_before(ledger: Ledger, follows: str) -> None:
    ledger.taken(10)
    ledger.given_back(30)
    if follows == "driver":  # another's begins at that very instant
        other = {"holder": "driver", "person": ledger.scene.max.id, "rental": None}
        ledger.does(custody.take, **other, at=ledger.minute(30))
    before = ledger.known()
    ledger.does(custody.end_earlier, ledger.scene.rental_id, ledger.minute(20))
    last = follows[0]
    assert ledger.holders(10, 19, 20, 29, 30) == f"ddoo{last}"
    assert ledger.holders(10, 19, 20, 29, 30, as_of=before) == f"dddd{last}"


def test_a_custody_in_pieces_that_ended_within_the_first_is_the_owners_from_there(ledger: Ledger) -> None:
    ledger.taken(10)
    ledger.given_back(20)
    ledger.taken(30)
    ledger.given_back(40)
    before = ledger.known()
    ledger.does(custody.end_earlier, ledger.scene.rental_id, ledger.minute(15))
    assert ledger.holders(10, 14, 15, 25, 30, 39, 40) == "ddooooo"
    assert ledger.holders(10, 14, 15, 25, 30, 39, 40, as_of=before) == "dddoddo"


def test_every_step_of_the_way_stays_the_answer_as_of_then(ledger: Ledger) -> None:
    asked = (0, 9, 10, 19, 20, 29, 30, 60)
    steps: list[Callable[[], None]] = [
        lambda: ledger.taken(10),
        lambda: ledger.does(custody.void, ledger.scene.rental_id),
        lambda: ledger.recorded(20, 30),
        lambda: ledger.does(custody.end_earlier, ledger.scene.rental_id, ledger.minute(29)),
        lambda: ledger.taken(60),
    ]
    said: list[tuple[datetime, str]] = []
    for step in steps:
        step()
        said.append((ledger.known(), ledger.holders(*asked)))
    assert [answer for _, answer in said] == ["oodddddd", "oooooooo", "ooooddoo", "oooodooo", "oooodood"]
    for as_of, answer in said:
        assert ledger.holders(*asked, as_of=as_of) == answer


def test_before_the_car_was_ours_nobody_is_known_to_have_held_it(ledger: Ledger) -> None:
    added = ledger.scene.car.made_at
    session.rollback()
    assert custody.at(ledger.scene.car.no, added - MS) is None
    ledger.known()
    assert custody.at(ledger.scene.car.no, added - MS, sealed.head()) is None
    assert custody.at(ledger.scene.car.no, added, sealed.head()) is not None


@pytest.mark.parametrize(
    "change",
    [
        "update custody_entries set person_id = null",
        "delete from custody_entries",
        "truncate custody_entries",
        "delete from custody",
    ],
)
def test_what_was_known_cannot_be_changed(scene: Scene, change: str) -> None:
    with pytest.raises(IntegrityError) as refused:
        session.execute(text(change))
    assert constraint(refused.value) == "append_only"
    session.rollback()


GAPS = {
    "nobody holds it any more": "update custody set to_at = from_at + interval '1 minute' where car_no = :car",
    "two hold it": """insert into custody (car_no, holder, from_at, to_at)
        values (:car, 'owner', business_now(), business_now() + interval '1 minute')""",
    "nobody held it for a minute": """insert into custody (car_no, holder, from_at, to_at)
        select car_no, 'owner', from_at - interval '2 minutes', from_at - interval '1 minute'
        from custody where car_no = :car""",
}


@pytest.mark.parametrize("case", GAPS)
def test_no_change_leaves_a_gap_or_has_two_hold_the_car(scene: Scene, case: str) -> None:
    session.execute(text(GAPS[case]), {"car": scene.car.no})
    with pytest.raises(DBAPIError) as refused:
        session.commit()
    assert constraint(refused.value) == "custody_is_whole"
    session.rollback()


def test_a_holder_written_over_by_hand_is_an_entry_too(ledger: Ledger) -> None:
    before = ledger.known()
    statement = text("update custody set holder = 'driver', person_id = :max where car_no = :car")
    session.execute(statement, {"max": ledger.scene.max.id.split("_")[1], "car": ledger.scene.car.no})
    session.commit()
    assert ledger.holders(10) == "d"
    assert ledger.holders(10, as_of=before) == "o"


def test_the_owner_asks_who_held_it_as_of_an_instant(app: Flask, ledger: Ledger) -> None:
    before = ledger.known()
    ledger.recorded(10, 20)
    ledger.known()
    olga, path = (
        asks(app, ledger.scene.olga),
        f"/cars/{ledger.scene.car_id}/custody?at={z(ledger.minute(15))}",
    )
    now, then = olga("GET", path, want=200), olga("GET", f"{path}&as_of={z(before)}", want=200)
    assert (now["holder"], now["rental"], now["as_of"]) == ("driver", ledger.scene.rental_id, None)
    assert (then["holder"], then["rental"], then["as_of"]) == ("owner", None, z(before))
    assert (now["from"], now["to"]) == (z(ledger.minute(10)), z(ledger.minute(20)))
    long_ago = z(ledger.scene.car.made_at - MINUTE)
    assert olga("GET", f"{path}&as_of={long_ago}", want=200)["holder"] == "unknown"
    olga("GET", f"{path}&as_of={z(clock.now() + MINUTE)}", want=422)


def before_the_ledger(scene: Scene) -> int:
    """The number of a car whose custody is older than the ledger: Max had it from the first to the second hour of it."""
    hour = timedelta(hours=1)

    def work() -> int:
        session.execute(text("set local session_replication_role = replica"))
        car = factories.car(scene.olga)
        who = {"driver": scene.max.id, "owner": scene.olga.id}
        for holder, at in (("driver", car.made_at + hour), ("owner", car.made_at + 2 * hour)):
            custody.take(car, holder=holder, person=who[holder], rental=None, at=at)
        return car.no

    found: int = doing(work)
    clock.forward(3 * hour)
    return found


def test_the_migration_notes_what_was_held_before_it_as_known_from_then(scene: Scene) -> None:
    number = before_the_ledger(scene)
    count = text("select count(*) from custody_entries where car_no = :car")
    assert session.execute(count, {"car": number}).scalar_one() == 0
    seal()
    before, at = sealed.head().as_of, clock.now() - timedelta(minutes=100)
    fill = importlib.import_module("migrations.versions.0032_custody_entries").FILL
    for _ in range(2):  # a try that was cut off is made again
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(fill))
        seal()
        found = custody.at(number, at, sealed.head())
        assert found == custody.at(number, at)
        assert found is not None
        assert (found.holder, found.to_at) == ("driver", found.from_at + timedelta(hours=1))
        assert session.execute(count, {"car": number}).scalar_one() == 3
        session.rollback()
    assert custody.at(number, at, sealed.head(before)) is None

"""What was freed a moment ago and is offered to nobody yet goes to who waits for it, whoever asks for it meanwhile."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from app.cars import block
from app.kit.clock import z
from app.kit.db import session
from app.kit.deadlines import Deadline
from app.people.models import Person
from tests.billing.desk import Desk
from tests.rentals.plans import HOUR, plan
from tests.rentals.scene import Scene
from tests.rentals.test_waits import CONDITIONS, List


@pytest.fixture
def waiting(app: Flask, scene: Scene) -> List:
    return List(app, scene)


def free_unseen(one: List) -> None:
    """The due-runner has not come to it yet."""
    block.remove(one.scene.olga.id, one.scene.car_id, one.block)


def book(one: List, who: Person, status: int, *, begins: float = 0, hours: float = 2) -> Any:
    start = one.day + begins * HOUR
    span = {"car": one.scene.car_id, "from": z(start), "to": z(start + hours * HOUR)}
    quote = one(who, "POST", "/quotes", 201, span)["id"]
    return one(who, "POST", "/rentals", status, {"quote": quote, "accept": CONDITIONS})


def test_a_booking_does_not_overtake_who_waits_for_what_was_freed(waiting: List) -> None:
    waiting.wait(waiting.nina)
    free_unseen(waiting)
    refused = book(waiting, waiting.scene.max, 409, begins=1)
    assert refused["type"] == "/problems/car-taken"
    waiting.work()
    assert waiting.of(waiting.nina) == [("offered", True)]
    assert waiting.book(waiting.nina)["state"] == "booked"


def test_who_has_waited_longest_may_book_it_themselves_before_it_is_offered(waiting: List) -> None:
    waiting.wait(waiting.nina)
    waiting.wait(waiting.scene.max)
    free_unseen(waiting)
    book(waiting, waiting.scene.max, 409)
    assert book(waiting, waiting.nina, 201)["state"] == "booked"


def test_a_booking_beside_what_is_waited_for_stands_and_the_offer_with_it(waiting: List) -> None:
    waiting.wait(waiting.nina)
    free_unseen(waiting)
    assert book(waiting, waiting.scene.max, 201, begins=2)["state"] == "booked"
    assert waiting.of(waiting.nina) == [("offered", True)]
    waiting.work()
    assert waiting.of(waiting.nina) == [("offered", True)]


def test_who_takes_what_is_held_for_them_is_overtaken_by_nobody(waiting: List) -> None:
    waiting.wait(waiting.nina)
    waiting.wait(waiting.scene.max)
    waiting.free()
    assert waiting.book(waiting.nina)["state"] == "booked"
    assert waiting.of(waiting.scene.max) == [("waiting", False)]


def test_an_extension_does_not_overtake_who_waits_for_what_comes_after(waiting: List) -> None:
    scene = waiting.scene
    waiting.free()
    rental = book(waiting, scene.max, 201)["id"]
    waiting.day += 3 * HOUR
    waiting.block = waiting.blocked()
    waiting.wait(waiting.nina, hours=1)
    free_unseen(waiting)
    answers = []
    for hours in (1, 0):
        to = {"rental": rental, "to": z(waiting.day + hours * HOUR)}
        quote = waiting(scene.max, "POST", "/quotes", 201, to)["id"]
        status = 409 if hours else 200
        answers.append(waiting(scene.max, "POST", f"/rentals/{rental}/extend", status, {"quote": quote}))
    assert answers[0]["type"] == "/problems/car-taken"
    assert waiting.of(waiting.nina) == [("offered", True)]


def test_a_swap_does_not_overtake_who_waits_for_the_other_car(desk: Desk) -> None:
    one = plan(desk)
    olga, max_, other = one.lending.olga, one.lending.max, one.car(one.lending.olga, {})
    rental = one.book(begins=3)
    span = one.get(max_, f"/rentals/{rental}")["span"]
    blocked = one.post(olga, f"/cars/{other}/blocks", 201, {**span, "kind": "own_use"})["id"]
    one.post(one.nina, "/me/waits", 201, {"car": other, "from": span["from"], "to": span["to"]})
    unsafe = {"part": "wheels", "text": "A flat tyre.", "unsafe": True}
    one.post(olga, f"/cars/{one.lending.car_id}/damages", 201, unsafe)
    one.ask(olga, "DELETE", f"/cars/{other}/blocks/{blocked}", 204)
    refused = one.post(max_, f"/rentals/{rental}/swap", 409, {"car": other})
    assert refused["type"] == "/problems/car-taken"
    assert one.get(max_, f"/rentals/{rental}")["state"] == "booked"


def test_an_offer_that_could_not_be_looked_for_bars_no_booking(waiting: List) -> None:
    waiting.wait(waiting.nina)
    free_unseen(waiting)
    session.execute(update(Deadline).where(Deadline.ref == waiting.scene.car_id).values(attempts=1))
    session.commit()
    assert book(waiting, waiting.scene.max, 201)["state"] == "booked"

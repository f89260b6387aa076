"""What is shown of a car's place and of who held it, and what the driver hears of it."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.cars import box as boxes
from app.cars import custody
from app.cars.models import Car
from app.kit import clock
from app.kit.clock import z
from app.kit.db import session, transactional
from app.messages import timeline
from app.people.models import Person
from app.rentals import book, quote
from tests.communities.circle import Voice
from tests.kit.asking import session_of
from tests.rentals.scene import Scene, make


@pytest.fixture
def scene(app: Flask) -> Scene:
    return make()


def asks(app: Flask, person: Person) -> Voice:
    return Voice(app, person, session_of(person).headers)


def looked_up(rental: str) -> list[dict[str, Any]]:
    rows = session.execute(
        text("select data from facts where kind = 'CustodyLookedUp' and data ->> 'rental' = :r"),
        {"r": rental},
    ).scalars()
    return list(rows)


def taken(scene: Scene) -> None:
    """Max has the car."""

    @transactional
    def take() -> None:
        car = session.get_one(Car, scene.car_id, with_for_update=True)
        custody.take(
            car,
            holder="driver",
            person=scene.max.id,
            rental=scene.rental_id,
            at=custody.next_instant(car),
        )

    take()


def test_a_driver_is_told_that_the_owner_looked_who_had_the_car(app: Flask, scene: Scene) -> None:
    taken(scene)
    olga, max_ = asks(app, scene.olga), asks(app, scene.max)
    path = f"/cars/{scene.car_id}/custody"
    for _ in range(2):
        shown = olga("GET", f"{path}?at={z(clock.now())}", want=200)
        assert (shown["holder"], shown["first_name"]) == ("driver", "Max")
    assert [one["by"] for one in looked_up(scene.rental_id)] == [scene.olga.id]
    newest = timeline.of(scene.max.id, scene.rental_id, limit=1, cursor=None).items[0]
    assert (newest["kind"], newest["by"], newest["text"]) == (
        "custody_looked_up",
        "owner",
        "The owner looked who had the car.",
    )
    max_("GET", f"{path}?at={z(clock.now())}", want=403)


def test_nobody_is_told_of_a_look_at_when_the_owner_had_the_car(app: Flask, scene: Scene) -> None:
    asks(app, scene.olga)("GET", f"/cars/{scene.car_id}/custody?at={z(clock.now())}", want=200)
    assert looked_up(scene.rental_id) == []


def place(app: Flask, person: Person, car: str) -> dict[str, Any]:
    answer = asks(app, person).answer("GET", f"/cars/{car}/place")
    assert answer.status_code == 403
    found: dict[str, Any] = answer.get_json()
    assert found["type"] == "/problems/place-hidden"
    return found


def test_a_hidden_place_says_from_when_it_is_shown(app: Flask, scene: Scene) -> None:
    begin = (scene.rental.to_at + timedelta(hours=5)).replace(microsecond=0)
    scene.set_state("cancelled")
    quoted = quote.quote(
        scene.max.id, {"car": scene.car_id, "from_": begin, "to": begin + timedelta(hours=1)}
    )
    book.book(scene.max.id, {"quote": quoted.id, "accept": quoted.conditions})
    hidden = place(app, scene.max, scene.car_id)
    assert hidden["visible_from"] == z(begin - timedelta(hours=1))


def test_without_a_rental_there_is_no_time_from_which_it_is_shown(app: Flask, scene: Scene) -> None:
    scene.set_state("cancelled")
    assert place(app, scene.max, scene.car_id)["visible_from"] is None


def test_what_a_box_was_seen_to_do_is_named(app: Flask, scene: Scene) -> None:
    seen = {"seen_at": z(clock.now()), "evidence": "strong"}
    boxes.find(scene.car_id).capabilities = {"unlock": seen, "lock": {**seen, "evidence": "weak"}}
    session.commit()
    shown = asks(app, scene.olga)("GET", f"/cars/{scene.car_id}/box", want=200)
    assert shown["capabilities"] == {"lock": {**seen, "evidence": "weak"}, "unlock": seen}

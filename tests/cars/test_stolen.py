"""A stolen car is barred and its box cut off; while it is lent only an operator can do that."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.cars import box as boxes
from app.cars.models import Box, Car
from app.kit.db import session
from app.operator import act
from app.rentals import abandoned, outcome
from app.rentals.claim import Claim, claim
from app.rentals.models import Command
from carbox.box import Answer, AnswerKind, Evidence
from tests import factories
from tests.cars.street import BOX, broker
from tests.communities.circle import Voice, voice
from tests.kit.asking import session_of
from tests.rentals.scene import make

WHY = ("--reason", "the police have the report")
OPENED = Answer(AnswerKind.CONFIRMED, evidence=Evidence.STRONG, effect=True, dead=True)


def by_hand(house: Flask, *words: str) -> Any:
    """What an operator enters at the command line."""
    with broker(house):
        done = house.test_cli_runner().invoke(args=["operator", *words, *WHY])
    assert done.exit_code == 0, done.output
    session.expire_all()
    return json.loads(done.output)


def facts_of(kind: str, **having: str) -> int:
    (name, value), *_ = having.items()
    found: int = session.execute(
        text("select count(*) from facts where kind = :kind and data ->> :name = :value"),
        {"kind": kind, "name": name, "value": value},
    ).scalar_one()
    return found


def test_a_car_reported_stolen_is_barred_and_its_box_cut_off(house: Flask, olga: Voice) -> None:
    car = factories.car(olga.person).id
    with broker(house):
        made = olga("PUT", f"/cars/{car}/box", BOX, want=200)
        for _ in range(2):
            assert olga("POST", f"/cars/{car}/stolen", want=200) == {"car": car, "safe": False}
    assert made["credentials"]["username"] not in boxes.accounts()
    session.expire_all()
    assert session.get_one(Car, car).unsafe
    assert session.get_one(Box, made["id"]).cut_at is not None
    assert olga("GET", f"/cars/{car}/box", want=404) == "not-found"
    assert facts_of("CarStolen", car=car) == 1


def test_a_box_that_was_to_replace_another_is_cut_off_with_it(house: Flask, olga: Voice) -> None:
    car = factories.car(olga.person).id
    old, _ = boxes.put(olga.id, car, BOX)
    boxes.mark_loaded(boxes.accounts())
    waiting, _ = boxes.put(olga.id, car, BOX)
    with broker(house):
        olga("POST", f"/cars/{car}/stolen", want=200)
    assert not {old.username, waiting.username} & boxes.accounts().keys()


def test_a_theft_is_answered_when_the_broker_has_let_go_of_the_box(slow_broker: Flask, olga: Voice) -> None:
    car = factories.car(olga.person).id
    boxes.put(olga.id, car, BOX)
    late = Voice(slow_broker, olga.person, olga.headers)
    assert late("POST", f"/cars/{car}/stolen", want=503) == "unavailable"
    assert late("GET", f"/cars/{car}/box", want=404) == "not-found"
    boxes.mark_loaded(boxes.accounts())
    assert late("POST", f"/cars/{car}/stolen", want=200)["car"] == car


def test_a_box_that_is_taken_out_is_answered_when_the_broker_has_let_go_of_it(
    house: Flask, slow_broker: Flask, olga: Voice
) -> None:
    car = factories.car(olga.person).id
    boxes.put(olga.id, car, BOX)
    late = Voice(slow_broker, olga.person, olga.headers)
    for _ in range(2):
        assert late("DELETE", f"/cars/{car}/box", want=503) == "unavailable"
    with broker(house):
        olga("DELETE", f"/cars/{car}/box", want=204)
    assert late("DELETE", f"/cars/{car}/box", want=404) == "not-found"
    assert facts_of("BoxRemoved", car=car) == 1


def test_a_barred_car_is_stolen_all_the_same(house: Flask, olga: Voice) -> None:
    car = factories.car(olga.person).id
    boxes.put(olga.id, car, BOX)
    act.set_safe(car, safe=False, by="op", reason="a bald tyre")
    with broker(house):
        olga("POST", f"/cars/{car}/stolen", want=200)
    assert facts_of("CarStolen", car=car) == 1


def test_an_account_that_the_broker_still_knows_is_not_cut(olga: Voice) -> None:
    car = factories.car(olga.person).id
    row, _ = boxes.put(olga.id, car, BOX)
    known = boxes.accounts()
    boxes.remove(olga.id, car)
    boxes.mark_loaded(known)
    session.expire_all()
    assert session.get_one(Box, row.id).cut_at is None
    assert boxes.unsettled()
    boxes.mark_loaded(boxes.accounts())
    session.expire_all()
    assert session.get_one(Box, row.id).cut_at is not None


def test_only_the_owner_reports_it(app: Flask, olga: Voice) -> None:
    car = factories.car(olga.person).id
    assert voice(app, "Charlie Stranger")("POST", f"/cars/{car}/stolen", want=404) == "not-found"


def lent(house: Flask) -> tuple[Any, Voice]:
    scene = make()
    boxes.mark_loaded(boxes.accounts())
    return scene, Voice(house, scene.olga, voice_headers(scene.olga))


def voice_headers(person: Any) -> dict[str, str]:
    headers: dict[str, str] = session_of(person).headers
    return headers


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "stolen"), ("DELETE", "box"), ("POST", "box/rotate?old=cut")]
)
def test_the_owner_is_refused_while_the_car_is_lent(app: Flask, method: str, path: str) -> None:
    scene, olga = lent(app)
    command = scene.unlock()
    assert olga(method, f"/cars/{scene.car_id}/{path}", want=409) == "in-use"
    outcome.apply(command.id, OPENED, None)
    assert olga(method, f"/cars/{scene.car_id}/{path}", want=409) == "in-use"
    session.expire_all()
    assert scene.box.removed_at is None
    assert not scene.car.unsafe


@pytest.mark.parametrize("words", [("car", "stolen"), ("car", "remove-box")])
def test_an_operator_cuts_the_box_under_a_rental_and_nothing_is_sent_to_it_any_more(
    app: Flask, words: tuple[str, str]
) -> None:
    scene, _ = lent(app)
    box, command = scene.box.id, scene.unlock().id
    by_hand(app, *words, scene.car_id)
    row = session.get_one(Box, box)
    assert row.removed_at is not None
    assert row.cut_at is not None
    assert scene.car.unsafe is (words[1] == "stolen")
    if words[1] == "stolen":
        assert claim(command, "boxlink-test") is Claim.NO_LONGER
    assert facts_of("OperatorActed", subject=scene.car_id) == 1
    abandoned.not_sent(command, "unreachable")
    session.expire_all()
    assert session.get_one(Command, command).state == "refused"
    assert scene.rental.state == "booked"


def test_a_rental_under_way_whose_box_was_cut_is_closed_by_hand(app: Flask) -> None:
    scene, _ = lent(app)
    outcome.apply(scene.unlock().id, OPENED, None)
    by_hand(app, "car", "stolen", scene.car_id)
    assert scene.rental.state == "active"
    closed = by_hand(app, "rental", "close", scene.rental_id)
    assert closed["state"] == "ended"

"""Pairing a box: it is the car's when the broker knows it, and until then everything is as it was."""

import dataclasses

from flask import Flask

from app.cars import box as boxes
from app.cars.models import Box
from app.kit.db import session
from tests import factories
from tests.cars.street import BOX, broker
from tests.communities.circle import Voice
from tests.rentals.scene import make

KEY = "pair-this-very-box"


def car_of(olga: Voice) -> str:
    return factories.car(olga.person).id


def test_a_first_pairing_needs_no_precondition(house: Flask, olga: Voice) -> None:
    with broker(house):
        made = olga("PUT", f"/cars/{car_of(olga)}/box", BOX, want=200)
    assert made["credentials"]["password"]


def test_a_box_without_a_companion_shows_the_keys_that_one_would_pin(house: Flask, olga: Voice) -> None:
    with broker(house):
        made = olga("PUT", f"/cars/{car_of(olga)}/box", BOX, want=200)
    assert (made["has_companion"], len(made["grant_issuers"])) == (False, 2)


def test_a_pairing_that_failed_is_judged_anew_under_its_key(
    house: Flask, slow_broker: Flask, olga: Voice
) -> None:
    car = car_of(olga)
    late = dataclasses.replace(olga, house=slow_broker)
    assert late("PUT", f"/cars/{car}/box", BOX, want=503, Idempotency_Key=KEY) == "unavailable"
    assert olga("GET", f"/cars/{car}/box", want=404) == "not-found"
    with broker(house):
        again = olga.answer("PUT", f"/cars/{car}/box", BOX, Idempotency_Key=KEY)
    assert again.status_code == 200
    assert "Idempotent-Replayed" not in again.headers
    assert again.get_json()["credentials"]["password"]


def test_a_pairing_that_succeeded_is_replayed_without_its_secret(house: Flask, olga: Voice) -> None:
    car = car_of(olga)
    with broker(house):
        made = olga("PUT", f"/cars/{car}/box", BOX, want=200, Idempotency_Key=KEY)
    again = olga("PUT", f"/cars/{car}/box", BOX, want=200, Idempotency_Key=KEY)
    assert (again["id"], again["credentials"]) == (made["id"], None)


def test_a_repeat_is_not_answered_before_the_broker_was(app: Flask, olga: Voice) -> None:
    car = car_of(olga)
    with broker(app):
        made = olga("PUT", f"/cars/{car}/box", BOX, want=200, Idempotency_Key=KEY)
    session.get_one(Box, made["id"]).loaded_at = None
    session.commit()
    again = olga("PUT", f"/cars/{car}/box", BOX, want=409, Idempotency_Key=KEY)
    assert again == "idempotency-busy"


def test_a_box_stays_in_service_when_the_broker_does_not_take_its_successor(
    house: Flask, slow_broker: Flask, olga: Voice
) -> None:
    car = car_of(olga)
    with broker(house):
        first = olga("PUT", f"/cars/{car}/box", BOX, want=200)
    late = dataclasses.replace(olga, house=slow_broker)
    tag = olga.etag(f"/cars/{car}/box")
    assert late("PUT", f"/cars/{car}/box", BOX, want=503, If_Match=tag) == "unavailable"
    assert olga("GET", f"/cars/{car}/box", want=200)["id"] == first["id"]
    assert first["credentials"]["username"] in boxes.accounts()


def test_a_successor_in_service_cuts_the_box_before_it(house: Flask, olga: Voice) -> None:
    car = car_of(olga)
    with broker(house):
        first = olga("PUT", f"/cars/{car}/box", BOX, want=200)
        tag = olga.etag(f"/cars/{car}/box")
        second = olga("PUT", f"/cars/{car}/box", BOX, want=200, If_Match=tag)
    assert olga("GET", f"/cars/{car}/box", want=200)["id"] == second["id"]
    assert first["credentials"]["username"] not in boxes.accounts()
    assert len(olga("GET", "/cars")["items"]) == 1


def test_a_box_is_replaced_only_by_who_has_seen_it(house: Flask, olga: Voice) -> None:
    car = car_of(olga)
    with broker(house):
        olga("PUT", f"/cars/{car}/box", BOX, want=200)
        assert olga("PUT", f"/cars/{car}/box", BOX, want=428) == "precondition-required"
        stale = '"00000000000000000000000000000000"'
        assert olga("PUT", f"/cars/{car}/box", BOX, want=412, If_Match=stale) == "precondition-failed"


def test_a_car_in_the_list_is_there_once_while_a_successor_waits(olga: Voice) -> None:
    car = car_of(olga)
    boxes.put(olga.id, car, BOX)
    boxes.mark_loaded(boxes.accounts())
    boxes.put(olga.id, car, BOX)
    boxes.put(olga.id, car, BOX)
    assert [one["id"] for one in olga("GET", "/cars")["items"]] == [car]


def test_a_box_is_not_cut_under_a_rental_that_began_meanwhile(app: Flask) -> None:
    scene = make()
    boxes.mark_loaded(boxes.accounts())
    old = scene.box.id
    waiting, _ = boxes.put(scene.olga.id, scene.car_id, BOX)
    scene.unlock()
    boxes.mark_loaded(boxes.accounts())
    session.expire_all()
    assert scene.box.id == old
    assert session.get_one(Box, waiting.id).removed_at is not None

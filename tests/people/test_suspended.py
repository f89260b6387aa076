"""A suspension bites while a car is out: what ends the rental stays possible, nothing else."""

import uuid

import pytest
from flask import Flask
from sqlalchemy import text

from app.kit import auth
from app.kit.db import session
from app.kit.routes import RULES
from tests.kit.asking import slug
from tests.people.desk import Desk
from tests.rentals import scene

OPEN = {
    "rentals.tell_late_back": "the rental runs on, and others wait for the car",
    "rentals.report_damage": "what befell the car is known early, whoever drives it",
    "rentals.change_damage": "its photos come after it; that a car is repaired or safe is said by nobody who is suspended",
    "rentals.add_note": "the other side is reached while a rental runs on",
    "rentals.lock_rental": "ends the rental",
    "rentals.pause_rental": "the car is not left open",
    "rentals.unlock_rental": "back into a car that is out, to fetch things and to lock it well; unlock.py refuses the rest",
    "rentals.still_have_it": "the owner must know where the car is",
    "photos.add_rental_photo": "how the car is brought back is seen, by whoever brings it",
    "rentals.upload_receipts": "what a box did is so, whoever brings the news",
    "messages.read_message": "one's own messages",
    "messages.message_received": "one's own messages",
    "people.sign_out": "less is possible afterwards",
    "people.end_session": "less is possible afterwards",
}


@pytest.fixture
def out(house: Flask) -> tuple[str, str]:
    """Max has Olga's car, and is suspended: a token of his phone, and the rental."""
    with house.app_context():
        made = scene.make()
        made.set_state("active")
        session.execute(
            text("update people set suspended_at = now(), operator = true where id = cast(:id as uuid)"),
            {"id": made.max.id[4:]},
        )
        session.commit()
        return auth.person_token(made.max.id, made.session, made.phone.id), made.rental_id


def keyed() -> str:
    return uuid.uuid4().hex


def test_no_new_thing_begins(desk: Desk, out: tuple[str, str]) -> None:
    token, _ = out
    nothing = "0" * 32
    for method, path, body in (
        ("POST", "/communities", {"name": "Friends", "kind": "circle"}),
        ("POST", "/rentals", {"quote": f"quo_{nothing}", "accept": []}),
        ("POST", f"/communities/com_{nothing}/invitations", {}),
        ("PUT", f"/cars/car_{nothing}/communities/com_{nothing}/terms", {}),
        ("PATCH", "/me", {"name": "Max"}),
        ("DELETE", f"/cars/car_{nothing}", None),
        ("GET", "/operator/jobs", None),
    ):
        answer = desk.call(method, path, body, token, Idempotency_Key=keyed())
        assert (answer.status_code, slug(answer)) == (403, "not-allowed"), path
        assert "suspended" in answer.get_json()["detail"]


def test_the_rental_can_be_read_and_ended(desk: Desk, out: tuple[str, str]) -> None:
    token, rental = out
    for path in (
        "/me",
        "/rentals",
        f"/rentals/{rental}",
        f"/rentals/{rental}/readiness?step=lock",
        "/me/messages",
    ):
        desk.get(path, token)
    locked = desk.post(f"/rentals/{rental}/lock", {"keys_in_glove_box": True}, token, Idempotency_Key=keyed())
    assert locked.status_code == 202, locked.data


def test_one_gets_back_into_the_car_that_is_out_and_into_no_other(
    house: Flask, desk: Desk, out: tuple[str, str]
) -> None:
    token, rental = out
    assert desk.post(f"/rentals/{rental}/unlock", None, token, Idempotency_Key=keyed()).status_code == 202
    with house.app_context():
        statement = text("update rentals set state = 'unlocking' where id = cast(:id as uuid)")
        session.execute(statement, {"id": rental[4:]})
        session.commit()
    answer = desk.post(f"/rentals/{rental}/unlock", None, token, Idempotency_Key=keyed())
    assert (answer.status_code, slug(answer)) == (403, "not-allowed")


def test_what_stays_open_is_open_for_a_reason() -> None:
    assert {name for name, rule in RULES.items() if rule.while_suspended} == set(OPEN)

"""Idempotency keys: an answer that had an effect is replayed, a refusal is judged anew, a secret shows once."""

import hashlib
import json
import threading
import time
import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, insert, text

from app.kit.db import db
from app.kit.idempotency import StoredAnswer
from tests.kit.asking import Ask, Signed, signed_in, slug

CIRCLE = {"name": "Friends", "kind": "circle"}


def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


def test_a_repeat_answers_the_same_and_makes_nothing_more(ask: Ask) -> None:
    same = key()
    first = ask("POST", "/v1/communities", json=CIRCLE, headers=same)
    again = ask("POST", "/v1/communities", json=CIRCLE, headers=same)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json() == first.get_json()
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(ask("GET", "/v1/communities").get_json()["items"]) == 1


def test_an_answer_without_a_body_is_replayed_without_one(ask: Ask) -> None:
    same = key()
    for _ in range(2):
        answer = ask(
            "POST", "/v1/sessions/current/confirm", json={"password": "correct horse battery"}, headers=same
        )
        assert (answer.status_code, answer.data) == (204, b"")
        assert "Content-Type" not in answer.headers


def test_without_a_key_each_request_counts(ask: Ask) -> None:
    for _ in range(2):
        assert ask("POST", "/v1/communities", json=CIRCLE).status_code == 201
    assert len(ask("GET", "/v1/communities").get_json()["items"]) == 2


def test_where_a_key_is_required_its_absence_is_400(ask: Ask) -> None:
    answer = ask("POST", "/v1/rentals", json={"quote": "quo_" + "0" * 32})
    assert (answer.status_code, slug(answer)) == (400, "idempotency-key-missing")


@pytest.mark.parametrize(
    "odd", ["", "short", "x" * 65, "with space 1", "ümlaut-12345", "semi;colon", "a" * 8 + "\t"]
)
def test_a_malformed_key_is_400(ask: Ask, odd: str) -> None:
    answer = ask("POST", "/v1/communities", json=CIRCLE, headers={"Idempotency-Key": odd})
    assert (answer.status_code, slug(answer)) == (400, "malformed")


def test_the_key_with_another_body_route_or_query_is_422(ask: Ask) -> None:
    same = key()
    made = ask("POST", "/v1/communities", json=CIRCLE, headers=same).get_json()["id"]
    others = [
        ("POST", "/v1/communities", {"json": {**CIRCLE, "name": "Others"}}),
        ("POST", f"/v1/communities/{made}/invitations", {"json": CIRCLE}),
    ]
    for method, path, how in others:
        answer = ask(method, path, headers=same, **how)
        assert answer.status_code == 422
    answer = ask("POST", "/v1/communities", json={**CIRCLE, "name": "Others"}, headers=same)
    assert slug(answer) == "idempotency-key-reused"


def test_a_key_belongs_to_its_caller(house: Flask, ask: Ask) -> None:
    same = key()
    mine = ask("POST", "/v1/communities", json=CIRCLE, headers=same).get_json()["id"]
    charlie = signed_in(house, "Charlie Stranger")
    theirs = house.test_client().post("/v1/communities", json=CIRCLE, headers={**charlie.headers, **same})
    assert theirs.status_code == 201
    assert theirs.get_json()["id"] != mine


def test_a_refusal_is_not_stored_but_judged_anew(ask: Ask) -> None:
    same = key()
    wrong = ask("POST", "/v1/communities", json={**CIRCLE, "kind": "gang"}, headers=same)
    assert wrong.status_code == 422
    right = ask("POST", "/v1/communities", json=CIRCLE, headers=same)
    assert right.status_code == 201
    assert "Idempotent-Replayed" not in right.headers


def test_a_secret_is_null_in_a_replay(ask: Ask) -> None:
    community = ask("POST", "/v1/communities", json=CIRCLE).get_json()["id"]
    same, path = key(), f"/v1/communities/{community}/invitations"
    first = ask("POST", path, json={}, headers=same).get_json()
    again = ask("POST", path, json={}, headers=same).get_json()
    assert first["code"]
    assert first["url"]
    assert first["qr"]
    assert again == {**first, "code": None, "url": None, "qr": None}


def test_no_secret_lies_in_the_store(house: Flask, ask: Ask) -> None:
    community = ask("POST", "/v1/communities", json=CIRCLE).get_json()["id"]
    code = ask("POST", f"/v1/communities/{community}/invitations", json={}, headers=key()).get_json()["code"]
    with house.app_context(), db.engine.connect() as connection:
        stored = (
            connection.execute(text("select coalesce(body::text, '') from idempotency_keys")).scalars().all()
        )
    assert stored
    assert not any(code in one for one in stored)


def test_a_stored_fingerprint_does_not_let_a_password_be_guessed(house: Flask, client: FlaskClient) -> None:
    """Without the settings' key nobody can compute it from a guessed body."""
    same = key()
    body = json.dumps({"email": f"{uuid.uuid4().hex}@example.org", "purpose": "reset"}).encode()
    assert (
        client.post("/v1/email-codes", data=body, content_type="application/json", headers=same).status_code
        == 202
    )
    parts = (b"POST", b"/v1/email-codes", b"", body)
    guessed = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    with house.app_context(), db.engine.connect() as connection:
        stored = connection.execute(
            text("select fingerprint from idempotency_keys where key = :key"),
            {"key": same["Idempotency-Key"]},
        ).scalar_one()
    assert len(stored) == 32
    assert bytes(stored) != guessed


def test_while_the_first_is_still_running_the_second_is_409(house: Flask, olga: Signed, ask: Ask) -> None:
    same = key()
    name = f"{olga.id}/{same['Idempotency-Key']}"
    with house.app_context():
        engine = db.engine
    with engine.begin() as other:
        other.execute(text("select pg_advisory_xact_lock(hashtextextended(:n, 7003))"), {"n": name})
        answer = ask("POST", "/v1/communities", json=CIRCLE, headers=same)
        assert (answer.status_code, slug(answer)) == (409, "idempotency-busy")
    assert ask("POST", "/v1/communities", json=CIRCLE, headers=same).status_code == 201


def test_an_answer_stored_between_the_look_and_the_lock_is_replayed(
    house: Flask, olga: Signed, ask: Ask
) -> None:
    same, answers = key(), []
    ask("POST", "/v1/communities", json=CIRCLE, headers=same)
    second = threading.Thread(
        target=lambda: answers.append(ask("POST", "/v1/communities", json=CIRCLE, headers=same))
    )
    with house.app_context(), db.engine.connect() as first:
        row = first.execute(
            text("delete from idempotency_keys where key = :key returning *"),
            {"key": same["Idempotency-Key"]},
        ).one()
        first.commit()
        first.execute(insert(StoredAnswer).values(row._asdict()))
        second.start()
        waits = text("select exists(select 1 from pg_locks where not granted and pid <> pg_backend_pid())")
        while not first.execute(waits).scalar_one():
            time.sleep(0.005)
        first.commit()
    second.join()
    assert (answers[0].status_code, answers[0].headers.get("Idempotent-Replayed")) == (201, "true")
    assert len(ask("GET", "/v1/communities").get_json()["items"]) == 1


def test_an_effect_of_just_then_that_would_refuse_its_own_repeat_is_replayed(
    house: Flask, olga: Signed, ask: Ask
) -> None:
    """What stands in the way of the second is what the first has done, between the second's look and its lock."""
    max_, same = signed_in(house, "Max Member"), key()
    community = ask("POST", "/v1/communities", json=CIRCLE).get_json()["id"]
    link = ask("POST", f"/v1/communities/{community}/invitations", json={"uses": 2}).get_json()["code"]
    http, path, headers = house.test_client(), f"/v1/invitations/{link}/accept", {**max_.headers, **same}
    made = http.post(path, headers=headers)
    with house.app_context():
        engine = db.engine
    with engine.begin() as first:
        taken = text("delete from idempotency_keys where key = :key returning *")
        row = first.execute(taken, {"key": same["Idempotency-Key"]}).one()._asdict()

    def commits(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if row and "FROM invitations" in statement:
            with engine.begin() as first:
                first.execute(insert(StoredAnswer).values(dict(row)))
                row.clear()

    event.listen(engine, "before_cursor_execute", commits)
    try:
        again = http.post(path, headers=headers)
    finally:
        event.remove(engine, "before_cursor_execute", commits)
    assert (again.status_code, again.get_json()) == (made.status_code, made.get_json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert slug(http.post(path, headers={**max_.headers, **key()})) == "already-exists"


def test_ten_at_once_with_one_key_make_one_thing(house: Flask, signed: dict[str, str], ask: Ask) -> None:
    same, statuses = key(), []

    def call() -> None:
        answer = house.test_client().post("/v1/communities", json=CIRCLE, headers={**signed, **same})
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=call) for _ in range(10)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert len(ask("GET", "/v1/communities").get_json()["items"]) == 1

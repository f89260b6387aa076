"""What nobody can use any more is deleted, and nothing sooner."""

import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.kit.db import session
from app.people import register, tidy
from tests.kit.asking import slug
from tests.people.desk import PASSWORD, Desk, address


@pytest.fixture
def aged(house: Flask) -> Any:
    """Age everything by so many days, tidy, and make it young again."""

    def call(days: int) -> None:
        with house.app_context():
            _shift(days)
            tidy.tidy()
            _shift(-days)

    return call


COLUMNS = (
    ("email_codes", "made_at"),
    ("refresh_tokens", "expires_at"),
    ("sessions", "seen_at"),
    ("sessions", "revoked_at"),
    ("phones", "seen_at"),
)


def _shift(days: int) -> None:
    for table, column in COLUMNS:
        session.execute(
            text(f"update {table} set {column} = {column} - make_interval(days => :days)"),  # noqa: S608
            {"days": days},
        )
    session.commit()


def _count(house: Flask, email: str, table: str) -> int:
    with house.app_context():
        person = register.find_by_email(email)
        assert person is not None
        join = {
            "email_codes": "email_codes x where",
            "sessions": "sessions x where",
            "refresh_tokens": "refresh_tokens t join sessions x on x.id = t.session_id where",
        }[table]
        found: int = session.execute(
            text(f"select count(*) from {join} x.person_id = cast(:id as uuid)"),  # noqa: S608
            {"id": person.id[4:]},
        ).scalar_one()
        return found


def test_a_code_goes_after_a_day_and_a_registration_after_a_week(house: Flask, desk: Desk, aged: Any) -> None:
    confirmed, waiting = desk.account(), address()
    desk.register(waiting)
    aged(2)
    assert (_count(house, confirmed, "email_codes"), _count(house, waiting, "email_codes")) == (0, 1)
    assert desk.confirm(waiting, desk.mailed(waiting)[-1]) == 204
    late = address()
    desk.register(late)
    aged(8)
    assert _count(house, late, "email_codes") == 0


def test_a_used_refresh_token_is_known_as_long_as_it_could_have_lived(
    house: Flask, desk: Desk, aged: Any
) -> None:
    email = desk.account()
    first = desk.sign_in(email).get_json()["refresh_token"]
    second = desk.post("/sessions/refresh", {"refresh_token": first}).get_json()["refresh_token"]
    third = desk.post("/sessions/refresh", {"refresh_token": second}).get_json()["refresh_token"]
    aged(59)
    assert slug(desk.post("/sessions/refresh", {"refresh_token": first})) == "session-revoked"
    assert slug(desk.post("/sessions/refresh", {"refresh_token": third})) == "session-revoked"
    aged(61)
    assert _count(house, email, "refresh_tokens") == 0


def test_sessions_that_cannot_go_on_are_deleted_but_the_newest(house: Flask, desk: Desk, aged: Any) -> None:
    email = desk.account()
    for _ in range(3):
        desk.token(email)
    aged(59)
    assert _count(house, email, "sessions") == 3
    aged(61)
    assert _count(house, email, "sessions") == 1


def test_a_phone_that_was_silent_for_60_days_is_not_pushed_to_any_more(
    house: Flask, desk: Desk, aged: Any
) -> None:
    email, installation = desk.account(), str(uuid.uuid4())
    push = {"kind": "fid", "address": f"fid-{installation}"}
    token = desk.token(email, installation)
    body = {"installation": installation, "platform": "ios", "push": push}
    phone = desk.post("/me/phones", body, token).get_json()["id"]
    aged(59)
    assert desk.get(f"/me/phones/{phone}", token)["push"] == push
    aged(61)
    assert desk.get(f"/me/phones/{phone}", token)["push"] is None


def test_new_tokens_are_a_sign_of_life_of_their_phone(house: Flask, desk: Desk) -> None:
    email, installation = desk.account(), str(uuid.uuid4())
    body = {"email": email, "password": PASSWORD, "installation": installation}
    tokens = desk.post("/sessions", body).get_json()
    added = {"installation": installation, "platform": "ios"}
    made = desk.post("/me/phones", added, tokens["access_token"]).get_json()
    answer = desk.post("/sessions/refresh", {"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 200, answer.data
    read = desk.get(f"/me/phones/{made['id']}", answer.get_json()["access_token"])
    assert read["seen_at"] > made["seen_at"]

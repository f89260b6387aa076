"""Register and confirm: an account is what the registration said whose code came back."""

import json

from flask import Flask
from sqlalchemy import event, text

from app.kit.db import db, session
from tests.kit.asking import slug
from tests.people.desk import PASSWORD, Desk, address

THEIRS = "the password of charlie"


def test_the_password_of_who_registered_first_opens_nothing(desk: Desk) -> None:
    email = address()
    desk.register(email, name="Charlie Stranger", password=THEIRS, language="de", country="DE")
    desk.register(email, name="Olga Owner", country="FR")
    _, olgas = desk.mailed(email)
    assert desk.confirm(email, olgas) == 204
    assert slug(desk.sign_in(email, THEIRS)) == "credentials-wrong"
    me = desk.get("/me", desk.token(email))
    assert (me["name"], me["language"], me["country"]) == ("Olga Owner", "en", "FR")
    assert me["time_zone"] == "Europe/Paris"


def test_a_registration_that_comes_later_takes_no_code_away(desk: Desk) -> None:
    email = address()
    desk.register(email)
    desk.register(email, name="Charlie Stranger", password=THEIRS)
    olgas, charlies = desk.mailed(email)
    assert desk.confirm(email, olgas) == 204
    assert desk.sign_in(email).status_code == 201
    assert desk.confirm(email, charlies) == 422


def test_a_new_code_belongs_to_the_last_registration_and_replaces_its_code(desk: Desk) -> None:
    email = address()
    desk.register(email)
    assert desk.post("/email-codes", {"email": email, "purpose": "confirm"}).status_code == 202
    desk.work()
    old, new = desk.mailed(email)
    if old != new:
        assert desk.confirm(email, old) == 422
    assert desk.confirm(email, new) == 204
    assert desk.sign_in(email).status_code == 201


def test_before_the_address_is_confirmed_the_password_is_that_of_the_registration(desk: Desk) -> None:
    email = address()
    desk.register(email)
    assert slug(desk.sign_in(email)) == "email-unconfirmed"
    assert slug(desk.sign_in(email, THEIRS)) == "credentials-wrong"


def test_an_account_that_was_never_confirmed_has_no_password_to_reset(desk: Desk) -> None:
    email = address()
    desk.register(email)
    desk.post("/email-codes", {"email": email, "purpose": "reset"})
    desk.work()
    assert desk.mailed(email, "reset") == []


def test_what_waited_for_its_code_is_forgotten_once_the_address_is_confirmed(
    house: Flask, desk: Desk
) -> None:
    email = desk.account()
    with house.app_context():
        kept = session.execute(
            text("select count(*) from email_codes where registration->>'email' = :email"), {"email": email}
        ).scalar_one()
    assert kept == 0


def test_a_job_that_runs_twice_mails_one_code(desk: Desk, house: Flask) -> None:
    email = address()
    desk.register(email)
    with house.app_context():
        session.execute(
            text(
                "update procrastinate_jobs set status = 'todo' where id ="
                " (select max(id) from procrastinate_jobs where task_name = 'asked_of_address')"
            )
        )
        session.commit()
    desk.work()
    assert len(desk.mailed(email)) == 1


def test_neither_address_nor_password_lies_open_in_the_queue(desk: Desk, house: Flask) -> None:
    email = address()
    desk.register(email)
    with house.app_context():
        rows = session.execute(
            text("select args from procrastinate_jobs where task_name = 'asked_of_address'")
        ).scalars()
        told = json.dumps(list(rows))
    assert "argon2" not in told
    assert email not in told
    assert PASSWORD not in told


def test_known_and_unknown_addresses_make_a_request_do_the_same_work(desk: Desk, house: Flask) -> None:
    """The same statements: what differs is done by a worker."""
    known, unknown = desk.account(), address("nobody")
    asks = [
        ("/email-codes", {"purpose": "reset"}),
        ("/email-codes", {"purpose": "confirm"}),
        (
            "/people",
            {"name": "Olga Owner", "password": PASSWORD, "language": "en", "country": "FR"},
        ),
        ("/password-resets", {"code": "000000", "password": "another long password"}),
        ("/people/confirm", {"code": "000000"}),
    ]
    for path, body in asks:
        done = [_statements(house, desk, path, {**body, "email": email}) for email in (known, unknown)]
        assert done[0] == done[1], path


def _statements(house: Flask, desk: Desk, path: str, body: dict[str, str]) -> list[str]:

    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    with house.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        desk.post(path, body)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return seen

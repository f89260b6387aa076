import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import facts
from app.communities import invite
from app.kit import clock
from app.kit.db import new_id, session, transactional
from app.people import register, sign_in
from app.people.models import Person
from app.rentals.models import Rental
from app.rentals.wait_models import WAI, Wait
from tests import factories
from tests.messages import stage
from tests.messages.stage import START

HOUR = timedelta(hours=1)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def signed(person: Person, **headers: str) -> dict[str, str]:
    tokens = sign_in.sign_in(person.email, "correct horse battery", str(uuid.uuid4()), None)
    return {"Authorization": f"Bearer {tokens['access_token']}", **headers}


def inbox(client: FlaskClient, person: Person, query: str = "", **headers: str) -> dict[str, Any]:
    answer = client.get(f"/v1/me/messages{query}", headers=signed(person, **headers))
    assert answer.status_code == 200, answer.json
    assert answer.json is not None
    return dict(answer.json)


def test_the_inbox_reads_in_the_readers_language(client: FlaskClient) -> None:
    cast = stage.cast()
    stage.happen(facts.RentalAsked(rental=cast.rental))
    titles = {
        language: inbox(client, cast.olga, **({"Accept-Language": language} if language else {}))["items"][0][
            "title"
        ]
        for language in ("", "fr", "de")
    }
    assert titles == {
        "": "Max asks for smart EQ fortwo",
        "fr": "Max demande smart EQ fortwo",
        "de": "Max fragt nach: smart EQ fortwo",
    }


def test_a_message_has_the_shape_of_the_contract(client: FlaskClient) -> None:
    cast = stage.cast()
    stage.phone(cast.olga)
    _state(cast.rental, "requested")
    stage.happen(facts.RentalAsked(rental=cast.rental))
    stage.work()
    [one] = inbox(client, cast.olga)["items"]
    assert one["kind"] == "rental_asked.owner"
    assert one["rental"] == cast.rental
    assert one["actions"] == [
        {"label": "Approve", "link": f"/v1/rentals/{cast.rental}/approve"},
        {"label": "Decline", "link": f"/v1/rentals/{cast.rental}/decline"},
    ]
    assert (one["urgent"], one["read_at"]) == (True, None)
    assert [(row["channel"], row["state"]) for row in one["deliveries"]] == [("push", "sent")]


@transactional
def _state(rental: str, state: str | None = None) -> str:
    found = session.get_one(Rental, rental)
    found.state = state or found.state
    return found.state


def test_what_is_held_for_who_waited_is_booked_from_the_message_while_it_is_held(client: FlaskClient) -> None:
    cast = stage.cast()
    now = clock.now()
    span = {"from_at": START, "to_at": START + HOUR, "answer_by": now + HOUR}
    wait = Wait(
        id=new_id(WAI), person_id=cast.nina.id, car_id=cast.car.id, state="offered", made_at=now, **span
    )
    transactional(session.add)(wait)
    stage.happen(facts.WaitOffered(wait=wait.id, person=cast.nina.id, car=cast.car.id, **span))
    action = {"label": "Book it", "link": f"/v1/me/waits/{wait.id}"}
    assert inbox(client, cast.nina)["items"][0]["actions"] == [action]
    clock.forward(HOUR)
    assert inbox(client, cast.nina)["items"][0]["actions"] == []


@pytest.mark.parametrize(("codes", "helps"), [("box,charge", True), ("car_back", True), ("licence", False)])
def test_who_is_at_risk_is_led_to_other_cars_where_one_would_help(
    client: FlaskClient,
    codes: str,
    helps: bool,  # noqa: FBT001
) -> None:
    cast = stage.cast()
    _state(cast.rental, "booked")
    stage.happen(facts.StartAtRisk(rental=cast.rental, codes=codes, ahead_min=60))
    [one] = inbox(client, cast.max)["items"]
    links = [f"/v1/rentals/{cast.rental}/alternatives"] if helps else []
    assert [action["link"] for action in one["actions"]] == links
    _state(cast.rental, "active")
    assert inbox(client, cast.max)["items"][0]["actions"] == []


def test_actions_are_offered_only_while_they_are_possible(client: FlaskClient) -> None:
    cast = stage.cast()
    _state(cast.rental, "requested")
    stage.happen(facts.RentalAsked(rental=cast.rental))
    [one] = inbox(client, cast.olga)["items"]
    assert [action["label"] for action in one["actions"]] == ["Approve", "Decline"]
    _state(cast.rental, "booked")
    [one] = inbox(client, cast.olga)["items"]
    assert one["actions"] == []


def test_an_invitation_in_the_inbox_can_be_answered(client: FlaskClient) -> None:
    cast = stage.cast()
    made = invite.invite(cast.olga.id, cast.community, {"email": cast.charlie.email})
    stage.happen(facts.Invited(invitation=made.id, community=cast.community, by=cast.olga.id))
    [one] = inbox(client, cast.charlie)["items"]
    accept = one["actions"][0]["link"]
    assert client.post(accept, headers=signed(cast.charlie)).status_code in (200, 201)
    [one] = inbox(client, cast.charlie)["items"]
    assert one["actions"] == []


def test_reading_counts_the_first_time_and_unread_leaves_it_out(client: FlaskClient) -> None:
    cast = stage.cast()
    stage.happen(facts.RentalAsked(rental=cast.rental))
    stage.happen(facts.RentalWithdrawn(rental=cast.rental))
    newest = inbox(client, cast.olga)["items"][0]["id"]
    for _ in range(2):
        answer = client.post(f"/v1/me/messages/{newest}/read", headers=signed(cast.olga))
        assert answer.status_code == 204
    unread = inbox(client, cast.olga, "?unread=true")["items"]
    assert [one["kind"] for one in unread] == ["rental_asked.owner"]
    read = inbox(client, cast.olga, "?unread=false")["items"]
    assert [one["id"] for one in read] == [newest]


def test_another_persons_message_does_not_exist(client: FlaskClient) -> None:
    cast = stage.cast()
    stage.happen(facts.RentalAsked(rental=cast.rental))
    [one] = inbox(client, cast.olga)["items"]
    answer = client.post(f"/v1/me/messages/{one['id']}/read", headers=signed(cast.charlie))
    assert answer.status_code == 404
    assert inbox(client, cast.charlie)["items"] == []


def test_pages_are_not_disturbed_by_new_messages(client: FlaskClient) -> None:
    cast = stage.cast()
    for _ in range(3):
        stage.happen(facts.BoxOffline(car=cast.car.id, rental=None))
    first = inbox(client, cast.olga, "?limit=2")
    stage.happen(facts.BoxOffline(car=cast.car.id, rental=None))
    second = inbox(client, cast.olga, f"?limit=2&cursor={first['next_cursor']}")
    ids = [one["id"] for one in (*first["items"], *second["items"])]
    assert (len(ids), ids, second["next_cursor"]) == (3, sorted(set(ids), reverse=True), None)


def test_codes_are_for_the_mailbox_alone(client: FlaskClient) -> None:
    person = factories.person("Max Member")
    register.send_code(person.email, "reset")
    stage.react_to_waiting("EmailCodeIssued", person.id)
    assert "password_reset" in stage.told(person)
    assert inbox(client, person)["items"] == []


def test_an_erased_driver_is_somebody(client: FlaskClient) -> None:
    cast = stage.cast()
    stage.happen(facts.RentalAsked(rental=cast.rental))
    _erase(cast.max.id)
    [one] = inbox(client, cast.olga)["items"]
    assert one["title"] == "somebody asks for smart EQ fortwo"


@transactional
def _erase(person: str) -> None:
    session.get_one(Person, person).erased_at = START


def test_preferences_are_replaced_on_the_state_one_has_read(client: FlaskClient) -> None:
    person = factories.person("Max Member")
    headers = signed(person)
    usual = client.get("/v1/me/preferences", headers=headers)
    assert usual.json == {"quiet": None, "channels": ["push", "mail"], "digest": "off", "topics": {}}
    body = {
        "quiet": {"from": "22:00", "to": "07:00"},
        "channels": ["push"],
        "digest": "daily",
        "topics": {"money": ["mail"], "car": []},
    }
    assert client.put("/v1/me/preferences", json=body, headers=headers).status_code == 428
    matched = {**headers, "If-Match": usual.headers["ETag"]}
    put = client.put("/v1/me/preferences", json=body, headers=matched)
    assert (put.status_code, put.json) == (200, body)
    assert client.put("/v1/me/preferences", json=body, headers=matched).status_code == 412
    read = client.get("/v1/me/preferences", headers=headers)
    assert (read.json, read.headers["ETag"]) == (body, put.headers["ETag"])


def test_an_app_that_does_not_know_topics_leaves_them(client: FlaskClient) -> None:
    headers = signed(factories.person("Max Member"))
    body = {"quiet": None, "channels": ["push", "mail"], "digest": "off"}
    for sent in ({**body, "topics": {"money": ["mail"]}}, {**body, "digest": "daily"}):
        etag = client.get("/v1/me/preferences", headers=headers).headers["ETag"]
        answer = client.put("/v1/me/preferences", json=sent, headers={**headers, "If-Match": etag})
    assert answer.json == {**body, "digest": "daily", "topics": {"money": ["mail"]}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet": {"from": "22:00", "to": "22:00"}},
        {"quiet": {"from": "25:00", "to": "07:00"}},
        {"channels": ["pigeon"]},
        {"digest": "hourly"},
        {"topics": {"weather": ["push"]}},
        {"topics": {"car": ["pigeon"]}},
        {"colour": "red"},
    ],
)
def test_wrong_preferences_are_refused(client: FlaskClient, wrong: dict[str, Any]) -> None:
    person = factories.person("Max Member")
    headers = signed(person)
    etag = client.get("/v1/me/preferences", headers=headers).headers["ETag"]
    body = {"quiet": None, "channels": ["push"], "digest": "off", **wrong}
    answer = client.put("/v1/me/preferences", json=body, headers={**headers, "If-Match": etag})
    assert answer.status_code == 422


def test_nobody_reads_messages_without_signing_in(client: FlaskClient) -> None:
    assert client.get("/v1/me/messages").status_code == 401

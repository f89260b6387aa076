"""What goes out: problem documents, ids, ETags, pages, methods and media types, the same for every route."""

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kit.fields import Instant
from tests.kit.asking import Ask, slug

CIRCLE = {"name": "Friends", "kind": "circle"}

REFUSALS: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "no token": ("GET", "/v1/me", {"headers": {"Authorization": ""}}, 401, "unauthenticated"),
    "unknown path": ("GET", "/v1/none", {}, 404, "not-found"),
    "unknown thing": ("GET", f"/v1/cars/car_{'0' * 32}", {}, 404, "not-found"),
    "wrong method": ("DELETE", "/v1/me/preferences", {}, 405, "about:blank"),
    "not acceptable": ("GET", "/v1/me", {"headers": {"Accept": "application/xml"}}, 406, "about:blank"),
    "too large": (
        "POST",
        "/v1/communities",
        {"data": b"a" * 70_000, "content_type": "application/json"},
        413,
        "about:blank",
    ),
    "not JSON": ("POST", "/v1/communities", {"data": b"a", "content_type": "text/plain"}, 415, "about:blank"),
    "wrong values": ("POST", "/v1/communities", {"json": {}}, 422, "validation"),
    "no If-Match": ("PATCH", "/v1/me", {"json": {"name": "Olga"}}, 428, "precondition-required"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_every_refusal_is_a_problem_document_with_our_headers(ask: Ask, what: str) -> None:
    method, path, how, status, kind = REFUSALS[what]
    given = str(uuid.uuid4())
    answer = ask(method, path, **{**how, "headers": {**how.get("headers", {}), "Request-Id": given}})
    assert (answer.status_code, slug(answer)) == (status, kind)
    body = answer.get_json()
    assert body["status"] == status
    assert body["title"]
    assert body["instance"] == f"urn:uuid:{given}"
    assert answer.headers["Request-Id"] == given
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_bug_is_a_problem_document_that_says_nothing_of_the_inside(house: Flask) -> None:
    with house.test_request_context("/v1/me"):
        answer = house.make_response(house.handle_user_exception(RuntimeError("the inside")))
        answer = house.process_response(answer)
    assert (answer.status_code, slug(answer)) == (500, "about:blank")
    assert b"inside" not in answer.data
    assert uuid.UUID(answer.headers["Request-Id"])


def test_every_answer_has_a_request_id_and_is_not_kept(ask: Ask) -> None:
    answer = ask("GET", "/v1/me", headers={"Request-Id": "mine"})
    assert str(uuid.UUID(answer.headers["Request-Id"])) == answer.headers["Request-Id"] != "mine"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_refusal_says_how_much_may_still_be_asked(ask: Ask) -> None:
    for path in ("/v1/me", f"/v1/cars/car_{'0' * 32}", "/v1/me?x=1"):
        answer = ask("GET", path)
        assert re.fullmatch(r'"person";r=\d+;t=\d+', answer.headers["RateLimit"])
        assert re.fullmatch(r'"person";q=\d+;w=\d+', answer.headers["RateLimit-Policy"])


def test_a_401_counts_against_the_address_and_says_how_to_sign_in(client: FlaskClient) -> None:
    answer = client.get("/v1/me")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["RateLimit"].startswith('"address"')


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/communities", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("TRACE", "/v1/me", {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}),
        ("PUT", "/v1/people", {"OPTIONS", "POST"}),
        ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_405_and_names_the_right_ones(
    ask: Ask, method: str, path: str, allowed: set[str]
) -> None:
    answer = ask(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_head_is_get_without_the_body_and_options_names_the_methods(ask: Ask) -> None:
    got, head = ask("GET", "/v1/me"), ask("HEAD", "/v1/me")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == got.headers["ETag"]
    options = ask("OPTIONS", "/v1/me")
    assert options.status_code == 200
    assert set(options.headers["Allow"].split(", ")) == {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200), ("*/*", 200), ("application/*", 200), ("text/html, */*;q=0.1", 200), ("", 200),
        ("application/xml", 406), ("text/*", 406), ("application/json;q=0", 406), ("nonsense", 406),
    ],
)  # fmt: skip
def test_who_wants_no_json_gets_none(ask: Ask, accept: str, status: int) -> None:
    assert ask("GET", "/v1/me", headers={"Accept": accept}).status_code == status


def test_nothing_is_made_for_who_could_not_read_the_answer(ask: Ask) -> None:
    name = uuid.uuid4().hex
    assert (
        ask(
            "POST", "/v1/communities", json={**CIRCLE, "name": name}, headers={"Accept": "text/csv"}
        ).status_code
        == 406
    )
    assert name not in [one["name"] for one in ask("GET", "/v1/communities").get_json()["items"]]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2027-03-01T09:00:00+01:00", "2027-03-01T08:00:00.000Z"),
        ("2027-03-01T09:00:00Z", "2027-03-01T09:00:00.000Z"),
        ("2027-03-01t09:00:00.5z", "2027-03-01T09:00:00.500Z"),
        ("2027-03-01T09:00:00.1239999-00:00", "2027-03-01T09:00:00.123Z"),
        ("2027-02-28T23:30:00-02:00", "2027-03-01T01:30:00.000Z"),
    ],
)
def test_an_instant_is_answered_in_utc_with_milliseconds(given: str, shown: str) -> None:
    field = Instant()
    assert field.serialize("at", {"at": field.deserialize(given)}) == shown


def test_no_microsecond_leaves_the_house() -> None:
    at = datetime(2027, 3, 1, 9, 0, 0, 123_999, tzinfo=UTC)
    assert Instant().serialize("at", {"at": at}) == "2027-03-01T09:00:00.123Z"


# -- ETags -----------------------------------------------------------------------------------------------------------


def test_a_state_one_already_has_is_304(ask: Ask) -> None:
    etag = ask("GET", "/v1/me").headers["ETag"]
    for given in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = ask("GET", "/v1/me", headers={"If-None-Match": given})
        assert (answer.status_code, answer.data) == (304, b""), given
        assert answer.headers["ETag"] == etag
        assert answer.headers["Request-Id"]
    assert ask("GET", "/v1/me", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("stale", ['"other"', "W/{etag}", "other", '"a", "b"'])
def test_a_change_needs_the_present_state(ask: Ask, stale: str) -> None:
    etag = ask("GET", "/v1/me").headers["ETag"]
    answer = ask(
        "PATCH", "/v1/me", json={"name": "Olga O"}, headers={"If-Match": stale.replace("{etag}", etag)}
    )
    assert (answer.status_code, slug(answer)) == (412, "precondition-failed")


@pytest.mark.parametrize("fresh", ["{etag}", '"other", {etag}', "*"])
def test_a_change_on_the_present_state_goes_through(ask: Ask, fresh: str) -> None:
    etag = ask("GET", "/v1/me").headers["ETag"]
    answer = ask(
        "PATCH", "/v1/me", json={"name": "Olga O"}, headers={"If-Match": fresh.replace("{etag}", etag)}
    )
    assert answer.status_code == 200
    assert answer.headers["ETag"] == ask("GET", "/v1/me").headers["ETag"] != etag


# -- pages -----------------------------------------------------------------------------------------------------------


def test_rows_that_come_later_disturb_no_page(ask: Ask) -> None:
    made = [
        ask("POST", "/v1/communities", json={**CIRCLE, "name": f"C{n}"}).get_json()["id"] for n in range(5)
    ]
    first = ask("GET", "/v1/communities?limit=2").get_json()
    ask("POST", "/v1/communities", json=CIRCLE)
    second = ask("GET", f"/v1/communities?limit=2&cursor={first['next_cursor']}").get_json()
    third = ask("GET", f"/v1/communities?limit=2&cursor={second['next_cursor']}").get_json()
    seen = [one["id"] for page in (first, second, third) for one in page["items"]]
    assert seen == made[::-1]
    assert third["next_cursor"] is None


def test_a_cursor_with_one_letter_changed_is_refused_or_a_cursor_still(ask: Ask) -> None:
    for n in range(3):
        ask("POST", "/v1/communities", json={**CIRCLE, "name": f"C{n}"})
    cursor = ask("GET", "/v1/communities?limit=2").get_json()["next_cursor"]
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        assert ask("GET", f"/v1/communities?cursor={changed}").status_code in (200, 422)


# -- open pages ------------------------------------------------------------------------------------------------------


def test_the_docs_page_fetches_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    links = re.findall(r'(?:src|href)="([^"]*)"', page.get_data(as_text=True))
    assert links
    for link in links:
        assert link.startswith("/"), link
        assert client.get(link).status_code == 200


def test_the_contract_is_served_as_it_stands(client: FlaskClient) -> None:
    answer = client.get("/openapi.yaml")
    assert answer.mimetype == "application/yaml"
    assert answer.get_data(as_text=True).startswith("openapi: 3.1.0\n")


def test_every_problem_has_its_page(client: FlaskClient) -> None:
    from app.kit.errors import BY_SLUG

    for one in BY_SLUG:
        assert client.get(f"/problems/{one}").status_code == 200


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ("Car taken", "Nothing has happened.", "The same request will be refused again.")),
        ("nl", ("Auto al bezet", "Er is niets gebeurd.")),
        ("es", ("Coche ya ocupado", "No ha pasado nada.")),
    ],
)
def test_a_problem_page_speaks_its_readers_language(
    client: FlaskClient, language: str, said: list[str]
) -> None:
    page = client.get("/problems/car-taken", headers={"Accept-Language": language}).get_data(as_text=True)
    assert f'<html lang="{language}">' in page
    assert "409" in page
    assert all(one in page for one in said)


@pytest.mark.parametrize(
    ("language", "said"), [("en", "Back to the app"), ("it-CH", "Torna all\u2019app"), ("pt", "Voltar à app")]
)
def test_the_way_back_from_the_payment_provider_is_worded_too(
    client: FlaskClient, language: str, said: str
) -> None:
    page = client.get("/payouts/done", headers={"Accept-Language": language})
    assert said in page.get_data(as_text=True)


def test_an_invitation_page_shows_no_markup_of_its_caller(client: FlaskClient) -> None:
    page = client.get("/i/<script>alert(1)<%2Fscript>")
    assert b"<script>" not in page.data


def test_a_name_of_another_language_is_answered_in_it(ask: Ask) -> None:
    answer = ask("GET", "/v1/cars/car_" + "0" * 32, headers={"Accept-Language": "fr"})
    assert answer.get_json()["title"] != ask("GET", "/v1/cars/car_" + "0" * 32).get_json()["title"]


def test_what_is_unavailable_says_when_to_ask_again(ask: Ask) -> None:
    """Without a payments door no card can be saved."""
    answer = ask("POST", "/v1/me/cards", headers={"Idempotency-Key": uuid.uuid4().hex})
    assert (answer.status_code, slug(answer)) == (503, "unavailable")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60

"""Charge requests over HTTP: who sees and does what, as the contract has it."""

import io
import uuid
from typing import Any

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import select

from app.facts import HandOverLetterRead
from app.kit.clock import z
from app.kit.db import session
from app.kit.facts import FactRow
from app.operator import act
from app.people.models import Person
from tests import factories
from tests.claims.hearing import Hearing
from tests.kit.asking import session_of, slug
from tests.kit.camera import picture
from tests.rentals.album import build

SIDES = {"olga": "white", "max": "black"}


class Table:
    """Olga, Max, Charlie and an operator at the API."""

    def __init__(self, http: FlaskClient, hearing: Hearing) -> None:
        self.http, self.rental = http, hearing.scene.rental_id
        self.body = {**hearing.body(), "occurred_at": z(hearing.body()["occurred_at"])}
        opal = session.get_one(Person, hearing.opal)
        secret = act.make_operator(opal.email, by=act.COMMAND_LINE, reason="tests")
        people = {
            "olga": hearing.olga,
            "max": hearing.max,
            "charlie": factories.person("Charlie Stranger").id,
        }
        self.headers = {
            name: session_of(session.get_one(Person, one)).headers for name, one in people.items()
        }
        self.headers["opal"] = session_of(opal, pyotp.TOTP(secret).now()).headers
        session.rollback()

    def call(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        session.rollback()
        return self.http.open(
            f"/v1{path}", method=method, json=body, headers={**self.headers[who], **headers}
        )

    def asked(self) -> Any:
        answer = self.call("olga", "POST", f"/rentals/{self.rental}/charge-requests", self.body)
        assert answer.status_code == 201, answer.text
        assert answer.headers["Location"] == f"/v1/charge-requests/{answer.json['id']}"
        return answer.json


@pytest.fixture
def table(app: Flask, hearing: Hearing) -> Table:
    return Table(app.test_client(), hearing)


def test_both_sides_read_it_alike_but_for_their_steps_and_nobody_else(table: Table) -> None:
    made = table.asked()
    own = f"/charge-requests/{made['id']}"
    mine, hers = (table.call(who, "GET", own) for who in ("max", "olga"))
    assert mine.headers["ETag"]
    assert {**mine.json, "links": None} == {**hers.json, "links": None} == {**made, "links": None}
    assert table.call("charlie", "GET", own).status_code == 404
    listed = f"/rentals/{table.rental}/charge-requests"
    assert [one["id"] for one in table.call("max", "GET", listed).json["items"]] == [made["id"]]
    assert table.call("charlie", "GET", listed).status_code == 404


def test_a_repeat_with_the_same_key_asks_once(table: Table) -> None:
    path, key = f"/rentals/{table.rental}/charge-requests", uuid.uuid4().hex
    first, again = (
        table.call("olga", "POST", path, table.body, **{"Idempotency-Key": key}) for _ in range(2)
    )
    assert first.json["id"] == again.json["id"]
    assert len(table.call("olga", "GET", path).json["items"]) == 1


def test_contested_decided_and_appealed_by_the_routes_of_the_contract(table: Table) -> None:
    own = f"/charge-requests/{table.asked()['id']}"
    said = table.call("max", "POST", f"{own}/answer", {"accept": False, "text": "It was there.\nLook."})
    assert (said.status_code, said.json["state"]) == (200, "contested")
    assert said.json["answer"]["text"] == "It was there.\nLook."
    waiting = table.call("opal", "GET", f"/operator/charge-requests?state=contested&rental={table.rental}")
    assert [one["id"] for one in waiting.json["items"]] == [said.json["id"]]
    decision = {"amount": {"amount": 4000, "currency": "EUR"}, "reason": "Half of it."}
    decided = table.call("opal", "POST", f"/operator{own}/decide", decision)
    assert (decided.status_code, decided.json["state"]) == (200, "decided")
    seen = table.call("olga", "GET", own).json
    assert (seen["decision"]["amount"]["amount"], seen["decision"]["reason"]) == (4000, "Half of it.")
    assert set(seen["links"]) == {"self", "appeal", "withdraw"}
    appealed = table.call("max", "POST", f"{own}/appeal", {})
    assert (appealed.json["state"], appealed.json["appeal"]["by"]) == ("appealed", "driver")
    assert slug(table.call("opal", "POST", f"/operator{own}/decide", decision)) == "not-allowed"
    assert table.call("olga", "POST", f"{own}/withdraw").json["state"] == "withdrawn"


def test_photos_of_both_sides_are_shown_to_both_and_to_who_decides(
    app: Flask, table: Table, hearing: Hearing
) -> None:
    album = build(app, hearing.scene)
    hers, his = (album.added(who, "damage", "left", picture(colour=who_is)) for who, who_is in SIDES.items())
    table.body["photos"] = [hers["id"]]
    made = table.asked()
    own = f"/charge-requests/{made['id']}"
    assert made["photos"] == [hers["id"]]
    body = {"accept": False, "text": "It was there.", "photos": [his["id"]]}
    assert table.call("max", "POST", f"{own}/answer", body).json["answer"]["photos"] == [his["id"]]
    for who in ("max", "olga"):
        seen = table.call(who, "GET", own).json
        assert (seen["photos"], seen["answer"]["photos"]) == ([hers["id"]], [his["id"]])
    waiting = table.call("opal", "GET", f"/operator/charge-requests?state=contested&rental={table.rental}")
    assert [one["photos"] for one in waiting.json["items"]] == [[hers["id"]]]
    looked = table.call("opal", "GET", f"/operator/photos/{his['id']}/file")
    assert (looked.status_code, looked.content_type) == (200, "image/jpeg")


def test_a_step_that_is_not_possible_names_those_that_are(table: Table) -> None:
    own = f"/charge-requests/{table.asked()['id']}"
    refused = table.call("max", "POST", f"{own}/appeal", {})
    assert slug(refused) == "step-not-allowed"
    assert (refused.json["state"], refused.json["steps"]) == ("open", ["accept", "contest"])


def test_people_decide_nothing(table: Table) -> None:
    own = f"/operator/charge-requests/{table.asked()['id']}/decide"
    decision = {"amount": {"amount": 4000, "currency": "EUR"}, "reason": "Mine."}
    for who in ("olga", "max"):
        assert slug(table.call(who, "POST", own, decision)) == "not-allowed"


def test_the_letter_is_json_or_a_text_in_the_readers_language(table: Table) -> None:
    path = f"/rentals/{table.rental}/hand-over-letter?at={table.body['occurred_at']}"
    found = table.call("olga", "GET", path)
    assert (found.status_code, found.json["driver"]["name"]) == (200, "Max Member")
    text = table.call("olga", "GET", path, Accept="text/plain", **{"Accept-Language": "fr"})
    assert text.content_type.startswith("text/plain")
    assert "La personne au volant" in text.text
    assert slug(table.call("max", "GET", path)) == "not-allowed"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-GB", ("Who had the vehicle", "To whom it may concern,")),
        ("fr", ("Qui avait le véhicule", "La personne au volant était")),
        ("de-CH", ("Wer am", "nicht bei mir")),
        ("nl", ("Wie het voertuig", "De bestuurder was")),
        ("it", ("Chi aveva il veicolo", "Alla guida era")),
        ("es", ("Quién tenía el vehículo", "Conducía")),
        ("pt", ("Quem tinha o veículo", "Quem conduzia era")),
    ],
)
def test_on_paper_the_letter_reads_in_the_readers_language(
    table: Table, language: str, said: tuple[str, ...]
) -> None:
    path = f"/rentals/{table.rental}/hand-over-letter?at={table.body['occurred_at']}"
    answer = table.call("olga", "GET", path, Accept="application/pdf", **{"Accept-Language": language})
    assert (answer.status_code, answer.content_type) == (200, "application/pdf")
    assert answer.headers["Content-Disposition"].endswith(f'filename="hand-over-letter-{table.rental}.pdf"')
    (page,) = PdfReader(io.BytesIO(answer.data)).pages
    seen = " ".join(page.extract_text().replace("\u00a0", " ").split())
    for part in (*said, "Max Member", "Olga Owner"):
        assert part in seen, seen
    spoken = table.call("olga", "GET", path, Accept="text/plain", **{"Accept-Language": language}).text
    assert said[0] in spoken


def test_each_reading_on_paper_is_told_to_the_driver_too(table: Table) -> None:
    path = f"/rentals/{table.rental}/hand-over-letter?at={table.body['occurred_at']}"
    table.call("olga", "GET", path, Accept="application/pdf")
    rows = session.scalars(select(FactRow).where(FactRow.kind == HandOverLetterRead.kind))
    assert [row.data["rental"] for row in rows].count(table.rental) == 1

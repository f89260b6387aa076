"""Erasing an account over HTTP: nobody can tell any more who it was, but who must, while they must."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.account import forget
from app.claims import hand_over_letter
from app.communities import invite
from app.communities.models import Invitation
from app.coverage import log_export, log_head
from app.coverage.models import Cover
from app.kit import clock
from app.kit.clock import z
from app.kit.db import session
from app.kit.errors import NotFound
from app.kit.facts import FactRow
from app.operator import hold
from app.people import identity
from app.people.models import Person
from app.rentals.models import Rental
from insurance import verify_log
from tests import factories as people
from tests.coverage import factories
from tests.coverage.factories import bearer, seal, signed_in
from tests.rentals.garage import Garage, build, end_with_signal, start_with_signal

YEAR = timedelta(days=367)


def erase(http: Any, person: Person, status: int = 204) -> Any:
    answer = http.delete("/v1/me", headers=signed_in(person))
    assert answer.status_code == status, answer.text
    session.rollback()
    return answer.json


@pytest.fixture
def driven(app: Flask) -> Garage:
    """Max has driven Olga's car and brought it back."""
    garage = build(2)
    start_with_signal(garage)
    clock.forward(timedelta(hours=1))
    end_with_signal(garage)
    return garage


def test_an_erased_account_says_nothing_and_its_address_is_free(http: Any, app: Flask) -> None:
    person = people.person("Max Driver")
    email, name = person.email, person.name
    headers = signed_in(person)
    erase(http, person)
    row = session.get_one(Person, person.id)
    assert (row.name, row.email, row.address, row.birth_date) == ("", "", None, None)
    assert http.get("/v1/me", headers=headers).status_code == 401
    found = session.execute(
        text("select count(*) from people where email_key = lower(:email)"), {"email": email}
    )
    assert found.scalar_one() == 0
    for table in ("people", "licences", "email_codes", "phones", "messages"):
        rows = session.execute(text(f"select t::text from {table} t")).scalars().all()  # noqa: S608
        assert not any(name in one or email in one for one in rows), table


def test_an_invitation_to_their_address_names_nobody_and_opens_nothing(http: Any, app: Flask) -> None:
    circle = factories.circle()
    person = people.person("Nora Neighbour")
    body = {"email": person.email, "role": "driver", "fare": "free", "uses": 1}
    made = invite.invite(circle.olga.id, circle.community, body)
    erase(http, person)
    row = session.get_one(Invitation, made.id)
    assert (row.email, row.revoked_at is not None) == (None, True)


def test_while_something_is_open_nothing_is_erased_and_all_of_it_is_named(http: Any, app: Flask) -> None:
    garage = build(2)
    answer = erase(http, garage.scene.max, 409)
    assert answer["type"] == "/problems/in-use"
    assert answer["by"] == [f"rental {garage.scene.rental_id}"]
    answer = erase(http, garage.scene.olga, 409)
    assert f"car {garage.scene.car_id}" in answer["by"]
    assert session.get_one(Person, garage.scene.max.id).erased_at is None


def test_who_alone_owns_a_community_finds_another_owner_first(http: Any, app: Flask) -> None:
    garage = build(2)
    session.execute(
        text("update cars set removed_at = now() where owner_id = :p"),
        {"p": garage.scene.olga.id.split("_")[1]},
    )
    session.commit()
    assert erase(http, garage.scene.olga, 409)["type"] == "/problems/last-owner"


def test_cover_and_rental_stay_under_an_id_and_the_log_still_verifies(http: Any, driven: Garage) -> None:
    before = session.scalars(select(Cover).where(Cover.rental_id == driven.scene.rental_id)).one()
    reference, span = before.driver_ref, (before.from_at, before.to_at)
    seal()
    log_head.sign_log_head()
    signed = "select signed from log_heads order by number desc limit 1"
    kept: str = session.execute(text(signed)).scalar_one()
    erase(http, driven.scene.max)
    seal()
    after = session.scalars(select(Cover).where(Cover.rental_id == driven.scene.rental_id)).one()
    assert (after.driver_ref, (after.from_at, after.to_at)) == (reference, span)
    assert session.get_one(Rental, driven.scene.rental_id).driver_id == driven.scene.max.id
    lines = log_export.lines(verify_log.claims_of(kept)["last"])
    assert verify_log.verify(lines, since=kept)[0] == []


def test_for_a_year_a_fine_still_finds_who_drove_and_then_nobody_does(http: Any, driven: Garage) -> None:
    scene, name = driven.scene, driven.scene.max.name
    at = session.get_one(Rental, scene.rental_id).started_at
    olga, rental = scene.olga.id, scene.rental_id
    erase(http, scene.max)
    assert hand_over_letter.hand_over_letter(olga, rental, at)["driver"]["name"] == name
    clock.forward(YEAR)
    forget.forget()
    assert identity.of(scene.max.id) is None
    assert session.get_one(Person, scene.max.id).kept_sealed is None


def test_what_is_kept_is_sealed(http: Any, driven: Garage) -> None:
    name = driven.scene.max.name
    erase(http, driven.scene.max)
    kept = session.get_one(Person, driven.scene.max.id).kept_sealed
    assert kept is not None
    assert name.encode() not in kept


def test_a_legal_hold_keeps_it_until_it_is_lifted(http: Any, driven: Garage) -> None:
    person, name = driven.scene.max.id, driven.scene.max.name
    hold.place(person, by="test", reason="a court asked")
    erase(http, driven.scene.max)
    clock.forward(2 * YEAR)
    forget.forget()
    assert hold.look(person, by="test", reason="the court's letter")["name"] == name
    hold.lift(person, by="test", reason="closed")
    forget.forget()
    with pytest.raises(NotFound):
        hold.look(person, by="test", reason="again")


def test_an_insurers_open_claim_keeps_it_too(http: Any, driven: Garage) -> None:
    cover = session.scalars(select(Cover).where(Cover.rental_id == driven.scene.rental_id)).one()
    headers = bearer(
        http, factories.client(cover.insurer_id, "claims:write", "coverage:read", "drivers:read")
    )
    body = {"cover": cover.id, "occurred_at": z(cover.from_at), "reference": "S-1", "text": "A scratch."}
    assert http.post("/v1/insurer/claims", json=body, headers=headers).status_code == 201
    person, name = driven.scene.max.id, driven.scene.max.name
    session.rollback()
    erase(http, driven.scene.max)
    clock.forward(2 * YEAR)
    forget.forget()
    found = identity.of(person)
    assert found is not None
    assert found.name == name


def test_an_insurer_that_is_told_a_name_is_written_down_before(http: Any, driven: Garage) -> None:
    seal()
    cover = session.scalars(select(Cover).where(Cover.rental_id == driven.scene.rental_id)).one()
    client = factories.client(cover.insurer_id, "coverage:read", "drivers:read")
    headers = bearer(http, client)
    query = {"vin": cover.car["vin"], "at": z(cover.from_at)}
    answer = http.get("/v1/insurer/coverage", headers=headers, query_string=query).json
    assert answer["driver"]["name"] == driven.scene.max.name
    session.rollback()
    told = session.scalars(
        select(FactRow).where(FactRow.kind == "IdentityShown").order_by(FactRow.seq.desc())
    ).first()
    assert told is not None
    assert told.data == {"person": driven.scene.max.id, "cover": cover.id, "client": client[0].id}
    exported = http.get("/v1/me/export", headers=signed_in(driven.scene.max)).json
    assert [one["cover"] for one in exported["shown_to_insurers"]] == [cover.id]


def test_the_export_has_what_is_kept_and_no_secrets(http: Any, driven: Garage) -> None:
    found = http.get("/v1/me/export", headers=signed_in(driven.scene.max))
    assert found.status_code == 200
    assert found.json["account"][0]["email"] == driven.scene.max.email
    assert [one["rental"] for one in found.json["rentals"]] == [driven.scene.rental_id]
    assert found.json["covers"][0]["rental"] == driven.scene.rental_id
    assert found.json["messages"] == [] or "kind" in found.json["messages"][0]
    for word in ("password", "sealed", "secret", "hash", "totp"):
        assert word not in found.text, word

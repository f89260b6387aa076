"""What runs the place, over HTTP."""

import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.demo import POLICY
from app.facts import LicenceRefused, PersonRestored, PersonSuspended
from app.kit.db import session
from app.kit.jobs import keep_failed
from app.kit.routes import RULES
from app.people import licence
from app.sealer import seal
from tests import factories
from tests.operator.operators_desk import Desk

WHY = {"reason": "a test asks for it"}


def slug(answer: TestResponse) -> str:
    return str((answer.json or {}).get("type", "")).removeprefix("/problems/")


def recorded(name: str = "Max Member") -> str:
    person = factories.person(name).id
    body = {
        "number": "12AB34567",
        "country": "FR",
        "classes": ["B"],
        "birth_date": date(1990, 4, 2),
        "issued_on": date(2010, 5, 1),
        "expires_on": date(2090, 5, 1),
    }
    licence.record(person, body)
    return person


def facts_of(kind: str, person: str) -> int:
    found: int = session.execute(
        text("select count(*) from facts where kind = :kind and data ->> 'person' = :person"),
        {"kind": kind, "person": person},
    ).scalar_one()
    return found


# -- who -------------------------------------------------------------------------------------------------------------


def test_an_operator_without_a_totp_code_is_not_let_in(op: Desk) -> None:
    assert slug(op.sign_in(None)) == "credentials-wrong"


def test_a_wrong_totp_code_is_refused(op: Desk) -> None:
    wrong = f"{(int(op.code()) + 1) % 10**6:06d}"
    assert slug(op.sign_in(wrong)) == "credentials-wrong"


def test_each_totp_step_works_once(op: Desk) -> None:
    session.execute(text("update people set totp_last_step = null where email = :e"), {"e": op.person.email})
    session.commit()
    code = op.code()
    assert op.sign_in(code).status_code == 201
    assert slug(op.sign_in(code)) == "credentials-wrong"


@pytest.mark.parametrize(
    "path", ["/people?email=x@example.org", "/licences", "/payments", "/covers", "/jobs", "/access-log"]
)
def test_nobody_else_reads_here(stranger: Desk, path: str) -> None:
    answer = stranger.call("GET", path)
    assert (answer.status_code, slug(answer)) == (403, "not-allowed")


def test_nobody_else_changes_anything_here(stranger: Desk) -> None:
    answer = stranger.call("POST", f"/people/{stranger.person.id}/suspend", WHY)
    assert (answer.status_code, slug(answer)) == (403, "not-allowed")


def test_unsigned_calls_are_401(app: Flask) -> None:
    assert app.test_client().get("/v1/operator/jobs").status_code == 401


def test_reading_and_changing_need_a_password_given_within_ten_minutes(op: Desk) -> None:
    session.execute(
        text("update sessions set password_at = now() - interval '11 min' where person_id = :p"),
        {"p": uuid.UUID(op.person.id.removeprefix("per_"))},
    )
    session.commit()
    answer = op.call("POST", "/keys/rotate", {"purpose": "partners", **WHY})
    assert (answer.status_code, slug(answer)) == (403, "password-needed")
    assert slug(op.call("GET", "/jobs")) == "password-needed"
    named = {"Authorization": f"Bearer {op.token}"}
    given = op.http.post(
        "/v1/sessions/current/confirm", json={"password": "correct horse battery"}, headers=named
    )
    assert given.status_code == 204
    assert op.call("POST", "/keys/rotate", {"purpose": "partners", **WHY}).status_code == 200


def test_every_route_is_for_operators_with_a_fresh_password(op: Desk) -> None:
    rules = {
        rule.rule: RULES[rule.endpoint]
        for rule in op.http.application.url_map.iter_rules()
        if rule.rule.startswith("/v1/operator")
    }
    assert len(rules) > 15
    for rule in op.http.application.url_map.iter_rules():
        if rule.rule.startswith("/v1/operator"):
            assert RULES[rule.endpoint].fresh_password, rule


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "   "}])
def test_a_change_without_a_reason_is_422(op: Desk, body: dict[str, str]) -> None:
    answer = op.call("POST", f"/people/{op.person.id}/suspend", body)
    assert (answer.status_code, slug(answer)) == (422, "validation")


# -- people and licences ---------------------------------------------------------------------------------------------


def test_an_account_is_found_by_its_whole_address(op: Desk) -> None:
    olga = factories.person()
    assert [one["id"] for one in op.get(f"/people?email={olga.email}")["items"]] == [olga.id]
    assert op.get("/people?email=nobody@example.org")["items"] == []


def test_a_recorded_licence_waits_until_an_operator_clears_it(op: Desk) -> None:
    person = recorded()
    assert person in {one["person"] for one in op.get("/licences?limit=100")["items"]}
    shown = op.call("POST", f"/licences/{person}/clear", WHY).json
    assert shown is not None
    assert (shown["state"], shown["number"]) == ("cleared", "***567")
    assert op.acts()[0] == (op.person.id, "licence clear", person, WHY["reason"])
    assert person not in {one["person"] for one in op.get("/licences?limit=100")["items"]}


def test_a_refused_licence_is_refused_and_its_holder_is_told(op: Desk) -> None:
    person = recorded()
    answer = op.call("POST", f"/licences/{person}/refuse", {"reason": "the photo is another's"})
    assert (answer.status_code, answer.json["state"]) == (200, "refused")  # type: ignore[index]
    assert facts_of(LicenceRefused.kind, person) == 1


def test_a_suspended_person_is_out_at_once_and_back_when_restored(op: Desk, stranger: Desk) -> None:
    assert op.call("POST", f"/people/{stranger.person.id}/suspend", WHY).json["suspended_at"]  # type: ignore[index]
    me = stranger.http.get("/v1/me", headers={"Authorization": f"Bearer {stranger.token}"})
    assert slug(me) == "session-revoked"
    assert slug(stranger.sign_in(None)) == "credentials-wrong"
    assert op.call("POST", f"/people/{stranger.person.id}/restore", WHY).json["suspended_at"] is None  # type: ignore[index]
    assert stranger.sign_in(None).status_code == 201
    assert (
        facts_of(PersonSuspended.kind, stranger.person.id)
        == facts_of(PersonRestored.kind, stranger.person.id)
        == 1
    )


def test_suspending_twice_is_told_and_logged_once(op: Desk, stranger: Desk) -> None:
    for _ in range(2):
        assert op.call("POST", f"/people/{stranger.person.id}/suspend", WHY).status_code == 200
    assert facts_of(PersonSuspended.kind, stranger.person.id) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/people/per_{0}/suspend",
        "/licences/per_{0}/clear",
        "/cars/car_{0}/safe",
        "/rentals/ren_{0}/close",
        "/payments/pay_{0}/retry",
    ],
)
def test_what_does_not_exist_is_404(op: Desk, path: str) -> None:
    body = {**WHY, "safe": True} if "/cars/" in path else WHY
    answer = op.call("POST", path.format(uuid.uuid4().hex), body, Idempotency_Key=uuid.uuid4().hex)
    assert (answer.status_code, slug(answer)) == (404, "not-found")


# -- cars, money, rentals, keys --------------------------------------------------------------------------------------


def test_a_car_is_barred_and_let_again(op: Desk) -> None:
    car = factories.car(factories.person())
    assert op.call("POST", f"/cars/{car.id}/safe", {"safe": False, **WHY}).json == {
        "car": car.id,
        "safe": False,
    }
    assert op.acts()[0][1] == "car unsafe"
    assert op.call("POST", f"/cars/{car.id}/safe", {"safe": True, **WHY}).json == {
        "car": car.id,
        "safe": True,
    }


@pytest.mark.parametrize("path", ["/payments/pay_{0}/retry", "/rentals/ren_{0}/close"])
def test_money_and_closing_need_an_idempotency_key(op: Desk, path: str) -> None:
    answer = op.call("POST", path.format(uuid.uuid4().hex), WHY)
    assert (answer.status_code, slug(answer)) == (400, "idempotency-key-missing")


def test_what_the_old_key_signed_still_verifies_after_a_rotation(op: Desk) -> None:
    answer = op.call("POST", "/keys/rotate", {"purpose": "people", **WHY})
    assert answer.status_code == 200
    assert op.call("GET", "/jobs").status_code == 200


# -- what is to be looked at -----------------------------------------------------------------------------------------


def test_failed_jobs_are_listed_newest_first_page_by_page(op: Desk) -> None:
    first = 10**10 + uuid.uuid4().int % 10**6  # later than any that another test has left
    for number in range(3):
        keep_failed(first + number, "deliver", {"delivery": "dlv"}, "Boom()")
    page = op.get("/jobs?limit=2")
    rest = op.get(f"/jobs?limit=2&cursor={page['next_cursor']}")
    seen = [one["id"] for one in [*page["items"], *rest["items"]]]
    assert seen[:3] == [first + 2, first + 1, first]
    assert page["items"][0]["error"] == "Boom()"


def test_the_audit_log_says_who_did_what_and_why(op: Desk) -> None:
    person = recorded()
    op.call("POST", f"/licences/{person}/clear", {"reason": "seen at the desk"})
    while seal():
        pass
    newest = op.get("/access-log?limit=1")["items"][0]
    assert (newest["operator"], newest["action"], newest["subject"]) == (
        op.person.id,
        "licence clear",
        person,
    )
    assert newest["reason"] == "seen at the desk"
    fact = op.get(f"/facts/{newest['position']}")
    assert (fact["kind"], fact["data"]["subject"], len(fact["chain"])) == ("OperatorActed", person, 64)


@pytest.mark.parametrize("position", ["0", str(10**14), "9" * 40])
def test_a_position_nobody_holds_is_404(op: Desk, position: str) -> None:
    assert op.call("GET", f"/facts/{position}").status_code == 404


@pytest.mark.parametrize("path", ["/payments", "/covers", "/jobs", "/access-log", "/licences", "/insurers"])
def test_a_cursor_of_ones_own_making_is_422(op: Desk, path: str) -> None:
    assert op.call("GET", f"{path}?cursor=bm9wZQ").status_code == 422


def test_who_looked_at_whose_name_and_licence_is_in_the_log(op: Desk) -> None:
    person = recorded()
    op.get("/licences?limit=100")
    assert (op.person.id, "look at licence", person, "reading") in op.acts()
    op.get(f"/people?email={op.person.email}")
    assert op.acts()[0][1:3] == ("look at person", op.person.id)
    op.get("/people?email=nobody.at.all@example.org")
    assert op.acts()[0][1:3] == ("look at person", op.person.id)


def failed_job() -> int:
    """A job that the queue has given up."""
    number: int = session.execute(
        text(
            "insert into procrastinate_jobs (queue_name, task_name, lock, args, status)"
            " values ('facts', 'react', 'one by one', '{\"seq\": 1}', 'failed') returning id"
        )
    ).scalar_one()
    session.commit()
    keep_failed(number, "react", {"seq": 1}, "Boom()")
    return number


def state_of(job: int) -> str:
    found: str = session.execute(
        text("select status::text from procrastinate_jobs where id = :id"), {"id": job}
    ).scalar_one()
    session.rollback()
    return found


def listed(op: Desk, job: int) -> bool:
    return job in [one["id"] for one in op.get("/jobs?limit=100")["items"]]


def test_a_failed_job_is_run_once_more(op: Desk) -> None:
    job = failed_job()
    answer = op.call("POST", f"/jobs/{job}/retry", WHY)
    assert (answer.status_code, answer.json["id"]) == (200, job)  # type: ignore[index]
    assert state_of(job) == "todo"
    assert not listed(op, job)
    assert op.acts()[0] == (op.person.id, "job retry", f"react {job}", WHY["reason"])
    assert op.call("POST", f"/jobs/{job}/retry", WHY).status_code == 404


def test_a_failed_job_that_the_queue_has_lost_is_deferred_anew(op: Desk) -> None:
    lost, delivery = 10**9 + uuid.uuid4().int % 10**6, f"dlv_{uuid.uuid4().hex}"
    keep_failed(lost, "deliver", {"delivery": delivery}, "Boom()")
    assert op.call("POST", f"/jobs/{lost}/retry", WHY).status_code == 200
    waiting = session.execute(
        text("select count(*) from procrastinate_jobs where args ->> 'delivery' = :d and status = 'todo'"),
        {"d": delivery},
    ).scalar_one()
    assert waiting == 1


def test_a_failed_job_is_dismissed(op: Desk) -> None:
    job = failed_job()
    assert op.call("POST", f"/jobs/{job}/dismiss", WHY).status_code == 200
    assert (state_of(job), listed(op, job)) == ("failed", False)
    assert op.acts()[0][1] == "job dismiss"
    assert op.call("POST", f"/jobs/{9 * 10**30}/dismiss", WHY).status_code == 404


# -- insurers --------------------------------------------------------------------------------------------------------


def insurer(op: Desk) -> str:
    made = op.call("POST", "/insurers", {"name": f"Exemple {uuid.uuid4().hex[:8]}", **WHY})
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == f"/v1/operator/insurers/{made.json['id']}"  # type: ignore[index]
    return str(made.json["id"])  # type: ignore[index]


def token(http: FlaskClient, client: Any, secret: str) -> TestResponse:
    form = {"grant_type": "client_credentials", "client_id": client["id"], "client_secret": secret}
    return http.post("/oauth/token", data=form)


def test_a_client_gets_its_secret_once_rotates_it_and_is_removed(op: Desk) -> None:
    body = {"label": "claims desk", "scopes": ["coverage:read"], **WHY}
    path, key = f"/insurers/{insurer(op)}/clients", uuid.uuid4().hex
    made = op.call("POST", path, body, Idempotency_Key=key).json
    assert made is not None
    again = op.call("POST", path, body, Idempotency_Key=key).json
    assert again is not None
    assert (again["id"], again["client_secret"]) == (made["id"], None)
    assert token(op.http, made, made["client_secret"]).status_code == 200
    rotated = op.call("POST", f"{path}/{made['id']}/rotate", WHY).json
    assert rotated is not None
    assert token(op.http, made, made["client_secret"]).status_code == 401
    assert token(op.http, made, rotated["client_secret"]).status_code == 200
    assert [one["client_secret"] for one in op.get(path)["items"]] == [None]
    assert op.call("DELETE", f"{path}/{made['id']}", Reason="over").status_code == 204
    assert token(op.http, made, rotated["client_secret"]).status_code == 401
    assert op.get(path)["items"] == []


KEY_OF_THEIRS = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def test_a_client_with_keys_of_its_own_is_given_no_secret(op: Desk) -> None:
    body = {"label": "claims", "scopes": ["coverage:read"], "public_keys": [KEY_OF_THEIRS], **WHY}
    path = f"/insurers/{insurer(op)}/clients"
    made = op.call("POST", path, body).json
    assert made is not None
    assert (made["has_keys"], made["client_secret"]) == (True, None)
    answer = op.call("POST", f"{path}/{made['id']}/rotate", WHY)
    assert (answer.status_code, slug(answer)) == (409, "step-not-allowed")


def test_a_client_of_another_insurer_is_404(op: Desk) -> None:
    mine, other = insurer(op), insurer(op)
    body = {"label": "x", "scopes": ["coverage:read"], **WHY}
    made = op.call("POST", f"/insurers/{mine}/clients", body).json
    assert made is not None
    assert op.call("POST", f"/insurers/{other}/clients/{made['id']}/rotate", WHY).status_code == 404
    assert op.call("DELETE", f"/insurers/{other}/clients/{made['id']}", Reason="x").status_code == 404


def test_an_insurer_goes_only_while_nothing_was_made_for_it(op: Desk) -> None:
    unused, used = insurer(op), insurer(op)
    op.call("POST", f"/insurers/{used}/clients", {"label": "x", "scopes": ["coverage:read"], **WHY})
    assert op.call("DELETE", f"/insurers/{unused}", Reason="caf%C3%A9: a mistake").status_code == 204
    assert op.call("DELETE", f"/insurers/{unused}", Reason="again").status_code == 404
    kept = op.call("DELETE", f"/insurers/{used}", Reason="a mistake")
    assert (kept.status_code, slug(kept)) == (409, "in-use")
    assert op.call("DELETE", f"/insurers/{used}").status_code == 422
    assert op.call("DELETE", f"/insurers/{used}?reason=in+the+path").status_code == 422
    assert op.acts()[0][1:] == ("insurer remove", unused, "café: a mistake")


def test_the_name_of_an_insurer_is_taken_once(op: Desk) -> None:
    name = op.get("/insurers?limit=1")["items"] or [{"name": "x"}]
    if name[0]["name"] == "x":
        insurer(op)
        name = op.get("/insurers?limit=1")["items"]
    assert slug(op.call("POST", "/insurers", {"name": name[0]["name"], **WHY})) == "already-exists"


# -- master policies -------------------------------------------------------------------------------------------------


def policy(op: Desk, **values: Any) -> dict[str, Any]:
    terms = {
        **POLICY,
        "number": f"FR-{uuid.uuid4().hex[:8]}",
        "countries": ["PT"],
        "territory": ["PT"],
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_to": "2090-01-01T00:00:00Z",
    }
    return {"insurer": insurer(op), "policy": terms, "active": True, **WHY, **values}


def test_a_master_policy_is_put_in_force_and_out_of_it_and_never_changes(op: Desk) -> None:
    path, body = f"/master-policies/pol_{uuid.uuid4().hex}", policy(op)
    answer = op.call("PUT", path, body)
    assert answer.status_code == 200, answer.text
    put = answer.json
    assert put is not None
    assert [one["country"] for one in put["in_force"]] == ["PT"]
    assert op.call("PUT", path, body).json == put
    changed = op.call("PUT", path, {**body, "policy": {**body["policy"], "min_driver_age": 30}})
    assert slug(changed) == "already-exists"
    out = op.call("PUT", path, {**body, "active": False}).json
    assert out is not None
    assert out["in_force"] == []
    assert op.get(path)["policy"] == body["policy"]
    assert [one[1] for one in op.acts()[:3]] == ["policy retire", "policy activate", "policy add"]


def test_every_mistake_in_a_policy_is_named_with_its_place(op: Desk) -> None:
    body = policy(op)
    body["policy"] = {**body["policy"], "min_driver_age": "old", "countries": []}
    answer = op.call("PUT", f"/master-policies/pol_{uuid.uuid4().hex}", body)
    assert answer.status_code == 422
    pointers = {one["pointer"] for one in answer.json["errors"]}  # type: ignore[index]
    assert {"/policy/min_driver_age", "/policy/countries"} <= pointers


def test_a_policy_nobody_put_is_404(op: Desk) -> None:
    assert op.call("GET", f"/master-policies/pol_{uuid.uuid4().hex}").status_code == 404


def test_times_are_answered_in_utc(op: Desk) -> None:
    made = op.get(f"/people?email={op.person.email}")["items"][0]["made_at"]
    assert datetime.fromisoformat(made).tzinfo == UTC

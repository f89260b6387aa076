"""Guards of the routes: each says who may call it, and lets nobody else in; what is open is open for a reason."""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from flask import Flask
from sqlalchemy import text

from app.coverage import partners
from app.kit import auth
from app.kit.auth import Who
from app.kit.db import release, session
from app.kit.routes import RULES, Rule
from app.operator import act, act_on_insurer
from tests import factories
from tests.kit.asking import session_of

OPEN = {
    "certificates.grant_token": "a client proves itself in the request",
    "certificates.read_jwks": "public keys",
    "certificates.verify_certificate": "whoever is shown a certificate may check it; no names",
    "coverage.read_certificate": "whoever is shown a certificate may check it; no names",
    "communities.preview_invitation": "who holds the code may look before making an account; limited",
    "feeds.read_feed": "a calendar program knows nothing but the secret address; limited",
    "rentals.upload_box_records": "each record is signed by the box whose it is; the answer opens nothing",
    "people.ask_email_code": "one is not signed in yet; answers alike, known or not; limited",
    "people.confirm_person": "proves itself by the mailed code; limited",
    "people.refresh_session": "proves itself by the refresh token",
    "people.register_person": "one has no account yet; answers alike, known or not; limited",
    "people.reset_password": "proves itself by the mailed code; limited",
    "people.sign_in_person": "gives the password; limited",
}
SIGNED = {
    "stripe.receive_stripe": "proves itself by the provider's signature",
    "stripe.receive_stripe_connect": "proves itself by the provider's signature",
}
NOT_IN_THE_CONTRACT = {
    "conditions.read_conditions": "the texts people accept, for everybody to read",
    "desk.page": "the page for an insurer's human; what it shows comes through the API",
    "desk.script": "the page for an insurer's human",
    "desk.style": "the page for an insurer's human",
    "metrics": "for the monitoring inside, by a token of its own",
    "open.android_links": "which links the Android app opens",
    "open.apple_links": "which links the iOS app opens",
    "open.docs_file": "the page that shows the contract",
    "open.docs_page": "the page that shows the contract",
    "open.docs_start": "the page that shows the contract",
    "open.healthz": "the balancer asks",
    "landing.invitation": "an invitation opened without the app",
    "open.openapi_yaml": "the contract itself",
    "open.payouts_link": "where the payment provider sends an owner back to",
    "open.problem_page": "what a problem type means",
    "open.readyz": "the balancer asks",
}


def routes(house: Flask) -> Iterator[tuple[str, Rule, str]]:
    """(endpoint, rule, a path of it) for every route of the contract; ids are well formed and of nothing."""
    for one in house.url_map.iter_rules():
        if one.endpoint in RULES:
            path = re.sub(r'<pid\("([a-z]+)"\):[a-z_]+>', lambda m: f"{m[1]}_{'0' * 32}", one.rule)
            path = re.sub(r"<int[^>]*>", "1", path)
            yield one.endpoint, RULES[one.endpoint], re.sub(r"<[^>]*>", "2027-03", path)


@pytest.fixture(scope="module")
def tokens(house: Flask) -> dict[Who, dict[str, str]]:
    """A token of each kind that is good: Charlie's, who has nothing, a client's with every scope, an operator's."""
    with house.app_context():
        charlie = session_of(factories.person("Charlie Stranger")).headers
        operator = factories.person("Opal Operator")
        secret = act.make_operator(operator.email, by=act.COMMAND_LINE, reason="tests")
        opal = session_of(operator, pyotp.TOTP(secret).now()).headers
        insurer = partners.add_insurer(f"Everything {uuid.uuid4().hex}")
        client, _ = act_on_insurer.add_client(
            insurer.id, label="all", scopes=list(partners.SCOPES), by=act.COMMAND_LINE, reason="tests"
        )
        token = auth.partner_token(
            client.id, insurer.id, frozenset(partners.SCOPES), uuid.uuid4().hex, timedelta(minutes=5)
        )
        release()
    return {Who.PERSON: charlie, Who.PARTNER: {"Authorization": f"Bearer {token}"}, Who.OPERATOR: opal}


def test_every_route_has_a_rule_or_is_open_for_a_reason(house: Flask) -> None:
    bare = {one.endpoint for one in house.url_map.iter_rules()} - set(RULES) - set(NOT_IN_THE_CONTRACT)
    assert bare == set()


def test_open_routes_are_those_on_the_list() -> None:
    found = {name for name, rule in RULES.items() if rule.who is Who.ALL}
    assert found == set(OPEN)
    assert {name for name, rule in RULES.items() if rule.who is Who.SIGNED} == set(SIGNED)


def test_every_partner_route_wants_a_scope() -> None:
    assert [name for name, rule in RULES.items() if rule.who is Who.PARTNER and not rule.scope] == []


def test_a_rule_says_what_its_path_says(house: Flask) -> None:
    for name, rule, path in routes(house):
        assert (rule.who is Who.PARTNER) == path.startswith("/v1/insurer/"), name
        assert (rule.who is Who.OPERATOR) == path.startswith("/v1/operator/"), name


NOBODY = {
    "no token": {},
    "nonsense": {"Authorization": "Bearer nonsense"},
    "another scheme": {"Authorization": "Basic b2xnYTpwYXNzd29yZA=="},
    "an unsigned token": {
        "Authorization": "Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJwZXJfMCJ9."
    },
}


@pytest.mark.parametrize("what", NOBODY)
def test_without_a_valid_token_nothing_answers_but_401(house: Flask, what: str) -> None:
    client = house.test_client()
    for name, rule, path in routes(house):
        if rule.who in (Who.PERSON, Who.PARTNER, Who.OPERATOR):
            answer = client.open(
                path, method=rule.method, headers=NOBODY[what], json={} if rule.has_body else None
            )
            assert answer.status_code == 401, (name, answer.status_code)


OWN = {Who.PERSON: "/v1/me", Who.PARTNER: "/v1/insurer/covers", Who.OPERATOR: "/v1/operator/insurers"}
NOT_OPENED = [
    (Who.PERSON, Who.PARTNER, 401),
    (Who.PERSON, Who.OPERATOR, 403),
    (Who.OPERATOR, Who.PARTNER, 401),
    (Who.PARTNER, Who.PERSON, 401),
    (Who.PARTNER, Who.OPERATOR, 401),
]
"""Whose token, at whose route. An operator is a person too, with the routes of one."""


@pytest.mark.parametrize("kind", OWN)
def test_each_token_opens_a_route_of_its_own_kind(
    house: Flask, tokens: dict[Who, dict[str, str]], kind: Who
) -> None:
    """Else its refusal elsewhere would prove nothing."""
    answer = house.test_client().get(OWN[kind], headers=tokens[kind])
    assert answer.status_code == 200, answer.data
    assert {rule.who for _, rule, path in routes(house) if path == OWN[kind]} == {kind}


@pytest.mark.parametrize(("kind", "other", "status"), NOT_OPENED)
def test_a_token_opens_no_route_of_another_kind(
    house: Flask, tokens: dict[Who, dict[str, str]], kind: Who, other: Who, status: int
) -> None:
    client, tried = house.test_client(), 0
    for name, rule, path in routes(house):
        if rule.who is other:
            headers = {**tokens[kind], "Idempotency-Key": uuid.uuid4().hex, "If-Match": "*"}
            answer = client.open(
                path, method=rule.method, headers=headers, json={} if rule.has_body else None
            )
            assert answer.status_code == status, (name, answer.status_code, answer.data)
            tried += 1
    assert tried > 3


def test_a_stranger_gets_nothing_of_a_thing_that_is_not_there(
    house: Flask, tokens: dict[Who, dict[str, str]]
) -> None:
    """With a good token and ids of nothing: a refusal, never a success and never a bug."""
    client = house.test_client()
    for name, rule, path in routes(house):
        if rule.who is Who.PERSON and "<pid" in rule.path:
            headers = {**tokens[Who.PERSON], "Idempotency-Key": uuid.uuid4().hex, "If-Match": "*"}
            parts: dict[str, Any] = (
                {"data": {}, "content_type": "multipart/form-data"} if rule.has_form else {}
            )
            body: dict[str, Any] = {"json": {}} if rule.has_body else parts
            answer = client.open(path, method=rule.method, headers=headers, **body)
            assert answer.status_code in (403, 404, 422), (name, answer.status_code, answer.data)


def test_a_password_is_asked_again_where_the_rule_says_so(house: Flask) -> None:
    with house.app_context():
        olga = session_of(factories.person("Olga Owner")).headers
        session.execute(text("update sessions set password_at = now() - interval '11 minutes'"))
        session.commit()
    client = house.test_client()
    wanted = [
        (name, rule, path)
        for name, rule, path in routes(house)
        if rule.fresh_password and rule.who is Who.PERSON
    ]
    assert wanted
    bodies = {"password": "another long password", "email": "olga.new@example.org"}
    for name, rule, path in wanted:
        for key, value in bodies.items():
            answer = client.open(path, method=rule.method, headers=olga, json={key: value})
            assert answer.status_code == 403, (name, answer.data)

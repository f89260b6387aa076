import base64
import json
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask

from app.coverage import partners
from app.coverage.models import Client
from app.coverage.token import ASSERTION
from app.kit.clock import real_now
from app.kit.db import session
from app.kit.errors import NotFound, Validation
from insurance.certificate import SigningKey, key_of_pem, new_key, public_jwk
from tests.coverage import factories

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def made(app: Flask) -> tuple[Client, str]:
    return factories.client(factories.insurer().id, "coverage:read", "coverage:lookup")


@pytest.fixture
def signer() -> SigningKey:
    return new_key()


@pytest.fixture
def keyed(app: Flask, signer: SigningKey) -> Client:
    client, secret = partners.add_client(
        factories.insurer().id, label="keyed", scopes=["coverage:read"], public_keys=[public_jwk(signer)]
    )
    assert secret is None
    return client


def post(http: Any, form: dict[str, str], **headers: str) -> Any:
    return http.post("/oauth/token", data=form, headers=headers)


def basic(client: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


def assertion(signer: SigningKey, client: str, **changes: Any) -> dict[str, str]:
    claims = {
        "iss": client,
        "sub": client,
        "aud": "http://glovebox.test/oauth/token",
        "jti": uuid.uuid4().hex,
        "exp": real_now() + timedelta(minutes=2),
        **changes,
    }
    signed = jwt.encode(claims, signer.private_pem, "ES256", headers={"kid": signer.kid})
    return {**GRANT, "client_assertion_type": ASSERTION, "client_assertion": signed}


def test_a_secret_in_the_body_or_as_basic_buys_a_token(http: Any, made: tuple[Client, str]) -> None:
    client, secret = made
    in_body = post(http, {**GRANT, "client_id": client.id, "client_secret": secret})
    as_basic = post(http, GRANT, Authorization=basic(client.id, secret))
    for answer in (in_body, as_basic):
        assert answer.status_code == 200, answer.text
        assert answer.json["token_type"] == "Bearer"
        assert answer.json["expires_in"] == 600
        assert answer.json["scope"] == "coverage:lookup coverage:read"
        assert answer.headers["Cache-Control"] == "no-store"


def test_fewer_scopes_may_be_asked_and_no_others(http: Any, made: tuple[Client, str]) -> None:
    form = {**GRANT, "client_id": made[0].id, "client_secret": made[1]}
    assert post(http, {**form, "scope": "coverage:read"}).json["scope"] == "coverage:read"
    refused = post(http, {**form, "scope": "coverage:read claims:write"})
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_id": "ID", "client_secret": "SECRET"}, 400, "invalid_request"),
        (
            {"grant_type": "password", "client_id": "ID", "client_secret": "SECRET"},
            400,
            "unsupported_grant_type",
        ),
        ({**GRANT, "client_id": "ID", "client_secret": "wrong"}, 401, "invalid_client"),
        ({**GRANT, "client_id": "cli_nobody", "client_secret": "SECRET"}, 401, "invalid_client"),
        ({**GRANT, "client_id": "ID"}, 401, "invalid_client"),
        ({**GRANT, "client_secret": "SECRET"}, 400, "invalid_request"),
        (GRANT, 401, "invalid_client"),
        ({**GRANT, "client_assertion": "x.y.z"}, 400, "invalid_request"),
        ({**GRANT, "client_assertion_type": ASSERTION, "client_assertion": "x.y.z"}, 401, "invalid_client"),
    ],
)
def test_a_refusal_is_the_rfcs_own_json(
    http: Any, made: tuple[Client, str], form: dict[str, str], status: int, error: str
) -> None:
    places = {"ID": made[0].id, "SECRET": made[1]}
    answer = post(http, {name: places.get(value, value) for name, value in form.items()})
    assert (answer.status_code, answer.json["error"]) == (status, error)
    assert set(answer.json) == {"error", "error_description"}
    assert answer.mimetype == "application/json"
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    "odd", ["\x00", "cli_\x00", "\ud800", "cli_" + "G" * 32, "", "x" * 5000, 7, None, ["cli"]]
)
def test_what_cannot_be_a_client_is_not_the_client_it_says(http: Any, odd: Any) -> None:
    claims = json.dumps({"sub": odd}).encode()
    unsigned = ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (b'{"alg":"ES256"}', claims, b"x")
    )
    by_assertion = post(http, {**GRANT, "client_assertion_type": ASSERTION, "client_assertion": unsigned})
    assert (by_assertion.status_code, by_assertion.json["error"]) == (401, "invalid_client")
    if isinstance(odd, str) and odd.isascii():
        assert post(http, GRANT, Authorization=basic(quote(odd), "secret")).status_code == 401
        if odd:
            assert post(http, {**GRANT, "client_id": odd, "client_secret": "x"}).status_code == 401


def test_a_token_of_endless_brackets_is_refused(http: Any) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 5000).rstrip(b"=").decode()
    header = base64.urlsafe_b64encode(b'{"alg":"ES256","typ":"partner+jwt"}').rstrip(b"=").decode()
    for token in (f"{header}.{deep}.eHh4", f"{deep}.{deep}.eHh4"):
        form = {**GRANT, "client_assertion_type": ASSERTION, "client_assertion": token}
        assert post(http, form).status_code == 401
        for path in ("/v1/me", "/v1/insurer/exposure"):
            assert http.get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_two_proofs_at_once_are_refused(http: Any, made: tuple[Client, str]) -> None:
    form = {**GRANT, "client_id": made[0].id, "client_secret": made[1]}
    answer = post(http, form, Authorization=basic(*(made[0].id, made[1])))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_a_body_that_is_not_a_form_is_refused(http: Any, made: tuple[Client, str]) -> None:
    answer = http.post("/oauth/token", json={**GRANT, "client_id": made[0].id, "client_secret": made[1]})
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_a_signed_assertion_buys_one_token_once(http: Any, keyed: Client, signer: SigningKey) -> None:
    form = assertion(signer, keyed.id)
    assert post(http, form).status_code == 200
    again = post(http, form)
    assert (again.status_code, again.json["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://elsewhere.example/oauth/token"},
        {"exp": real_now() - timedelta(seconds=1)},
        {"exp": real_now() + timedelta(hours=2)},
        {"iss": "cli_somebody"},
        {"jti": ""},
        {"jti": "a\x00b"},
        {"jti": "\ud800"},
        {"exp": 10**30},
    ],
)
def test_an_assertion_that_is_not_for_us_now_is_refused(
    http: Any, keyed: Client, signer: SigningKey, changes: dict[str, Any]
) -> None:
    answer = post(http, assertion(signer, keyed.id, **changes))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


def test_an_assertion_signed_by_another_key_is_refused(http: Any, keyed: Client, signer: SigningKey) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    forged = jwt.encode({"sub": keyed.id}, other, "ES256", headers={"kid": signer.kid})
    form = {**GRANT, "client_assertion_type": ASSERTION, "client_assertion": forged}
    assert post(http, form).status_code == 401
    unknown = SigningKey("other", new_key().private_pem)
    assert post(http, assertion(unknown, keyed.id)).status_code == 401


def test_a_client_with_keys_has_no_secret(http: Any, keyed: Client) -> None:
    answer = post(http, {**GRANT, "client_id": keyed.id, "client_secret": "anything"})
    assert answer.json["error"] == "invalid_client"


def test_a_rotated_secret_is_dead_and_the_new_one_lives(http: Any, made: tuple[Client, str]) -> None:
    fresh = partners.rotate_client(made[0].id)
    old = post(http, {**GRANT, "client_id": made[0].id, "client_secret": made[1]})
    new = post(http, {**GRANT, "client_id": made[0].id, "client_secret": fresh})
    assert (old.status_code, new.status_code) == (401, 200)


def test_a_removed_client_gets_no_token(http: Any, made: tuple[Client, str]) -> None:
    partners.remove_client(made[0].id)
    answer = post(http, {**GRANT, "client_id": made[0].id, "client_secret": made[1]})
    assert answer.json["error"] == "invalid_client"
    with pytest.raises(NotFound):
        partners.rotate_client(made[0].id)


def test_a_secret_is_never_stored(app: Flask, made: tuple[Client, str]) -> None:
    stored = session.get(Client, made[0].id)
    assert stored is not None
    assert stored.secret_hash is not None
    assert made[1].encode() not in stored.secret_hash


def test_a_client_needs_scopes_that_exist_and_keys_that_are_keys(app: Flask) -> None:
    insurer = factories.insurer().id
    with pytest.raises(Validation) as refused:
        partners.add_client(insurer, label="x", scopes=["coverage:write"], public_keys=[{"kty": "oct"}])
    pointers = [one["pointer"] for one in refused.value.members["errors"]]
    assert pointers == ["/scopes", "/public_keys/0"]


def test_a_private_key_handed_in_is_not_kept(app: Flask) -> None:
    key = key_of_pem(new_key().private_pem)
    whole = public_jwk(key) | {"d": "secret"}
    client, _ = partners.add_client(
        factories.insurer().id, label="x", scopes=["coverage:read"], public_keys=[whole]
    )
    assert "d" not in client.public_keys[0]

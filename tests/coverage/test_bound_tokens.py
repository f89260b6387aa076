"""Tokens bound to a certificate (RFC 8705): good only where the proxy names that certificate with the request."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from flask import Flask
from sqlalchemy import text

from app.coverage import caller, partners
from app.coverage.models import Client
from app.doors import Doors
from app.factory import create_app
from app.kit.client_certificate import of_pem
from app.kit.config import BadSettingsError, Settings, from_environment
from app.kit.db import dispose, session, transactional
from app.kit.errors import NotFound, Validation
from app.kit.keys import b64
from insurance.partners import partners_of
from tests.conftest import settings_for
from tests.coverage import factories

HEADER, READ = "Client-Cert", "/v1/insurer/exposure"


def certificate(begin_year: int = 2026, end_year: int = 2090) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "claims desk")])
    begins = datetime(begin_year, 1, 1, tzinfo=UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, begins, begins.replace(year=end_year))
    return built.sign(key, SHA256())


OURS, OTHER = certificate(), certificate()


def thumbprint(one: x509.Certificate) -> str:
    return b64(one.fingerprint(SHA256()))


def pem(one: x509.Certificate) -> str:
    return one.public_bytes(Encoding.PEM).decode()


def sent(one: x509.Certificate) -> dict[str, str]:
    """As a proxy by RFC 9440 sends it."""
    return {HEADER: f":{base64.b64encode(one.public_bytes(Encoding.DER)).decode()}:"}


@pytest.fixture(scope="module")
def behind(house: Flask, database: str) -> Iterator[Flask]:
    """The app behind a proxy that names certificates."""
    del house
    named: Settings = replace(settings_for(database), trusted_proxies=1, client_certificate_header=HEADER)
    made = create_app(named, Doors(partners_of([]), payments=None, push=None, mail=None))
    yield made
    with made.app_context():
        dispose()


@pytest.fixture
def proxied(behind: Flask) -> Iterator[Any]:
    with behind.app_context():
        yield behind.test_client()


@pytest.fixture
def bound(proxied: Any) -> tuple[Client, str]:
    made, secret = partners.add_client(
        factories.insurer().id, label="bound", scopes=["coverage:read"], certificate=thumbprint(OURS)
    )
    assert secret is not None
    return made, secret


def token(http: Any, made: tuple[Client, str], headers: dict[str, str]) -> Any:
    form = {"grant_type": "client_credentials", "client_id": made[0].id, "client_secret": made[1]}
    return http.post("/oauth/token", data=form, headers=headers)


def test_a_token_names_the_certificate_it_is_bound_to(proxied: Any, bound: tuple[Client, str]) -> None:
    given = token(proxied, bound, sent(OURS)).json["access_token"]
    claims = jwt.decode(given, options={"verify_signature": False})
    assert claims["cnf"] == {"x5t#S256": thumbprint(OURS)}


@pytest.mark.parametrize("headers", [{}, sent(OTHER), {HEADER: "nonsense"}, {HEADER: ":?:"}, {HEADER: ":"}])
def test_without_the_certificate_there_is_no_token(
    proxied: Any, bound: tuple[Client, str], headers: dict[str, str]
) -> None:
    refused = token(proxied, bound, headers)
    assert (refused.status_code, refused.json["error"]) == (401, "invalid_client")


def test_a_bound_token_is_good_with_its_certificate_alone(proxied: Any, bound: tuple[Client, str]) -> None:
    bearer = {"Authorization": f"Bearer {token(proxied, bound, sent(OURS)).json['access_token']}"}
    assert proxied.get(READ, headers={**bearer, **sent(OURS)}).status_code == 200
    assert proxied.get(READ, headers=bearer).status_code == 401
    assert proxied.get(READ, headers={**bearer, **sent(OTHER)}).status_code == 401
    assert proxied.get(READ, headers={**bearer, HEADER: f"{sent(OTHER)[HEADER]}, x"}).status_code == 401
    assert proxied.get(READ, headers={**bearer, **sent(OURS)}).status_code == 200


def test_the_certificate_may_come_as_nginx_writes_it(proxied: Any, bound: tuple[Client, str]) -> None:
    nginx = {HEADER: quote(pem(OURS), safe="")}
    assert token(proxied, bound, nginx).status_code == 200


def test_a_bound_token_stays_bound_when_its_client_is_no_more(
    proxied: Any, bound: tuple[Client, str]
) -> None:
    bearer = {"Authorization": f"Bearer {token(proxied, bound, sent(OURS)).json['access_token']}"}
    _rebind(bound[0], None)
    assert proxied.get(READ, headers=bearer).status_code == 401


def test_a_token_from_before_the_binding_is_refused(proxied: Any) -> None:
    made = factories.client(factories.insurer().id)
    bearer = {"Authorization": f"Bearer {token(proxied, made, {}).json['access_token']}"}
    assert proxied.get(READ, headers=bearer).status_code == 200
    _rebind(made[0], thumbprint(OURS))
    assert proxied.get(READ, headers=bearer).status_code == 401


def _rebind(client: Client, to: str | None) -> None:
    """As an operator's statement in the database does it; who asks is read anew a second later."""
    statement = text("update partner_clients set certificate_sha256 = :to where id = :id")
    transactional(session.execute)(statement, {"to": to, "id": client.id.removeprefix("cli_")})
    caller.outlast()


def test_without_the_setting_the_header_is_nothing_but_a_header(http: Any, bound: tuple[Client, str]) -> None:
    assert token(http, bound, sent(OURS)).status_code == 401


def test_a_client_is_not_bound_where_no_proxy_names_certificates(app: Flask) -> None:
    insurer = factories.insurer().id
    with pytest.raises(Validation):
        partners.add_client(insurer, label="x", scopes=["coverage:read"], certificate=thumbprint(OURS))


def test_the_header_is_not_believed_without_a_proxy() -> None:
    environment = {
        "DATABASE_URL": "postgresql://nowhere/none",
        "GLOVEBOX_MODE": "test",
        "GLOVEBOX_SECRET_KEY": "A" * 44,
        "GLOVEBOX_PUBLIC_URL": "http://localhost",
        "GLOVEBOX_CLIENT_CERTIFICATE_HEADER": HEADER,
    }
    with pytest.raises(BadSettingsError, match="GLOVEBOX_TRUSTED_PROXIES"):
        from_environment(environment)
    assert from_environment({**environment, "GLOVEBOX_TRUSTED_PROXIES": "1"}).client_certificate_header


def test_an_operator_binds_a_client_to_a_file(behind: Flask, proxied: Any, tmp_path: Path) -> None:
    del proxied
    file = tmp_path / "desk.pem"
    file.write_text(pem(OURS), "ascii")
    arguments = [
        "operator",
        "insurer",
        "client",
        factories.insurer().id,
        "--label",
        "desk",
        "--reason",
        "tests",
    ]
    arguments += ["--scope", "coverage:read", "--certificate", str(file)]
    made = behind.test_cli_runner().invoke(args=arguments)
    assert made.exit_code == 0, made.output
    client = session.get_one(Client, json.loads(made.output)["client_id"], populate_existing=True)
    assert client.certificate_sha256 == thumbprint(OURS) == of_pem(pem(OURS))
    file.write_text("no certificate", "ascii")
    assert behind.test_cli_runner().invoke(args=arguments).exit_code == 2


# -- the certificate alone ---------------------------------------------------------------------------------------------


def alone(proof: x509.Certificate) -> Client:
    made, secret = partners.add_client(
        factories.insurer().id,
        label="by certificate",
        scopes=["coverage:read"],
        certificate=thumbprint(proof),
        certificate_alone=True,
    )
    assert secret is None
    return made


def by_certificate(http: Any, client: str, headers: dict[str, str], **form: str) -> Any:
    asked = {"grant_type": "client_credentials", "client_id": client, **form}
    return http.post("/oauth/token", data=asked, headers=headers)


def test_a_certificate_alone_is_proof_where_it_was_agreed_to_be(proxied: Any) -> None:
    client = alone(OURS)
    given = by_certificate(proxied, client.id, sent(OURS))
    assert given.status_code == 200
    claims = jwt.decode(given.json["access_token"], options={"verify_signature": False})
    assert claims["cnf"] == {"x5t#S256": thumbprint(OURS)}
    bearer = {"Authorization": f"Bearer {given.json['access_token']}"}
    assert proxied.get(READ, headers={**bearer, **sent(OURS)}).status_code == 200
    assert proxied.get(READ, headers={**bearer, **sent(OTHER)}).status_code == 401
    assert proxied.get(READ, headers=bearer).status_code == 401


@pytest.mark.parametrize("headers", [{}, sent(OTHER), {HEADER: "nonsense"}, {HEADER: ":AAAA:"}])
def test_a_rivals_certificate_or_none_proves_nothing(proxied: Any, headers: dict[str, str]) -> None:
    client, rival = alone(OURS), alone(OTHER)
    refused = by_certificate(proxied, client.id, headers)
    assert (refused.status_code, refused.json["error"]) == (401, "invalid_client")
    assert by_certificate(proxied, rival.id, sent(OURS)).status_code == 401


@pytest.mark.parametrize("years", [(2020, 2025), (2080, 2090)])
def test_a_certificate_out_of_its_time_proves_nothing(proxied: Any, years: tuple[int, int]) -> None:
    late = certificate(*years)
    refused = by_certificate(proxied, alone(late).id, sent(late))
    assert (refused.status_code, refused.json["error"]) == (401, "invalid_client")
    assert refused.json["error_description"] == "The certificate is not valid at this time."


def test_who_has_a_secret_or_a_key_proves_nothing_by_a_certificate(
    proxied: Any, bound: tuple[Client, str]
) -> None:
    assert by_certificate(proxied, bound[0].id, sent(OURS)).status_code == 401
    unbound, _ = factories.client(factories.insurer().id)
    assert by_certificate(proxied, unbound.id, sent(OURS)).status_code == 401


def test_no_secret_opens_what_a_certificate_alone_does(proxied: Any) -> None:
    client = alone(OURS)
    assert by_certificate(proxied, client.id, sent(OURS), client_secret="gbs_guessed").status_code == 401
    with pytest.raises(NotFound):
        partners.rotate_client(client.id)


def test_a_client_that_is_removed_is_so_with_its_certificate(proxied: Any) -> None:
    client = alone(OURS)
    partners.remove_client(client.id)
    assert by_certificate(proxied, client.id, sent(OURS)).status_code == 401


def test_a_certificate_alone_needs_one_and_no_keys(proxied: Any) -> None:
    del proxied
    with pytest.raises(Validation):
        partners.add_client(
            factories.insurer().id, label="none", scopes=["coverage:read"], certificate_alone=True
        )


def test_an_operator_gives_a_client_without_a_secret(behind: Flask, proxied: Any, tmp_path: Path) -> None:
    file = tmp_path / "desk.pem"
    file.write_text(pem(OURS), "ascii")
    arguments = [
        "operator",
        "insurer",
        "client",
        factories.insurer().id,
        "--label",
        "desk",
        "--reason",
        "tests",
    ]
    arguments += ["--scope", "coverage:read", "--certificate", str(file), "--certificate-alone"]
    made = behind.test_cli_runner().invoke(args=arguments)
    assert made.exit_code == 0, made.output
    printed = json.loads(made.output)
    assert printed["client_secret"] is None
    assert by_certificate(proxied, printed["client_id"], sent(OURS)).status_code == 200

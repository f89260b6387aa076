"""A new password: the person is told, open codes die, phones without a key are confirmed anew."""

import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from sqlalchemy import text

from app import facts
from app.kit.db import session
from app.kit.keys import b64
from app.messages.tell import REACTIONS
from app.people import register
from tests.kit.asking import slug
from tests.people.desk import Desk, address

NEW = "another horse battery"


def reset(desk: Desk, email: str) -> int:
    desk.post("/email-codes", {"email": email, "purpose": "reset"})
    desk.work()
    body = {"email": email, "code": desk.mailed(email, "reset")[-1], "password": NEW}
    status: int = desk.post("/password-resets", body).status_code
    return status


def test_after_a_reset_a_phone_without_a_key_is_confirmed_again(desk: Desk) -> None:
    email, installation = desk.account(), str(uuid.uuid4())
    body = {"installation": installation, "platform": "ios"}
    phone = desk.post("/me/phones", body, desk.token(email, installation)).get_json()
    assert phone["confirmed"]
    assert reset(desk, email) == 204
    token = desk.token(email, installation, NEW)
    path = f"/me/phones/{phone['id']}"
    assert not desk.get(path, token)["confirmed"]
    code = desk.mailed(email, "phone")[-1]
    assert desk.post(f"{path}/confirm", {"code": code}, token).status_code == 204
    assert desk.get(path, token)["confirmed"]


def test_after_a_reset_a_phone_with_a_key_stays_confirmed(desk: Desk) -> None:
    email, installation = desk.account(), str(uuid.uuid4())
    raw = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    body = {"installation": installation, "platform": "ios", "public_key": b64(raw)}
    phone = desk.post("/me/phones", body, desk.token(email, installation)).get_json()
    assert reset(desk, email) == 204
    assert desk.get(f"/me/phones/{phone['id']}", desk.token(email, password=NEW))["confirmed"]


def test_codes_that_were_open_die_with_the_old_password(desk: Desk) -> None:
    email = desk.account()
    desk.post("/me/email", {"email": address("charlie")}, desk.token(email))
    desk.work()
    stale = desk.mailed(email, "change")[-1]
    assert reset(desk, email) == 204
    token = desk.token(email, password=NEW)
    assert slug(desk.post("/me/email/confirm", {"code": stale}, token)) == "code-invalid"


@pytest.mark.parametrize("how", ["changed", "reset"])
def test_a_new_password_is_told(house: Flask, desk: Desk, how: str) -> None:
    email = desk.account()
    if how == "reset":
        assert reset(desk, email) == 204
    else:
        assert desk.call("PUT", "/me/password", {"password": NEW}, desk.token(email)).status_code == 204
    with house.app_context():
        person = register.find_by_email(email)
        assert person is not None
        found = session.execute(
            text("select count(*) from facts where kind = 'PasswordChanged' and data->>'person' = :p"),
            {"p": person.id},
        ).scalar_one()
    assert found == 1
    assert facts.PasswordChanged in REACTIONS

"""Phones: a stolen password neither becomes a confirmed phone nor takes the address over."""

import base64
import uuid
from typing import Any

import pytest

from app.kit import push_services
from tests.kit.asking import slug
from tests.people.desk import PASSWORD, Desk, address


def phone(desk: Desk, email: str) -> tuple[str, str, str]:
    """The account's first phone, which is confirmed: its id, its installation, a token of it."""
    installation = str(uuid.uuid4())
    token = desk.token(email, installation)
    body = {"installation": installation, "platform": "ios"}
    made = desk.post("/me/phones", body, token).get_json()
    assert made["installation"] == installation
    assert made["confirmed"] is True
    return made["id"], installation, desk.token(email, installation)


def test_an_installation_is_shown_to_its_own_phone_alone(desk: Desk) -> None:
    email = desk.account()
    mine, installation, token = phone(desk, email)
    thief = desk.token(email)
    for asked_by, shown in ((token, installation), (thief, None)):
        assert [one["installation"] for one in desk.get("/me/phones", asked_by)["items"]] == [shown]
        assert desk.get(f"/me/phones/{mine}", asked_by)["installation"] == shown
        open_sessions = desk.get("/sessions", asked_by)["items"]
        assert {one["current"] for one in open_sessions if one["installation"]} == {True}
        assert len(open_sessions) == 2


def test_a_changed_phone_keeps_its_installation_to_itself(desk: Desk) -> None:
    email = desk.account()
    mine, _, _ = phone(desk, email)
    thief = desk.token(email)
    read = desk.call("GET", f"/me/phones/{mine}", token=thief)
    answer = desk.call(
        "PATCH", f"/me/phones/{mine}", {"language": "de"}, token=thief, If_Match=read.headers["ETag"]
    )
    assert (answer.status_code, answer.get_json()["installation"]) == (200, None)


def test_sessions_and_phones_are_read_page_by_page(desk: Desk) -> None:
    email = desk.account()
    tokens = [desk.token(email) for _ in range(3)]
    first = desk.get("/sessions?limit=2", tokens[-1])
    rest = desk.get(f"/sessions?limit=2&cursor={first['next_cursor']}", tokens[-1])
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None)
    for _ in range(2):
        desk.post("/me/phones", {"installation": str(uuid.uuid4()), "platform": "web"}, tokens[0])
    newest = desk.get("/me/phones?limit=1", tokens[0])
    older = desk.get(f"/me/phones?limit=1&cursor={newest['next_cursor']}", tokens[0])
    assert newest["items"][0]["id"] > older["items"][0]["id"]


def test_a_stolen_password_does_not_change_the_address(desk: Desk) -> None:
    email = desk.account()
    mine, _, token = phone(desk, email)
    thief = desk.token(email)
    refused = desk.post("/me/email", {"email": address("charlie")}, thief)
    assert (refused.status_code, slug(refused)) == (403, "not-allowed")
    assert "confirmed phone" in refused.get_json()["detail"]
    assert desk.post("/me/email", {"email": address("olga")}, token).status_code == 202
    assert desk.call("DELETE", f"/me/phones/{mine}", token=thief).status_code == 204
    assert desk.post("/me/email", {"email": address("charlie")}, thief).status_code == 403


def test_an_account_without_a_phone_changes_its_address_as_before(desk: Desk) -> None:
    email, new = desk.account(), address()
    token = desk.token(email)
    assert desk.post("/me/email", {"email": new}, token).status_code == 202
    desk.work()
    code = desk.mailed(email, "change")[-1]
    assert desk.post("/me/email/confirm", {"code": code}, token).status_code == 204
    assert desk.get("/me", token)["email"] == new


def test_codes_in_the_old_mailbox_die_when_the_address_changes(desk: Desk) -> None:
    email, new = desk.account(), address()
    token = desk.token(email)
    desk.post("/email-codes", {"email": email, "purpose": "reset"})
    desk.work()
    desk.post("/me/email", {"email": new}, token)
    desk.work()
    old, code = desk.mailed(email, "reset")[-1], desk.mailed(email, "change")[-1]
    desk.post("/me/email/confirm", {"code": code}, token)
    answer = desk.post("/password-resets", {"email": new, "code": old, "password": "of somebody else"})
    assert slug(answer) == "code-invalid"
    assert desk.sign_in(new, PASSWORD).status_code == 201


MOZILLA = "https://updates.push.services.mozilla.com/wpush/v2/gAAAA"
KEYS = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}


def browser(**push: Any) -> dict[str, Any]:
    given = {"kind": "webpush", "address": MOZILLA, "keys": KEYS, **push}
    return {
        "installation": str(uuid.uuid4()),
        "platform": "web",
        "push": {name: value for name, value in given.items() if value is not None},
    }


def test_a_browser_registers_with_its_subscription(desk: Desk) -> None:
    token = desk.token(desk.account())
    made = desk.post("/me/phones", browser(), token)
    assert (made.status_code, made.get_json()["push"]["address"]) == (201, MOZILLA)
    assert desk.get("/me/web-push-key", token) == {"key": None}


@pytest.mark.parametrize(
    ("push", "pointer"),
    [
        ({"address": "http://updates.push.services.mozilla.com/1"}, "/push/address"),
        ({"address": "https://push.services.mozilla.com.evil.example/1"}, "/push/address"),
        ({"address": "https://evil.example/https://fcm.googleapis.com/1"}, "/push/address"),
        ({"address": "https://fcm.googleapis.com@evil.example/1"}, "/push/address"),
        ({"address": "https://169.254.169.254/latest"}, "/push/address"),
        ({"address": "gopher"}, "/push/address"),
        ({"keys": None}, "/push/keys"),
        ({"keys": {**KEYS, "auth": "AAAA"}}, "/push/keys"),
        ({"keys": {**KEYS, "p256dh": "AAAA"}}, "/push/keys"),
        ({"keys": {**KEYS, "p256dh": "ééé"}}, "/push/keys"),
    ],
)
def test_a_subscription_that_is_none_of_a_browser_is_refused(
    desk: Desk, push: dict[str, Any], pointer: str
) -> None:
    token = desk.token(desk.account())
    refused = desk.post("/me/phones", browser(**push), token)
    assert (refused.status_code, refused.get_json()["errors"][0]["pointer"]) == (422, pointer)
    mine = desk.post("/me/phones", browser(), token).get_json()["id"]
    read = desk.call("GET", f"/me/phones/{mine}", token=token)
    changed = desk.call(
        "PATCH",
        f"/me/phones/{mine}",
        {"push": browser(**push)["push"]},
        token=token,
        If_Match=read.headers["ETag"],
    )
    assert (changed.status_code, changed.get_json()["errors"][0]["pointer"]) == (422, pointer)


def test_the_key_of_web_push_is_the_public_part_of_the_settings() -> None:
    private = base64.urlsafe_b64encode(bytes(31) + b"\x01").decode()
    # one times the generator of P-256 (FIPS 186)
    assert base64.urlsafe_b64decode(push_services.public_key(private) + "=").hex() == (
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )

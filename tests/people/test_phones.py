"""Phones: a stolen password neither becomes a confirmed phone nor takes the address over."""

import uuid

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

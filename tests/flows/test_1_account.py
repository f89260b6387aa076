import uuid

import pytest
import requests

from app.demo_cast import PASSWORD, Actor, until
from app.supervisor import Supervisor
from tests.flows.friends import Friends

ELSE = "another battery staple"


@pytest.fixture
def olga(place: Supervisor) -> Actor:
    return Actor(place, "Olga Owner", signs=True).register()


@pytest.fixture
def newcomer(place: Supervisor) -> Actor:
    """Somebody who has registered and not confirmed the address."""
    who = Actor(place, "Olga Owner", language="fr")
    body = {"name": who.name, "email": who.email, "password": PASSWORD, "language": "fr", "country": "FR"}
    who.post("/people", body, want=202)
    return who


def wrong(code: str) -> str:
    return "000000" if code != "000000" else "111111"


def another_phone(of: Actor) -> Actor:
    """The same person, signed in on a second phone that is registered."""
    second = Actor(of.place, of.name)
    second.email = of.email
    second.sign_in()
    body = {"installation": second.installation, "platform": "ios"}
    second.phone = second.post("/me/phones", body, want=201)["id"]
    second.renew()
    return second


def mailed(who: Actor) -> int:
    return len(who.place.control("push", "GET", "mails", to=who.email)["mails"])


def test_olga_registers_confirms_signs_in_and_registers_her_phone(place: Supervisor) -> None:
    olga = Actor(place, "Olga Owner", signs=True).register()
    phones = olga.get("/me/phones")["items"]
    assert [phone["id"] for phone in phones] == [olga.phone]
    assert olga.get("/me")["email"] == olga.email


def test_the_code_comes_in_the_language_of_who_registers(newcomer: Actor) -> None:
    assert "minutes" in newcomer.mail("code")
    assert newcomer.code() in newcomer.mail(newcomer.code())


def test_nobody_signs_in_before_the_address_is_confirmed(newcomer: Actor) -> None:
    newcomer.code()
    body = {"email": newcomer.email, "password": PASSWORD, "installation": newcomer.installation}
    newcomer.refused("POST", "/sessions", body, slug="email-unconfirmed")


def test_a_wrong_code_is_refused_and_the_right_one_still_counts(newcomer: Actor) -> None:
    body = {"email": newcomer.email, "code": wrong(newcomer.code())}
    newcomer.refused("POST", "/people/confirm", body, slug="code-invalid")
    newcomer.post("/people/confirm", {"email": newcomer.email, "code": newcomer.code()}, want=204)


def test_the_sixth_try_fails_even_with_the_right_code(newcomer: Actor) -> None:
    for _ in range(5):
        body = {"email": newcomer.email, "code": wrong(newcomer.code())}
        newcomer.refused("POST", "/people/confirm", body, slug="code-invalid")
    right = {"email": newcomer.email, "code": newcomer.code()}
    newcomer.refused("POST", "/people/confirm", right, slug="code-invalid")


def test_a_code_works_once(newcomer: Actor) -> None:
    body = {"email": newcomer.email, "code": newcomer.code()}
    newcomer.post("/people/confirm", body, want=204)
    newcomer.refused("POST", "/people/confirm", body, slug="code-invalid")


def test_a_known_address_and_an_unknown_one_answer_alike(olga: Actor) -> None:
    body = {
        "name": "Somebody Else",
        "email": olga.email,
        "password": ELSE,
        "language": "en",
        "country": "FR",
    }
    stranger = Actor(olga.place, "Charlie Stranger")
    known = stranger.post("/people", body, want=202)
    assert known == stranger.post("/people", {**body, "email": stranger.email}, want=202)
    body = {"email": olga.email, "password": ELSE, "installation": stranger.installation}
    stranger.refused("POST", "/sessions", body, slug="credentials-wrong")


def test_a_second_phone_opens_no_door_until_a_mailed_code_confirms_it(friends: Friends) -> None:
    second = another_phone(friends.max)
    rental = friends.book()
    assert friends.unmet(rental, who=second) == ["phone"]
    refusal = second.refused("POST", f"/rentals/{rental}/unlock", slug="not-ready")
    assert [one["code"] for one in refusal["conditions"]] == ["phone"]
    second.post(f"/me/phones/{second.phone}/confirm", {"code": second.code()}, want=204)
    assert friends.unmet(rental, who=second) == []
    assert friends.unlock(rental, second)["state"] == "confirmed"


def test_a_second_phone_of_the_owner_opens_her_car_only_once_confirmed(friends: Friends) -> None:
    second = another_phone(friends.olga)
    command = {"kind": "unlock"}
    second.refused("POST", f"/cars/{friends.car}/commands", command, slug="not-ready")
    assert friends.commands("unlock") == []
    second.post(f"/me/phones/{second.phone}/confirm", {"code": second.code()}, want=204)
    second.post(f"/cars/{friends.car}/commands", command, headers={"Prefer": "wait=15"}, want=200)


def test_a_wrong_code_does_not_confirm_a_phone(olga: Actor) -> None:
    second = another_phone(olga)
    body = {"code": wrong(second.code(2))}
    second.refused("POST", f"/me/phones/{second.phone}/confirm", body, slug="code-invalid")
    phones = {one["id"]: one["confirmed"] for one in olga.get("/me/phones")["items"]}
    assert phones == {olga.phone: True, second.phone: False}


def test_a_refresh_token_used_again_at_once_gives_the_same_successor(olga: Actor) -> None:
    first = {"refresh_token": olga.refresh}
    one, two = (olga.post("/sessions/refresh", first) for _ in range(2))
    assert one["refresh_token"] == two["refresh_token"]
    assert one["session"] == two["session"]
    olga.access = two["access_token"]
    assert olga.get("/me")["id"] == olga.id


def test_a_refresh_token_used_again_after_its_successor_ends_the_session(olga: Actor) -> None:
    stolen = olga.refresh
    olga.renew()
    olga.renew()
    olga.refused("POST", "/sessions/refresh", {"refresh_token": stolen}, slug="session-revoked")
    olga.refused("GET", "/me", slug="session-revoked")
    olga.refused("POST", "/sessions/refresh", {"refresh_token": olga.refresh}, slug="session-revoked")


def test_the_token_of_a_signed_out_phone_is_refused_at_once(olga: Actor) -> None:
    olga.call("DELETE", "/sessions/current", want=204)
    olga.refused("GET", "/me", slug="session-revoked")
    olga.refused("POST", "/sessions/refresh", {"refresh_token": olga.refresh}, slug="session-revoked")


def test_a_removed_phone_takes_its_session_with_it(olga: Actor) -> None:
    second = another_phone(olga)
    olga.call("DELETE", f"/me/phones/{second.phone}", want=204)
    second.refused("GET", "/me", slug="session-revoked")
    assert [one["id"] for one in olga.get("/me/phones")["items"]] == [olga.phone]


def test_one_session_is_ended_from_another_phone(olga: Actor) -> None:
    second = another_phone(olga)
    sessions = {one["current"]: one["id"] for one in olga.get("/sessions")["items"]}
    olga.call("DELETE", f"/sessions/{sessions[False]}", want=204)
    second.refused("GET", "/me", slug="session-revoked")


def test_a_sign_in_on_a_new_phone_is_told_to_the_person(olga: Actor) -> None:
    another_phone(olga)
    assert olga.pushed("new_sign_in")


def test_a_password_reset_by_mailed_code_ends_every_session(olga: Actor) -> None:
    anybody = Actor(olga.place, "Olga Owner")
    anybody.post("/email-codes", {"email": olga.email, "purpose": "reset"}, want=202)
    body = {"email": olga.email, "code": olga.code(2), "password": ELSE}
    anybody.post("/password-resets", body, want=204)
    olga.refused("GET", "/me", slug="session-revoked")
    olga.access = ""
    old = {"email": olga.email, "password": PASSWORD, "installation": olga.installation}
    olga.refused("POST", "/sessions", old, slug="credentials-wrong")
    olga.post("/sessions", {**old, "password": ELSE}, want=201)


def test_a_reset_of_an_unknown_address_answers_alike(place: Supervisor) -> None:
    nobody = Actor(place, "Nobody Known")
    assert nobody.post("/email-codes", {"email": nobody.email, "purpose": "reset"}, want=202) == {}
    body = {"email": nobody.email, "code": "123456", "password": ELSE}
    nobody.refused("POST", "/password-resets", body, slug="code-invalid")


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(olga: Actor) -> None:
    second = another_phone(olga)
    olga.put("/me/password", {"password": ELSE}, want=204)
    assert olga.get("/me")["id"] == olga.id
    second.refused("GET", "/me", slug="session-revoked")


def test_a_new_address_is_confirmed_by_its_code_and_told_to_the_old_one(olga: Actor) -> None:
    old, new = olga.email, f"olga.{uuid.uuid4().hex[:8]}@example.net"
    olga.post("/me/email", {"email": new}, want=202)
    until(lambda: mailed(olga) > 1, "a notice to the old address")
    assert new in olga.mail(new)
    olga.email = new
    olga.post("/me/email/confirm", {"code": olga.code()}, want=204)
    assert olga.get("/me")["email"] == new
    body = {"email": old, "password": PASSWORD, "installation": olga.installation}
    olga.refused("POST", "/sessions", body, slug="credentials-wrong")


def test_a_new_address_that_somebody_has_answers_alike_and_changes_nothing(olga: Actor) -> None:
    taken = Actor(olga.place, "Charlie Stranger").register()
    assert olga.post("/me/email", {"email": taken.email}, want=202) == {}
    olga.refused("POST", "/me/email/confirm", {"code": "123456"}, slug="code-invalid")
    assert olga.get("/me")["email"] == olga.email


@pytest.mark.parametrize("path", ["/me", "/me/phones", "/cars", "/rentals", "/communities", "/me/messages"])
def test_without_a_token_nothing_of_a_person_is_read(place: Supervisor, path: str) -> None:
    answer = requests.get(f"{place.url}/v1{path}", timeout=10)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")

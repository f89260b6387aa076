import dataclasses
import hashlib
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import text

from app.communities import invite
from app.communities.models import Invitation
from app.demo_cast import Actor, hours, inst, until
from app.doors import Doors
from app.factory import create_app
from app.kit.db import dispose, session
from app.supervisor import Supervisor
from insurance.partners import partners_of
from tests import factories
from tests.conftest import settings_for
from tests.flows.known import known


class Circle:
    """Olga's community and people to invite."""

    def __init__(self, place: Supervisor) -> None:
        self.place = place
        self.olga = known(place, "Olga Owner", language="fr")
        self.max = known(place, "Max Member", language="de")
        made = {"name": "Friends of the smart", "kind": "circle"}
        self.id = self.olga.post("/communities", made, want=201)["id"]

    def invite(self, who: Actor | None = None, **body: Any) -> Any:
        return (who or self.olga).post(f"/communities/{self.id}/invitations", body, want=201)

    def gone(self, code: str, reason: str) -> None:
        for method, path in (("GET", ""), ("POST", "/accept"), ("POST", "/decline")):
            refusal = self.max.refused(method, f"/invitations/{code}{path}", slug="invitation-gone")
            assert refusal["reason"] == reason


@pytest.fixture
def circle(place: Supervisor) -> Circle:
    return Circle(place)


def test_olga_makes_a_community_and_is_its_owner(circle: Circle) -> None:
    made = circle.olga.get(f"/communities/{circle.id}")
    assert (made["name"], made["kind"], made["my_role"]) == ("Friends of the smart", "circle", "owner")
    assert made["rules"]["approval"] == "always"


def test_an_invitation_by_mail_reaches_phone_and_mailbox_of_who_has_an_account(circle: Circle) -> None:
    made = circle.invite(email=circle.max.email)
    assert "Olga" in circle.max.pushed("invited")
    assert made["url"] in circle.max.mail(made["url"])


def test_an_invitation_by_mail_reaches_an_address_without_an_account(circle: Circle) -> None:
    nobody = Actor(circle.place, "Nina New")
    made = circle.invite(email=nobody.email)
    assert made["url"] in nobody.mail(made["url"])


def test_a_preview_without_an_account_shows_five_things_and_no_more(circle: Circle) -> None:
    made = circle.invite(label="family", fare="free")
    seen = requests.get(f"{circle.place.url}/v1/invitations/{made['code']}", timeout=10)
    assert seen.json() == {
        "inviter": "Olga",
        "community": "Friends of the smart",
        "kind": "circle",
        "role": "driver",
        "expires_at": made["expires_at"],
    }


def test_who_accepts_is_a_member_with_the_fare_of_the_invitation(circle: Circle) -> None:
    code = circle.invite(email=circle.max.email, fare="at_cost", label="neighbour")["code"]
    made = circle.max.post(f"/invitations/{code}/accept", want=200)
    person = {"id": circle.max.id, "first_name": "Max"}
    wanted = {"person": person, "role": "driver", "fare": "at_cost", "label": "neighbour", "blocked": False}
    assert made == wanted
    assert "Max" in circle.olga.pushed("invitation_accepted")
    assert circle.max.get(f"/communities/{circle.id}")["my_role"] == "driver"


def test_a_link_lets_in_as_many_as_it_says_and_then_is_exhausted(circle: Circle) -> None:
    code = circle.invite(uses=2)["code"]
    for name in ("Nina New", "Otto Other"):
        known(circle.place, name).post(f"/invitations/{code}/accept", want=200)
    circle.gone(code, "exhausted")


def test_a_used_invitation_is_gone(circle: Circle) -> None:
    code = circle.invite()["code"]
    known(circle.place, "Nina New").post(f"/invitations/{code}/accept", want=200)
    circle.gone(code, "used")


def test_a_revoked_invitation_is_gone(circle: Circle) -> None:
    made = circle.invite()
    circle.olga.call("DELETE", f"/invitations/{made['id']}", want=204)
    circle.gone(made["code"], "revoked")


def test_an_expired_invitation_is_gone(circle: Circle) -> None:
    code = circle.invite(expires_at=inst(circle.olga.now() + hours(1)))["code"]
    circle.place.flask("clock", "forward", "61m")
    circle.gone(code, "expired")


def test_a_declined_invitation_is_gone_and_olga_is_told(circle: Circle) -> None:
    code = circle.invite(email=circle.max.email)["code"]
    circle.max.post(f"/invitations/{code}/decline", want=204)
    circle.gone(code, "declined")
    assert "Max" in circle.olga.pushed("invitation_declined")


def test_an_invitation_to_one_address_is_not_found_by_another(circle: Circle) -> None:
    code = circle.invite(email=circle.max.email)["code"]
    charlie = known(circle.place, "Charlie Stranger")
    charlie.refused("POST", f"/invitations/{code}/accept", slug="not-found")


def test_a_code_that_was_never_made_is_not_found(circle: Circle) -> None:
    circle.max.refused("GET", "/invitations/AAAAAAAAAAAAAAAAAAAAAA", slug="not-found")


def test_a_member_does_not_join_twice(circle: Circle) -> None:
    codes = [circle.invite(uses=3)["code"] for _ in range(2)]
    circle.max.post(f"/invitations/{codes[0]}/accept", want=200)
    circle.max.refused("POST", f"/invitations/{codes[1]}/accept", slug="already-exists")


def test_a_driver_may_not_invite_and_nobody_gives_a_role_above_their_own(circle: Circle) -> None:
    circle.max.post(f"/invitations/{circle.invite()['code']}/accept")
    circle.max.refused("POST", f"/communities/{circle.id}/invitations", {}, slug="not-allowed")
    circle.olga.patch(f"/communities/{circle.id}", {"rules": {"may_invite": "driver"}})
    circle.invite(circle.max)
    body = {"role": "owner"}
    circle.max.refused("POST", f"/communities/{circle.id}/invitations", body, slug="not-allowed")


def test_a_stranger_does_not_see_the_community(circle: Circle) -> None:
    circle.max.refused("GET", f"/communities/{circle.id}", slug="not-found")
    circle.max.refused("GET", f"/communities/{circle.id}/members", slug="not-found")


def test_the_last_owner_cannot_leave(circle: Circle) -> None:
    path = f"/communities/{circle.id}/members/{circle.olga.id}"
    circle.olga.refused("DELETE", path, slug="last-owner")


def test_who_is_removed_is_told_and_sees_nothing_more(circle: Circle) -> None:
    circle.max.post(f"/invitations/{circle.invite()['code']}/accept")
    circle.olga.call("DELETE", f"/communities/{circle.id}/members/{circle.max.id}", want=204)
    circle.max.refused("GET", f"/communities/{circle.id}", slug="not-found")
    assert circle.max.pushed("member_removed")


def test_a_code_is_shown_once_and_not_in_the_list(circle: Circle) -> None:
    made = circle.invite()
    listed = circle.olga.get(f"/communities/{circle.id}/invitations")["items"]
    assert [(one["id"], one["code"], one["url"]) for one in listed] == [(made["id"], None, None)]


def test_a_replayed_invitation_shows_no_code(circle: Circle) -> None:
    key = "invite-one-friend"
    first, again = (
        circle.olga.post(f"/communities/{circle.id}/invitations", {}, want=201, key=key) for _ in range(2)
    )
    assert again == {**first, "code": None, "url": None, "qr": None}


def test_the_code_is_stored_as_a_hash_alone(app: Flask) -> None:
    olga = factories.person()
    made = invite.invite(olga.id, factories.circle(olga).id, {})
    code = invite.code_of(made.id)
    assert made.code_hash == hashlib.sha256(code.encode()).digest()
    stored = session.execute(text("select row_to_json(i)::text from invitations i")).scalars().all()
    assert not [row for row in stored if code in row]
    assert {column.name for column in Invitation.__table__.columns} & {"code", "secret"} == set()


def test_guessing_codes_is_limited_by_address(database: str, house: Flask) -> None:
    settings = settings_for(database)
    strict = dataclasses.replace(settings, limits=dataclasses.replace(settings.limits, preview=(3, 3600)))
    made = create_app(strict, Doors(insurers=partners_of([]), payments=None, push=None, mail=None))
    guess = "/v1/invitations/AAAAAAAAAAAAAAAAAAAAAA"
    from_one = {"environ_overrides": {"REMOTE_ADDR": "203.0.113.7"}}
    answers = [made.test_client().get(guess, **from_one) for _ in range(4)]
    elsewhere = made.test_client().get(guess, environ_overrides={"REMOTE_ADDR": "203.0.113.8"})
    with made.app_context():
        dispose()
    assert [one.status_code for one in (*answers, elsewhere)] == [404, 404, 404, 429, 404]
    assert int(answers[3].headers["Retry-After"]) > 0
    assert answers[3].json is not None
    assert answers[3].json["type"] == "/problems/rate-limited"


def test_an_account_made_after_the_invitation_accepts_it(circle: Circle) -> None:
    nina = Actor(circle.place, "Nina New")
    code = circle.invite(email=nina.email)["code"]
    nina.register().post(f"/invitations/{code}/accept", want=200)
    until(lambda: len(circle.olga.get(f"/communities/{circle.id}/members")["items"]) == 2, "two members")

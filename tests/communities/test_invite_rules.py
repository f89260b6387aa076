"""Whom one may invite to what; what a block and a removal take with them."""

import dataclasses
from typing import Any

import pytest
from flask import Flask

from app.doors import Doors
from app.factory import create_app
from app.kit.db import dispose
from insurance.partners import partners_of
from tests import factories
from tests.communities.circle import Circle, voice


@pytest.fixture
def open_circle(circle: Circle) -> Circle:
    """Rules that let a driver invite."""
    circle.rules(may_invite="driver")
    return circle


# -- fares


@pytest.mark.parametrize(
    ("own", "given", "status"),
    [
        ("priced", "free", 403),
        ("priced", "at_cost", 403),
        ("priced", "priced", 201),
        ("at_cost", "free", 403),
        ("at_cost", "at_cost", 201),
        ("at_cost", "priced", 201),
        ("free", "free", 201),
    ],
)
def test_a_driver_gives_no_better_fare_than_their_own(
    open_circle: Circle, own: str, given: str, status: int
) -> None:
    open_circle.change(open_circle.olga, open_circle.max, fare=own)
    open_circle.invite(open_circle.max, want=status, fare=given)


def test_a_driver_gives_no_role_but_drivers(open_circle: Circle) -> None:
    assert open_circle.invite(open_circle.max, want=403, role="manager") == "not-allowed"


def test_who_runs_the_community_gives_any_fare(circle: Circle) -> None:
    circle.change(circle.olga, circle.max, role="manager")
    circle.rules(may_invite="manager")
    circle.invite(circle.max, fare="free")
    circle.invite(circle.olga, fare="free", role="owner")


# -- blocks


def test_a_block_is_not_shaken_off_by_leaving_and_coming_back(open_circle: Circle) -> None:
    mine = open_circle.invite(open_circle.max, uses=5)
    other = open_circle.invite(open_circle.olga, uses=5)
    open_circle.change(open_circle.olga, open_circle.max, blocked=True)
    open_circle.max("DELETE", f"/communities/{open_circle.id}/members/{open_circle.max.id}", want=204)
    assert open_circle.accept(open_circle.max, mine, want=410) == "invitation-gone"
    assert open_circle.accept(open_circle.max, other, want=403) == "not-allowed"


def test_who_lifts_the_block_of_one_who_left_may_have_them_back(circle: Circle) -> None:
    circle.change(circle.olga, circle.max, blocked=True)
    circle.max("DELETE", f"/communities/{circle.id}/members/{circle.max.id}", want=204)
    circle.change(circle.olga, circle.max, want=403, blocked=False, role="owner")
    circle.change(circle.olga, circle.max, blocked=False)
    circle.accept(circle.max, circle.invite(circle.olga))
    circle.max("GET", f"/communities/{circle.id}", want=200)


def test_who_left_by_themselves_can_be_kept_from_coming_back(open_circle: Circle) -> None:
    circle = open_circle
    invitation = circle.invite(circle.olga, uses=5)
    circle.max("DELETE", f"/communities/{circle.id}/members/{circle.max.id}", want=204)
    circle.change(circle.olga, circle.max, blocked=True)
    assert circle.accept(circle.max, invitation, want=403) == "not-allowed"
    circle.change(circle.olga, circle.max, blocked=False)
    circle.accept(circle.max, invitation)


def test_a_member_who_left_is_shown_to_nobody_but_who_runs_the_community(circle: Circle) -> None:
    circle.accept(circle.charlie, circle.invite(circle.olga))
    circle.change(circle.olga, circle.max, blocked=True)
    path = f"/communities/{circle.id}/members/{circle.max.id}"
    circle.max("DELETE", path, want=204)
    circle.charlie("GET", path, want=404)
    circle.olga("GET", path, want=200)
    members = circle.olga("GET", f"/communities/{circle.id}/members")["items"]
    assert circle.max.id not in {one["person"]["id"] for one in members}


@pytest.mark.parametrize("how", ["removed", "blocked"])
def test_who_is_removed_or_blocked_takes_their_open_invitations_with_them(
    open_circle: Circle, how: str
) -> None:
    made = open_circle.invite(open_circle.max)
    if how == "removed":
        open_circle.olga("DELETE", f"/communities/{open_circle.id}/members/{open_circle.max.id}", want=204)
    else:
        open_circle.change(open_circle.olga, open_circle.max, blocked=True)
    answer = open_circle.charlie.answer("POST", f"/invitations/{made['code']}/accept")
    assert (answer.status_code, answer.get_json()["reason"]) == (410, "revoked")


def test_who_pays_more_from_now_on_leaves_no_invitation_to_the_better_fare(open_circle: Circle) -> None:
    open_circle.change(open_circle.olga, open_circle.max, fare="free")
    made = open_circle.invite(open_circle.max, fare="free")
    open_circle.change(open_circle.olga, open_circle.max, fare="priced")
    assert open_circle.accept(open_circle.charlie, made, want=410) == "invitation-gone"


def test_a_manager_made_a_driver_leaves_no_invitation_to_a_higher_role(circle: Circle) -> None:
    circle.rules(may_invite="manager")
    circle.change(circle.olga, circle.max, role="manager")
    made = circle.invite(circle.max, role="manager")
    circle.change(circle.olga, circle.max, role="driver")
    assert circle.accept(circle.charlie, made, want=410) == "invitation-gone"


def test_a_blocked_manager_shares_no_car(circle: Circle) -> None:
    circle.change(circle.olga, circle.max, role="manager")
    circle.change(circle.olga, circle.max, blocked=True)
    car = factories.car(circle.max.person)
    assert circle.max("PUT", f"/cars/{car.id}/communities/{circle.id}", want=403) == "not-allowed"


def test_an_owner_who_is_blocked_does_not_count_as_the_other_owner(circle: Circle) -> None:
    circle.change(circle.olga, circle.max, role="owner")
    circle.change(circle.olga, circle.max, blocked=True)
    mine = f"/communities/{circle.id}/members/{circle.olga.id}"
    assert circle.olga("DELETE", mine, want=409) == "last-owner"
    assert circle.change(circle.olga, circle.olga, want=409, role="driver") == "last-owner"
    circle.max("DELETE", f"/communities/{circle.id}/members/{circle.max.id}", want=204)


# -- lists


def test_a_driver_who_may_invite_sees_and_revokes_their_own(open_circle: Circle) -> None:
    open_circle.invite(open_circle.olga)
    mine = open_circle.invite(open_circle.max)
    path = f"/communities/{open_circle.id}/invitations"
    assert [one["id"] for one in open_circle.max("GET", path, want=200)["items"]] == [mine["id"]]
    assert len(open_circle.olga("GET", path)["items"]) >= 2
    open_circle.max("DELETE", f"/invitations/{mine['id']}", want=204)
    assert open_circle.max("GET", path)["items"][0]["state"] == "revoked"


def test_a_driver_who_may_not_invite_sees_no_invitation(circle: Circle) -> None:
    assert circle.max("GET", f"/communities/{circle.id}/invitations", want=403) == "not-allowed"


# -- mails


@pytest.fixture
def strict(house: Flask) -> Any:
    """The app with few mails a day."""
    settings = house.extensions["glovebox"].settings
    limits = dataclasses.replace(settings.limits, invitations=(3, 86400), invited=(2, 86400))
    doors = Doors(insurers=partners_of([]), payments=None, push=None, mail=None)
    made = create_app(dataclasses.replace(settings, limits=limits), doors)
    yield made
    with made.app_context():
        dispose()


def test_one_person_mails_so_many_invitations_a_day(circle: Circle, strict: Flask) -> None:
    olga = dataclasses.replace(circle.olga, house=strict)
    for number in range(3):
        circle.invite(olga, email=f"{number}.{circle.id}@example.org")
    answer = olga.answer("POST", f"/communities/{circle.id}/invitations", {"email": "one.more@example.org"})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    circle.invite(olga)  # a link is not mailed


def test_one_address_is_mailed_so_many_invitations_a_day(app: Flask, circle: Circle, strict: Flask) -> None:
    target = f"nina.{circle.id}@example.org"
    for name in ("Olga Owner", "Otto Owner"):
        one = voice(app, name)
        made = factories.circle(one.person)
        path = f"/communities/{made.id}/invitations"
        dataclasses.replace(one, house=strict)("POST", path, {"email": target}, want=201)
    third = dataclasses.replace(circle.olga, house=strict)
    assert circle.invite(third, want=429, email=target.upper()) == "rate-limited"

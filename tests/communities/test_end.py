"""The end of a community: nobody is in it, nothing is lent through it, and what was booked costs nobody anything."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.cars import add
from app.cars.models import CarShare
from app.communities import make
from app.communities.models import Community
from app.facts import CommunityEnded, MemberRemoved
from app.kit import clock
from app.kit.db import session, transactional
from app.kit.errors import NotFound
from app.rentals import book, expire, quote
from app.rentals.models import Rental
from tests import factories
from tests.communities.circle import Circle
from tests.rentals.scene import Scene
from tests.rentals.scene import make as make_scene


@pytest.fixture
def scene(app: Flask) -> Scene:
    return make_scene()


def asked(circle: Circle, car: str) -> dict[str, Any]:
    now = clock.now()
    return {"car": car, "from": clock.z(now), "to": clock.z(now + timedelta(hours=2))}


def test_an_ended_community_lends_no_car(circle: Circle) -> None:
    car = factories.shared(circle.olga.person, session.get_one(Community, circle.id))
    circle.max("POST", "/quotes", asked(circle, car.id), want=201)
    circle.olga("DELETE", f"/communities/{circle.id}", want=204)
    assert circle.max("POST", "/quotes", asked(circle, car.id), want=404) == "not-found"
    assert circle.max("GET", f"/cars/{car.id}", want=404) == "not-found"
    assert circle.olga("PUT", f"/cars/{car.id}/communities/{circle.id}", want=404) == "not-found"


def test_a_quote_of_an_ended_community_is_not_booked(scene: Scene) -> None:
    begin = scene.rental.to_at + timedelta(hours=1)
    span = {"from_": begin, "to": begin + timedelta(hours=1)}
    quoted = quote.quote(scene.max.id, {"car": scene.car_id, **span})
    make.end(scene.olga.id, scene.community.id)
    with pytest.raises(NotFound):
        book.book(scene.max.id, {"quote": quoted.id, "accept": quoted.conditions})


def facts_of(kind: str, community: str) -> list[dict[str, Any]]:
    rows = session.execute(
        text("select data from facts where kind = :kind and data ->> 'community' = :community order by seq"),
        {"kind": kind, "community": community},
    ).scalars()
    return list(rows)


def test_what_was_booked_is_cancelled_at_no_cost_and_no_car_stays_shared(scene: Scene) -> None:
    make.end(scene.olga.id, scene.community.id)
    removed = facts_of("MemberRemoved", scene.community.id)
    assert {one["person"] for one in removed} == {scene.olga.id, scene.max.id}
    for one in removed:
        expire.cancel_of_member(MemberRemoved(**one))
    (ended,) = facts_of("CommunityEnded", scene.community.id)
    add.end_shares(CommunityEnded(**ended))
    session.expire_all()
    assert scene.rental.state == "cancelled"
    shares = session.scalars(select(CarShare).where(CarShare.community_id == scene.community.id)).all()
    assert shares
    assert all(one.ended_at is not None for one in shares)


def test_a_rental_under_way_runs_to_its_lock(scene: Scene) -> None:
    scene.set_state("active")
    make.end(scene.olga.id, scene.community.id)
    for one in facts_of("MemberRemoved", scene.community.id):
        expire.cancel_of_member(MemberRemoved(**one))
    session.expire_all()
    assert scene.rental.state == "active"


def test_a_community_that_owns_a_car_is_not_ended(circle: Circle) -> None:
    car = factories.car(circle.olga.person, community=circle.id)
    answer = circle.olga.answer("DELETE", f"/communities/{circle.id}")
    assert (answer.status_code, answer.get_json()["by"]) == (409, [f"car {car.id}"])
    circle.max("GET", f"/communities/{circle.id}", want=200)


def test_the_end_waits_for_a_booking_under_way_and_cancels_it_too(house: Flask, scene: Scene) -> None:
    """The booking holds the membership it books by; the end, which has waited, leaves nothing booked behind."""
    begin = scene.rental.to_at + timedelta(hours=1)
    quoted = quote.quote(
        scene.max.id, {"car": scene.car_id, "from_": begin, "to": begin + timedelta(hours=1)}
    )
    booked = threading.Event()

    def end() -> None:
        with house.app_context():
            booked.wait(10)
            make.end(scene.olga.id, scene.community.id)

    ending = threading.Thread(target=end)
    ending.start()

    @transactional
    def check() -> str:
        made = book.book(scene.max.id, {"quote": quoted.id, "accept": quoted.conditions})
        booked.set()
        ending.join(0.3)
        assert ending.is_alive()
        return made.id

    made = check()
    ending.join(10)
    for one in facts_of("MemberRemoved", scene.community.id):
        expire.cancel_of_member(MemberRemoved(**one))
    session.expire_all()
    assert session.get_one(Rental, made).state == "cancelled"

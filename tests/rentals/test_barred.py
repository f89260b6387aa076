"""Who may not book any more: removed, blocked or suspended. What they have booked, named and shared; and who comes back."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from app.cars import add
from app.cars.models import CarShare
from app.communities import leave
from app.communities import make as communities
from app.communities.models import Membership
from app.facts import MemberRemoved, MembershipChanged, UnlockFailed
from app.kit import clock
from app.kit.db import session, transactional
from app.rentals import expire, outcome
from carbox.box import Answer, AnswerKind
from tests.billing.desk import Desk
from tests.rentals.barring import bar
from tests.rentals.plans import Plan, plan
from tests.rentals.scene import Scene
from tests.rentals.test_changes_of_plan import covered_for, given
from tests.rentals.test_ends import stands
from tests.rentals.test_grant import react


@pytest.fixture
def one(desk: Desk) -> Plan:
    """Max's phone may fetch a grant for Olga's car."""
    made = plan(desk)
    made.companion(made.lending.car_id)
    return made


def barred(one: Plan, how: str) -> None:
    """With whatever follows from it."""
    session.rollback()
    bar(one.lending.max.id, how, community=one.lending.community, by=one.lending.olga.id)
    one.follow()


@pytest.mark.parametrize("how", ["blocked", "suspended"])
def test_who_may_not_book_any_more_loses_what_is_booked_at_no_cost_and_keeps_the_car_that_is_out(
    one: Plan, how: str
) -> None:
    booked = one.book(begins=5)
    grant = given(one, booked)
    out = one.out(hours=2)
    one.news()
    barred(one, how)
    shown = one.get(one.lending.olga, f"/rentals/{booked}")
    assert (shown["state"], one.till(booked)) == ("cancelled", (0, 0, 0))
    assert [row.revoked_for for row in one.grants(booked)] == [how]
    assert covered_for(one, booked, grant)
    # a suspension's own message says it of all bookings
    told = ["member_blocked", "rental_cancelled.driver"] if how == "blocked" else []
    assert one.news() == {
        "Max": [*told, "payment_released.driver"],
        "Olga": ["rental_cancelled.owner"],
    }
    assert one.get(one.lending.olga, f"/rentals/{out}")["state"] == "active"
    assert one.covers(out) == [(one.lending.car_id, "active")]


def test_a_request_of_a_blocked_member_is_cancelled_and_nothing_comes_back_with_the_block_lifted(
    desk: Desk,
) -> None:
    one = plan(desk)
    rules = {"rules": {"approval": "always"}}
    communities.change(one.lending.olga.id, one.lending.community, rules, lambda _: None)
    rental = one.book(begins=5)
    barred(one, "blocked")
    assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "cancelled"
    leave.change(
        one.lending.olga.id, one.lending.community, one.lending.max.id, {"blocked": False}, lambda _: None
    )
    one.follow()
    assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "cancelled"
    one.post(one.lending.olga, f"/rentals/{rental}/approve", 409)


def test_another_fare_cancels_nothing(one: Plan) -> None:
    rental = one.book(begins=5)
    leave.change(
        one.lending.olga.id, one.lending.community, one.lending.max.id, {"fare": "free"}, lambda _: None
    )
    one.follow()
    assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "booked"


@pytest.mark.parametrize("how", ["left", "blocked", "suspended", "still a member"])
def test_doors_that_stayed_shut_leave_no_booking_to_who_may_not_book_any_more(scene: Scene, how: str) -> None:
    command = scene.unlock()
    olga, driver, circle = scene.olga.id, scene.max.id, scene.community.id
    if how == "still a member":
        react(MembershipChanged(circle, driver, by=olga, fare="free"))
    else:
        react(bar(driver, how, community=circle, by=olga))
    assert stands(scene)[0] == "unlocking", "it may be out"
    outcome.apply(command.id, Answer(AnswerKind.REFUSED))
    assert stands(scene)[0] == "booked"
    react(UnlockFailed(scene.rental_id, command.id, reason="not_done"))
    assert stands(scene)[0] == ("booked" if how == "still a member" else "cancelled")


def test_a_car_is_no_longer_lent_where_its_owner_has_left(scene: Scene) -> None:
    theirs = Membership.community_id == scene.community.id, Membership.person_id == scene.olga.id
    session.execute(update(Membership).where(*theirs).values(ended_at=clock.now()))
    add.end_shares_of_leaver(
        MemberRemoved(community=scene.community.id, person=scene.olga.id, by=scene.olga.id)
    )
    session.commit()
    assert session.get_one(CarShare, (scene.car_id, scene.community.id)).ended_at is not None
    assert scene.rental.state == "booked"


@transactional
def joined(scene: Scene, at: datetime) -> None:
    """Max's membership is one that began then."""
    theirs = Membership.community_id == scene.community.id, Membership.person_id == scene.max.id
    session.execute(update(Membership).where(*theirs).values(made_at=at))


@pytest.mark.parametrize(("later_s", "state"), [(0, "booked"), (1, "cancelled")], ids=["since", "before"])
def test_the_end_of_a_membership_takes_what_was_booked_before_who_left_came_back(
    scene: Scene, later_s: int, state: str
) -> None:
    """The worker comes to it only now."""
    joined(scene, scene.rental.made_at + timedelta(seconds=later_s))
    expire.cancel_of_member(MemberRemoved(scene.community.id, scene.max.id, by=scene.olga.id))
    session.expire_all()
    assert scene.rental.state == state

"""The waiting list over HTTP: what frees is held for whoever has waited longest and may have it, with a time to answer."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine, delete, select, text

from app.billing.models import Payment
from app.billing.states import State
from app.cars import add, block, occupancy, terms, windows
from app.cars.calendar_models import Window
from app.cars.models import CarShare
from app.communities import accept, invite, leave, make
from app.communities.models import Community
from app.facts import MemberRemoved, MembershipChanged, TermsChanged
from app.kit import clock
from app.kit.clock import z
from app.kit.db import db, session
from app.kit.deadlines import Deadline
from app.people import conditions
from app.people.models import Person
from app.rentals import cancel, freed, waits
from app.rentals import quote as quotes
from app.rentals.wait_models import Wait
from tests import factories
from tests.kit.asking import session_of
from tests.rentals.scene import Scene

HOUR = timedelta(hours=1)
CONDITIONS = ["rental-2026-1", "insurance-2026-1"]


class List:
    """Who waits for the scene's car, in a span that a block takes."""

    def __init__(self, app: Flask, scene: Scene) -> None:
        self.app, self.scene = app, scene
        self.day = (clock.now() + timedelta(days=20)).replace(hour=9, minute=0, second=0, microsecond=0)
        self.block = self.blocked()
        self.nina = member(scene)

    def blocked(self) -> str:
        body = {"from_at": self.day, "to_at": self.day + 4 * HOUR, "kind": "own_use"}
        return block.add(self.scene.olga.id, self.scene.car_id, body).id

    def __call__(self, who: Person, method: str, path: str, status: int, body: Any = None) -> Any:
        session.rollback()
        headers = session_of(who).headers | {"Idempotency-Key": uuid.uuid4().hex}
        answer = self.app.test_client().open(f"/v1{path}", method=method, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json

    def wait(self, who: Person, status: int = 201, *, hours: float = 2, **what: Any) -> Any:
        what = what or {"car": self.scene.car_id}
        span = {"from": z(self.day), "to": z(self.day + hours * HOUR)}
        made = self(who, "POST", "/me/waits", status, what | span)
        self.work()
        return made

    def work(self) -> None:
        """What the due-runner does with this community's waits and with cars of which something was freed."""
        session.rollback()
        shared = select(CarShare.car_id).where(CarShare.community_id == self.scene.community.id)
        waited = select(Wait.id).where(
            Wait.car_id.in_(shared) | (Wait.community_id == self.scene.community.id)
        )
        for kind, refs, step in (("wait_look", waited, freed.look), ("freed", shared, freed.offer)):
            due = (
                Deadline.kind == kind,
                Deadline.due_at <= clock.now(),
                Deadline.ref.in_(list(session.scalars(refs))),
            )
            for ref in session.scalars(delete(Deadline).where(*due).returning(Deadline.ref)).all():
                step(ref)
            session.commit()

    def free(self) -> None:
        block.remove(self.scene.olga.id, self.scene.car_id, self.block)
        self.work()

    def of(self, who: Person) -> list[tuple[str, bool]]:
        """State of each, and whether something is offered."""
        found = self(who, "GET", "/me/waits", 200)["items"]
        return [(one["state"], one["offer"] is not None) for one in found]

    def book(self, who: Person, status: int = 201) -> Any:
        offer = self(who, "GET", "/me/waits", 200)["items"][0]["offer"]
        return self(who, "POST", "/rentals", status, {"quote": offer["quote"], "accept": CONDITIONS})


def member(scene: Scene, name: str = "Nina Neighbour") -> Person:
    """Another member who may book."""
    person = factories.person(name)
    invitation = invite.invite(scene.olga.id, scene.community.id, {"email": person.email, "fare": "free"})
    accept.accept(person.id, invite.code_of(invitation.id))
    factories.licensed(person, scene.olga, scene.community)
    conditions.accept(person.id, ["insurance-2026-1"])
    return person


@pytest.fixture
def waiting(app: Flask, scene: Scene) -> List:
    return List(app, scene)


def busy(waiting: List) -> list[str]:
    car = waiting.scene.car
    return [kind for kind, *_ in occupancy.spans(car, waiting.day, waiting.day + HOUR)]


def test_what_frees_is_held_for_who_has_waited_longest(waiting: List) -> None:
    waiting.wait(waiting.nina)
    waiting.wait(waiting.scene.max)
    assert waiting.of(waiting.nina) == [("waiting", False)]
    waiting.free()
    assert waiting.of(waiting.nina) == [("offered", True)]
    assert waiting.of(waiting.scene.max) == [("waiting", False)]
    assert busy(waiting) == [occupancy.OFFER]


def test_what_is_held_is_booked_by_its_quote_and_by_nobody_else(waiting: List) -> None:
    waiting.wait(waiting.nina)
    waiting.free()
    span = {"car": waiting.scene.car_id, "from": z(waiting.day), "to": z(waiting.day + HOUR)}
    waiting(waiting.scene.max, "POST", "/quotes", 409, span)
    rental = waiting.book(waiting.nina)
    assert rental["state"] == "booked"
    assert waiting.of(waiting.nina) == [("taken", False)]
    assert busy(waiting) == ["rental"]


def test_who_does_not_answer_in_time_makes_room_for_the_next(waiting: List) -> None:
    waiting.wait(waiting.nina)
    waiting.wait(waiting.scene.max)
    waiting.free()
    [row] = (
        session.query(Deadline)
        .filter_by(kind="wait_answer")
        .filter(
            Deadline.ref.in_([one["id"] for one in waiting(waiting.nina, "GET", "/me/waits", 200)["items"]])
        )
    )
    assert row.due_at - clock.now() <= freed.ANSWER_WITHIN
    clock.forward(freed.ANSWER_WITHIN + timedelta(seconds=1))
    freed.over(row.ref)
    waiting.work()
    assert waiting.of(waiting.nina) == [("lapsed", False)]
    assert waiting.of(waiting.scene.max) == [("offered", True)]


def test_an_offer_that_ran_out_is_not_booked(waiting: List) -> None:
    waiting.wait(waiting.nina)
    waiting.free()
    offer = waiting(waiting.nina, "GET", "/me/waits", 200)["items"][0]["offer"]
    clock.forward(freed.ANSWER_WITHIN + timedelta(seconds=1))
    body = {"quote": offer["quote"], "accept": CONDITIONS}
    assert waiting(waiting.nina, "POST", "/rentals", 410, body)["type"] == "/problems/quote-expired"


def test_who_waits_no_longer_makes_room(waiting: List) -> None:
    made = waiting.wait(waiting.nina)
    waiting.wait(waiting.scene.max)
    waiting.free()
    waiting(waiting.nina, "DELETE", f"/me/waits/{made['id']}", 204)
    waiting.work()
    assert waiting.of(waiting.scene.max) == [("offered", True)]


def test_who_may_not_have_it_is_passed_over(waiting: List) -> None:
    waiting.wait(waiting.nina)
    waiting.wait(waiting.scene.max)
    leave.leave(waiting.nina.id, waiting.scene.community.id, waiting.nina.id)
    waiting.free()
    assert waiting.of(waiting.nina) == [("waiting", False)]
    assert waiting.of(waiting.scene.max) == [("offered", True)]


def test_a_community_is_waited_for_as_a_whole(waiting: List) -> None:
    waiting.wait(waiting.nina, community=waiting.scene.community.id)
    waiting.free()
    [row] = waiting(waiting.nina, "GET", "/me/waits", 200)["items"]
    assert row["offer"]["car"] == waiting.scene.car_id


def test_of_a_community_every_free_car_is_looked_at(waiting: List) -> None:
    scene = waiting.scene
    for _ in range(6):
        too_long = factories.shared(scene.olga, scene.community)
        terms.put(scene.olga.id, too_long.id, scene.community.id, {"min_min": 600})
    fits = factories.shared(scene.olga, scene.community)
    waiting.wait(waiting.nina, community=scene.community.id)
    [row] = waiting(waiting.nina, "GET", "/me/waits", 200)["items"]
    assert row["offer"]["car"] == fits.id


def test_what_is_too_far_ahead_is_offered_when_it_may_be_booked(waiting: List) -> None:
    far, scene = waiting.day - timedelta(days=1), waiting.scene
    circle = session.get_one(Community, scene.community.id)
    circle.rules = {**circle.rules, "days_ahead": 10}
    session.commit()
    waiting.free()
    waiting.wait(waiting.nina)
    assert waiting.of(waiting.nina) == [("waiting", False)]
    clock.forward(far - timedelta(days=10) - clock.now())
    waiting.work()
    assert waiting.of(waiting.nina) == [("waiting", False)]
    clock.forward(timedelta(days=1))
    waiting.work()
    assert waiting.of(waiting.nina) == [("offered", True)]


def test_nobody_has_two_cars_held_for_one_time(waiting: List) -> None:
    other = factories.shared(waiting.scene.olga, waiting.scene.community)
    made = waiting.wait(waiting.nina, car=other.id)
    waiting.wait(waiting.nina)
    waiting.free()
    assert waiting.of(waiting.nina) == [("waiting", False), ("offered", True)]
    waiting(waiting.nina, "DELETE", f"/me/waits/{made['id']}", 204)
    waiting.work()
    assert waiting.of(waiting.nina) == [("offered", True)]


def test_for_two_times_they_may(waiting: List) -> None:
    waiting.wait(waiting.nina)
    other = factories.shared(waiting.scene.olga, waiting.scene.community)
    later = {"from": z(waiting.day + 2 * HOUR), "to": z(waiting.day + 3 * HOUR)}
    waiting(waiting.nina, "POST", "/me/waits", 201, {"car": other.id, **later})
    waiting.free()
    assert waiting.of(waiting.nina) == [("offered", True), ("offered", True)]


def test_once_one_is_booked_the_other_may_be_offered(waiting: List) -> None:
    other = factories.shared(waiting.scene.olga, waiting.scene.community)
    waiting.free()
    waiting.wait(waiting.nina, car=other.id)
    waiting.wait(waiting.nina)
    offer = waiting(waiting.nina, "GET", "/me/waits", 200)["items"][1]["offer"]
    waiting(waiting.nina, "POST", "/rentals", 201, {"quote": offer["quote"], "accept": CONDITIONS})
    waiting.work()
    assert waiting.of(waiting.nina) == [("offered", True), ("taken", False)]


def test_who_is_blocked_no_longer_is_offered_what_is_free(waiting: List) -> None:
    scene = waiting.scene
    waiting.wait(waiting.nina)
    leave.change(scene.olga.id, scene.community.id, waiting.nina.id, {"blocked": True}, lambda _: None)
    waiting.free()
    assert waiting.of(waiting.nina) == [("waiting", False)]
    leave.change(scene.olga.id, scene.community.id, waiting.nina.id, {"blocked": False}, lambda _: None)
    freed.on_allowed(
        MembershipChanged(community=scene.community.id, person=waiting.nina.id, by=scene.olga.id)
    )
    waiting.work()
    assert waiting.of(waiting.nina) == [("offered", True)]


def test_new_terms_may_allow_what_the_old_did_not(waiting: List) -> None:
    scene = waiting.scene
    waiting.free()
    terms.put(scene.olga.id, scene.car_id, scene.community.id, {"min_min": 600})
    waiting.wait(waiting.nina)
    assert waiting.of(waiting.nina) == [("waiting", False)]
    terms.put(scene.olga.id, scene.car_id, scene.community.id, {})
    freed.on_terms(TermsChanged(car=scene.car_id, community=scene.community.id, version=3))
    waiting.work()
    assert waiting.of(waiting.nina) == [("offered", True)]


def test_a_car_is_waited_for_through_each_community_that_has_it(waiting: List) -> None:
    scene, nina = waiting.scene, waiting.nina
    second = make.make(scene.olga.id, {"name": "Others", "kind": "circle"})
    invitation = invite.invite(scene.olga.id, second.id, {"email": nina.email, "fare": "priced"})
    accept.accept(nina.id, invite.code_of(invitation.id))
    add.share(scene.olga.id, scene.car_id, second.id)
    terms.put(scene.olga.id, scene.car_id, second.id, factories.FREE)
    terms.put(scene.olga.id, scene.car_id, scene.community.id, {"min_min": 600})
    waiting.wait(nina)
    waiting.free()
    assert waiting.of(nina) == [("offered", True)]


def test_who_may_have_it_for_another_reason_is_offered_it_within_the_hour(waiting: List) -> None:
    scene, nina = waiting.scene, waiting.nina
    waiting.wait(nina)
    leave.leave(nina.id, scene.community.id, nina.id)
    waiting.free()
    invitation = invite.invite(scene.olga.id, scene.community.id, {"email": nina.email, "fare": "free"})
    accept.accept(nina.id, invite.code_of(invitation.id))
    clock.forward(timedelta(minutes=59))
    waiting.work()
    assert waiting.of(nina) == [("waiting", False)]
    clock.forward(timedelta(minutes=2))
    waiting.work()
    assert waiting.of(nina) == [("offered", True)]


def test_who_is_looked_at_by_another_just_then_keeps_their_place(waiting: List) -> None:
    waiting.wait(waiting.nina)
    with create_engine(db.engine.url, poolclass=NullPool).connect() as other:
        other.execute(text("select from waits where person_id = :id for update"), {"id": waiting.nina.id[4:]})
        waiting.free()
        other.rollback()
    assert waiting.of(waiting.nina) == [("waiting", False)]
    clock.forward(timedelta(seconds=2))
    waiting.work()
    assert waiting.of(waiting.nina) == [("offered", True)]


def test_what_is_held_of_a_car_that_is_lent_there_no_more_is_held_no_longer(waiting: List) -> None:
    scene = waiting.scene
    waiting.wait(waiting.nina)
    waiting.free()
    add.unshare(scene.olga.id, scene.car_id, scene.community.id)
    session.rollback()
    freed.offer(scene.car_id)
    assert waiting.of(waiting.nina) == [("lapsed", False)]
    assert busy(waiting) == []


def test_nobody_waits_for_a_car_that_is_gone(waiting: List) -> None:
    scene = waiting.scene
    other = factories.shared(scene.olga, scene.community)
    block.add(
        scene.olga.id, other.id, {"from_at": waiting.day, "to_at": waiting.day + HOUR, "kind": "own_use"}
    )
    waiting.wait(waiting.nina, car=other.id)
    add.remove(scene.olga.id, other.id)
    freed.offer(other.id)
    assert waiting.of(waiting.nina) == [("lapsed", False)]


def test_an_owner_may_block_the_buffer_of_what_is_held(waiting: List) -> None:
    scene = waiting.scene
    terms.put(scene.olga.id, scene.car_id, scene.community.id, {"buffer_min": 60})
    waiting.wait(waiting.nina)
    waiting.free()
    begins = waiting.day + 2 * HOUR
    body = {"from": z(begins), "to": z(begins + HOUR), "kind": "own_use"}
    waiting(scene.olga, "POST", f"/cars/{scene.car_id}/blocks", 201, body)
    assert waiting.of(waiting.nina) == [("offered", True)]


def test_what_is_free_already_is_offered_at_once(waiting: List) -> None:
    block.remove(waiting.scene.olga.id, waiting.scene.car_id, waiting.block)
    waiting.wait(waiting.nina)
    assert waiting.of(waiting.nina) == [("offered", True)]


def test_a_cancelled_rental_frees_its_slot(waiting: List) -> None:
    waiting.free()
    span = {"car": waiting.scene.car_id, "from_": waiting.day, "to": waiting.day + HOUR}
    quoted = quotes.quote(waiting.nina.id, span)
    rental = waiting(waiting.nina, "POST", "/rentals", 201, {"quote": quoted.id, "accept": CONDITIONS})
    waiting.wait(waiting.scene.max)
    assert waiting.of(waiting.scene.max) == [("waiting", False)]
    cancel.cancel(waiting.nina.id, rental["id"], "another plan")
    waiting.work()
    assert waiting.of(waiting.scene.max) == [("offered", True)]


def test_a_new_window_frees_its_time(app: Flask, scene: Scene) -> None:
    one = List(app, scene)
    session.rollback()
    for row in session.query(Window).filter_by(car_id=scene.car_id):
        windows.remove(scene.olga.id, scene.car_id, row.id)
    one.free()
    one.wait(one.nina)
    assert one.of(one.nina) == [("waiting", False)]
    local = clock.now().replace(tzinfo=None, microsecond=0)
    windows.add(scene.olga.id, scene.car_id, {"from_": local, "to": local + timedelta(days=40)})
    one.work()
    assert one.of(one.nina) == [("offered", True)]


def test_a_wait_ends_at_its_start(waiting: List) -> None:
    made = waiting.wait(waiting.nina)
    assert session.get_one(Deadline, ("wait_over", made["id"])).due_at == waiting.day
    freed.over(made["id"])
    assert waiting.of(waiting.nina) == [("lapsed", False)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"car": "car_" + "0" * 32, "community": "com_" + "0" * 32},
        {"car": "car_" + "0" * 32, "to": "2000-01-01T00:00:00Z"},
    ],
)
def test_a_wait_names_one_car_or_one_community_and_a_span_to_come(
    waiting: List, body: dict[str, Any]
) -> None:
    span = {"from": z(waiting.day), "to": z(waiting.day + HOUR)}
    waiting(waiting.nina, "POST", "/me/waits", 422, span | body)


def test_for_a_car_one_may_not_see_nobody_waits(waiting: List) -> None:
    waiting.wait(factories.person("Charlie"), 404)


def test_ten_waits_are_enough(waiting: List) -> None:
    begins: datetime = waiting.day
    for number in range(10):
        start = begins + number * HOUR / 10
        waits.add(waiting.nina.id, {"car": waiting.scene.car_id, "from_at": start, "to_at": start + HOUR})
    waiting.wait(waiting.nina, 409)


def test_those_who_may_not_have_it_keep_it_from_nobody_behind_them(waiting: List) -> None:
    """As many as are judged in one go, all of them shorter than the terms let a rental be."""
    scene = waiting.scene
    for name in ("Pat Person", "Charlie Stranger"):
        person = member(scene, name).id
        for number in range(10):
            start = waiting.day + number * HOUR / 10
            waits.add(person, {"car": scene.car_id, "from_at": start, "to_at": start + HOUR / 10})
    waiting.wait(waiting.nina)
    terms.put(scene.olga.id, scene.car_id, scene.community.id, {"min_min": 30})
    waiting.free()
    assert waiting.of(waiting.nina) == [("offered", True)]


def test_what_is_held_has_room_for_its_buffer(waiting: List) -> None:
    """Else it could not be booked, and whoever waited would have lost their place for nothing."""
    scene = waiting.scene
    terms.put(scene.olga.id, scene.car_id, scene.community.id, {"buffer_min": 60})
    block.remove(scene.olga.id, scene.car_id, waiting.block)
    span = {"car": scene.car_id, "from_": waiting.day + 2.5 * HOUR, "to": waiting.day + 4 * HOUR}
    quoted = quotes.quote(scene.max.id, span)
    rental = waiting(scene.max, "POST", "/rentals", 201, {"quote": quoted.id, "accept": CONDITIONS})["id"]
    waiting.wait(waiting.nina)
    assert waiting.of(waiting.nina) == [("waiting", False)]
    cancel.cancel(scene.max.id, rental, "another plan")
    waiting.work()
    assert waiting.book(waiting.nina)["state"] == "booked"


def test_an_offer_whose_wait_was_ended_is_not_booked(waiting: List) -> None:
    made = waiting.wait(waiting.nina)
    waiting.free()
    offer = waiting(waiting.nina, "GET", "/me/waits", 200)["items"][0]["offer"]
    waiting(waiting.nina, "DELETE", f"/me/waits/{made['id']}", 204)
    body = {"quote": offer["quote"], "accept": CONDITIONS}
    assert waiting(waiting.nina, "POST", "/rentals", 410, body)["type"] == "/problems/quote-expired"


def test_a_car_that_is_unsafe_is_offered_to_nobody(waiting: List) -> None:
    waiting.wait(waiting.nina)
    waiting.scene.car.unsafe = True
    session.commit()
    waiting.free()
    assert waiting.of(waiting.nina) == [("waiting", False)]


def test_who_is_removed_while_something_is_held_for_them_makes_room(waiting: List) -> None:
    waiting.wait(waiting.nina)
    waiting.wait(waiting.scene.max)
    waiting.free()
    scene, nina = waiting.scene, waiting.nina
    leave.leave(scene.olga.id, scene.community.id, nina.id)
    freed.on_left(MemberRemoved(community=scene.community.id, person=nina.id, by=scene.olga.id))
    waiting.work()
    assert waiting.of(scene.max) == [("offered", True)]


def test_a_suspended_person_is_passed_over(waiting: List) -> None:
    waiting.wait(waiting.nina)
    session.get_one(Person, waiting.nina.id).suspended_at = clock.now()
    session.commit()
    waiting.free()
    assert session.scalars(waits.mine(waiting.nina.id)).one().state == "waiting"


def test_who_has_an_unpaid_rental_is_passed_over(waiting: List) -> None:
    waiting.wait(waiting.nina)
    waiting.wait(waiting.scene.max)
    unpaid = Payment(
        rental_id=waiting.scene.rental_id,
        person_id=waiting.nina.id,
        payee=waiting.scene.olga.id,
        purpose="rent",
        state=State.ARREARS.value,
        currency="EUR",
        amount=500,
        owed=500,
        on_session=False,
        starts_at=clock.now(),
        made_at=clock.now(),
        changed_at=clock.now(),
    )
    session.add(unpaid)
    session.commit()
    waiting.free()
    assert waiting.of(waiting.nina) == [("waiting", False)]
    assert waiting.of(waiting.scene.max) == [("offered", True)]

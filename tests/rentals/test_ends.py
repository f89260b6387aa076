"""Ends that nobody planned: the doors never opened, a lock that came back late, a close by hand with an objection."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.cars import add, custody
from app.communities import leave
from app.communities import make as communities
from app.coverage import cover, master_policies
from app.coverage.models import Confirmation
from app.facts import (
    ConfirmationRefused,
    PaymentSucceeded,
    ReceiptReady,
    RentalEnded,
    RentalStarted,
)
from app.kit import clock
from app.kit.clock import z
from app.kit.db import session
from app.kit.errors import NotReady
from app.kit.facts import FactRow
from app.people.models import Phone
from app.rentals import (
    book,
    cancel,
    close,
    expire,
    extend,
    lock,
    outcome,
    pause,
    reading,
    receipts,
    represent,
    unlock,
)
from app.rentals.claim import Claim, claim
from app.rentals.lifecycle import State
from app.rentals.models import Command, Quote
from carbox.box import Answer, AnswerKind, BoxState, Evidence, Reading
from tests.coverage.factories import doing
from tests.rentals.scene import Scene

AT = datetime(2026, 1, 1, tzinfo=UTC)
SILENT = Answer(AnswerKind.SILENT)


def done(**state: Any) -> Answer:
    return Answer(
        AnswerKind.CONFIRMED,
        evidence=Evidence.STRONG,
        effect=True,
        dead=True,
        answered_at=clock.real_now(),
        state=says(**state),
    )


def says(**state: Any) -> BoxState:
    came = clock.real_now()
    return BoxState({name: Reading(name, value, came, retained=False) for name, value in state.items()})


def at_a_price(scene: Scene, hour: int = 600) -> None:
    scene.rental.terms = {**scene.rental.terms, "currency": "EUR", "hour": hour}
    scene.rental.fare = "priced"
    session.commit()


def out(scene: Scene) -> None:
    outcome.apply(scene.unlock().id, done(locked=False))
    scene.reads(locked=False)


def locks(scene: Scene) -> Command:
    return lock.lock(scene.caller(), scene.rental_id, keys_in_glove_box=True)


def recorded(kind: type, rental: str) -> int:
    rows = session.scalars(select(FactRow).where(FactRow.kind == kind.__name__))
    return sum(row.data["rental"] == rental for row in rows)


def stands(scene: Scene) -> tuple[str, str]:
    """Rental and cover."""
    session.expire_all()
    bound = cover.of(scene.rental_id)
    assert bound is not None
    return scene.rental.state, bound.state


def total(scene: Scene) -> int:
    session.expire_all()
    found = scene.rental.final_price
    assert found is not None
    return int(found["total"]["amount"])


# -- doors that never opened -----------------------------------------------------------------------------------------


def test_doors_that_never_opened_cost_nothing_at_the_lock(scene: Scene) -> None:
    at_a_price(scene)
    outcome.apply(scene.unlock().id, SILENT)
    outcome.apply(locks(scene).id, done(locked=True))
    assert (scene.rental.state, total(scene)) == ("ended", 0)
    bound = cover.of(scene.rental_id)
    assert bound is not None
    assert bound.charged_minutes == 0


def test_doors_that_never_opened_cost_nothing_when_the_owner_closes(scene: Scene) -> None:
    at_a_price(scene)
    outcome.apply(scene.unlock().id, SILENT)
    clock.forward(timedelta(hours=3))
    close.close(scene.olga.id, scene.rental_id)
    assert total(scene) == 0


def test_a_car_that_was_driven_all_the_same_is_paid_for(scene: Scene) -> None:
    at_a_price(scene)
    outcome.apply(scene.unlock().id, SILENT)
    outcome.apply(locks(scene).id, done(locked=True, odometer_km=1230.0))
    assert total(scene) >= 1200
    assert scene.rental.started_at is not None


# -- a lock left without an answer -----------------------------------------------------------------------------------


def test_use_after_a_silent_lock_makes_it_active_and_a_later_locked_car_ends_nothing(scene: Scene) -> None:
    out(scene)
    outcome.apply(locks(scene).id, SILENT)
    reading.take(scene.box.username, says(drivable=True))
    reading.take(scene.box.username, says(drivable=False, locked=True))
    session.expire_all()
    assert (scene.rental.state, scene.rental.keys_stated) == ("active", None)
    bound = cover.of(scene.rental_id)
    assert bound is not None
    assert bound.state == "active"


def nobody_saw_it_open(scene: Scene) -> str:
    """Unlock and lock are left without an answer, and the driver asks to get back in."""
    outcome.apply(scene.unlock().id, SILENT)
    outcome.apply(locks(scene).id, SILENT)
    return unlock.unlock(scene.caller(), scene.rental_id).id


@pytest.mark.parametrize(
    "answers", [[done(locked=False)], [SILENT, done(locked=False)]], ids=["answered", "answered late"]
)
def test_getting_in_begins_a_rental_whose_doors_nobody_saw_open(scene: Scene, answers: list[Answer]) -> None:
    command = nobody_saw_it_open(scene)
    for answer in answers:
        outcome.apply(command, answer)
    assert stands(scene) == ("active", "active")
    assert scene.rental.started_at is not None
    assert recorded(RentalStarted, scene.rental_id) == 1


def test_use_begins_a_rental_whose_doors_nobody_saw_open(scene: Scene) -> None:
    outcome.apply(scene.unlock().id, SILENT)
    outcome.apply(locks(scene).id, SILENT)
    reading.take(scene.box.username, says(drivable=True))
    session.expire_all()
    bound = cover.of(scene.rental_id)
    assert bound is not None
    assert (scene.rental.state, bound.state) == ("active", "active")
    assert scene.rental.started_at is not None


def test_a_lost_lock_that_was_done_after_all_ends_the_rental_from_active(scene: Scene) -> None:
    out(scene)
    lost = locks(scene).id
    outcome.apply(lost, SILENT)
    outcome.apply(unlock.unlock(scene.caller(), scene.rental_id).id, None, "unreachable")
    outcome.apply_late(lost, done(locked=True))
    session.expire_all()
    assert scene.rental.state == "ended"


def test_a_late_answer_is_no_proof_of_a_lock_that_was_read_before_it(scene: Scene) -> None:
    out(scene)
    lost = locks(scene).id
    outcome.apply(lost, SILENT)
    scene.reads(locked=True)
    clock.forward(timedelta(seconds=5))
    outcome.apply_late(lost, Answer(AnswerKind.CONFIRMED, dead=True, answered_at=clock.real_now()))
    assert stands(scene) == ("locking", "active")
    reading.take(scene.box.username, says(locked=True))
    assert stands(scene) == ("ended", "closed")


def test_who_got_back_in_since_then_keeps_the_car(scene: Scene) -> None:
    out(scene)
    lost = locks(scene).id
    outcome.apply(lost, SILENT)
    outcome.apply(unlock.unlock(scene.caller(), scene.rental_id).id, done(locked=False))
    outcome.apply_late(lost, done(locked=True))
    session.expire_all()
    assert scene.rental.state == "active"


def still_out(scene: Scene, began: Answer) -> str:
    """A lock is left without an answer, and the driver says that they still have the car."""
    outcome.apply(scene.unlock().id, began)
    scene.reads(locked=False)
    lost = locks(scene).id
    outcome.apply(lost, SILENT)
    close.still_have_it(scene.max.id, scene.rental_id)
    return lost


@pytest.mark.parametrize("began", [done(locked=False), SILENT], ids=["opened", "unknown"])
def test_who_still_has_the_car_parks_and_locks_it_without_an_end(scene: Scene, began: Answer) -> None:
    lost = still_out(scene, began)
    reading.take(scene.box.username, says(locked=True))
    assert stands(scene) == ("active", "active")
    scene.reads(locked=True)
    outcome.apply_late(lost, done(locked=True))
    assert stands(scene) == ("active", "active")
    assert scene.rental.keys_stated is None


def test_a_lock_that_is_under_way_when_the_driver_still_has_the_car_ends_nothing(scene: Scene) -> None:
    out(scene)
    asked = locks(scene).id
    close.still_have_it(scene.max.id, scene.rental_id)
    outcome.apply(asked, done(locked=True))
    assert stands(scene) == ("active", "active")
    assert session.get_one(Command, asked).state == "confirmed"


@pytest.mark.parametrize("answer", [done(locked=True), SILENT], ids=["answered", "seen"])
def test_a_later_lock_of_who_still_had_the_car_ends_the_rental(scene: Scene, answer: Answer) -> None:
    still_out(scene, done(locked=False))
    outcome.apply(locks(scene).id, answer)
    reading.take(scene.box.username, says(locked=True))
    assert stands(scene) == ("ended", "closed")


def test_a_pause_answered_late_is_a_pause(scene: Scene) -> None:
    out(scene)
    asked = pause.pause(scene.caller(), scene.rental_id).id
    outcome.apply(asked, SILENT)
    outcome.apply_late(asked, done(locked=True))
    session.expire_all()
    assert scene.rental.paused is True


def test_a_lock_that_expired_unsent_is_not_a_right_that_ended(scene: Scene) -> None:
    out(scene)
    asked = locks(scene)
    session.get_one(Command, asked.id).expires_at = clock.now() - timedelta(seconds=1)
    session.commit()
    assert claim(asked.id, "here") is Claim.EXPIRED


# -- closed by hand --------------------------------------------------------------------------------------------------


def closed(scene: Scene) -> None:
    out(scene)
    clock.forward(timedelta(hours=3))
    close.close(scene.olga.id, scene.rental_id)


def closed_and_objected(scene: Scene) -> None:
    closed(scene)
    assert "still_have_it" in represent.rental(scene.rental, scene.max.id)["links"]
    close.still_have_it(scene.max.id, scene.rental_id)


def test_a_rental_is_not_settled_while_its_driver_says_that_he_still_has_the_car(scene: Scene) -> None:
    closed_and_objected(scene)
    clock.forward(timedelta(days=15))
    expire.settle(scene.rental_id)
    session.expire_all()
    assert scene.rental.stands is State.ENDED


def test_the_box_ends_cover_and_custody_of_a_rental_closed_by_hand_however_late(scene: Scene) -> None:
    closed(scene)
    clock.forward(timedelta(days=15))
    expire.settle(scene.rental_id)
    reading.take(scene.box.username, says(locked=True))
    assert custody.lent_to(scene.car.no) is None
    assert cover.open_of_car(scene.car.no) is None


def test_a_parked_car_ends_no_cover_against_the_driver_who_still_has_it(scene: Scene) -> None:
    closed_and_objected(scene)
    reading.take(scene.box.username, says(locked=True))
    assert custody.lent_to(scene.car.no) is not None
    assert stands(scene) == ("ended", "active")
    close.close_as_operator(scene.rental_id, "the owner has the car back")
    assert custody.lent_to(scene.car.no) is None
    assert stands(scene) == ("ended", "closed")


def test_a_parked_car_leaves_the_driver_the_time_to_object_to_a_close_by_hand(scene: Scene) -> None:
    closed(scene)
    reading.take(scene.box.username, says(locked=True))
    assert stands(scene) == ("ended", "active")
    close.still_have_it(scene.max.id, scene.rental_id)


def test_links_offer_the_close_only_when_it_may_be_taken(scene: Scene) -> None:
    out(scene)
    assert "close" not in represent.rental(scene.rental, scene.olga.id)["links"]
    clock.forward(timedelta(hours=3))
    assert "close" in represent.rental(scene.rental, scene.olga.id)["links"]


# -- who does not come, and who could not ----------------------------------------------------------------------------


def minutes_later(scene: Scene, minutes: int) -> None:
    clock.forward(timedelta(minutes=minutes))
    scene.reads()


def test_who_was_refused_at_the_door_is_no_no_show(scene: Scene) -> None:
    scene.car.unsafe = True
    session.commit()
    with pytest.raises(NotReady):
        scene.unlock()
    scene.car.unsafe = False
    session.commit()
    minutes_later(scene, 61)
    expire.no_show(scene.rental_id)
    session.expire_all()
    assert scene.rental.state == "cancelled"


def test_who_only_tried_from_a_wrong_phone_did_not_come(scene: Scene) -> None:
    session.get_one(Phone, scene.phone.id).confirmed_at = None
    session.commit()
    with pytest.raises(NotReady):
        scene.unlock()
    minutes_later(scene, 61)
    expire.no_show(scene.rental_id)
    session.expire_all()
    assert scene.rental.state == "no_show"


def test_who_was_blocked_before_the_start_could_not_come(scene: Scene) -> None:
    leave.change(scene.olga.id, scene.community.id, scene.max.id, {"blocked": True}, lambda _: None)
    minutes_later(scene, 61)
    expire.no_show(scene.rental_id)
    session.expire_all()
    assert scene.rental.state == "cancelled"


def test_the_time_to_come_runs_from_when_the_car_was_back(scene: Scene) -> None:
    minutes_later(scene, 50)
    doing(
        custody.take,
        scene.car,
        holder="owner",
        person=scene.olga.id,
        rental=None,
        at=custody.next_instant(scene.car),
    )
    minutes_later(scene, 11)
    expire.no_show(scene.rental_id)
    session.expire_all()
    assert scene.rental.state == "booked"
    minutes_later(scene, 50)
    expire.no_show(scene.rental_id)
    session.expire_all()
    assert scene.rental.state == "no_show"


def test_after_a_failed_unlock_the_slot_still_ends(scene: Scene) -> None:
    command = scene.unlock().id
    minutes_later(scene, 61)
    expire.no_show(scene.rental_id)
    outcome.apply(command, None, "unreachable")
    minutes_later(scene, 16)
    expire.no_show(scene.rental_id)
    session.expire_all()
    assert scene.rental.state == "cancelled"


def test_a_car_unsafe_an_hour_before_the_start_is_not_waited_for(scene: Scene) -> None:
    scene.car.unsafe = True
    scene.rental.from_at += timedelta(minutes=50)
    session.commit()
    expire.remind(scene.rental_id)
    session.expire_all()
    assert scene.rental.state == "cancelled"


def refused(scene: Scene, *, confirmed_before: bool) -> None:
    """The insurer has declined what it was asked for this rental."""
    policy = master_policies.in_force(scene.car.country, clock.now())
    assert policy is not None
    session.add(
        Confirmation(
            rental_id=scene.rental_id,
            version=1,
            policy_id=policy.id,
            driver_id=scene.max.id,
            driver_ref="d",
            car={},
            from_at=scene.rental.from_at,
            to_at=scene.rental.to_at,
            state="refused",
            asked_at=clock.now(),
            confirmed_from_at=scene.rental.from_at if confirmed_before else None,
            confirmed_to_at=scene.rental.to_at if confirmed_before else None,
        )
    )
    session.commit()
    fact = ConfirmationRefused(rental=scene.rental_id)
    extend.on_refused(fact)
    expire.cancel_of_uninsured(fact)
    session.expire_all()


def test_what_the_insurer_declines_is_cancelled_at_no_cost(scene: Scene) -> None:
    refused(scene, confirmed_before=False)
    assert scene.rental.state == "cancelled"


def test_a_longer_end_that_the_insurer_declines_is_dropped_and_the_booking_stays(scene: Scene) -> None:
    scene.rental.extension = {"to": z(AT), "quote": scene.rental.quote_id, "state": "asked", "price": {}}
    refused(scene, confirmed_before=True)
    assert scene.rental.state == "booked"
    assert not scene.rental.extension


def test_who_runs_the_car_asks_nobody(scene: Scene) -> None:
    frozen = session.get_one(Quote, scene.rental.quote_id)
    communities.change(scene.olga.id, scene.community.id, {"rules": {"approval": "always"}}, lambda _: None)
    assert book.needs_approval(frozen)
    leave.change(scene.olga.id, scene.community.id, scene.max.id, {"role": "manager"}, lambda _: None)
    scene.car.owner_id, scene.car.community_id = None, scene.community.id
    session.commit()
    assert not book.needs_approval(session.get_one(Quote, scene.rental.quote_id))


# -- rights ----------------------------------------------------------------------------------------------------------


def test_a_booking_outlives_the_end_of_the_sharing(scene: Scene) -> None:
    add.unshare(scene.olga.id, scene.car_id, scene.community.id)
    command = scene.unlock()
    assert claim(command.id, "here") is Claim.MINE


def test_a_blocked_member_opens_nothing(scene: Scene) -> None:
    command = scene.unlock()
    leave.change(scene.olga.id, scene.community.id, scene.max.id, {"blocked": True}, lambda _: None)
    assert claim(command.id, "here") is Claim.NO_LONGER


# -- receipts --------------------------------------------------------------------------------------------------------


def test_a_priced_rental_that_came_to_nothing_has_its_receipt_at_once(scene: Scene) -> None:
    at_a_price(scene)
    outcome.apply(scene.unlock().id, SILENT)
    outcome.apply(locks(scene).id, done(locked=True))
    receipts.on_ended(RentalEnded(rental=scene.rental_id, at=AT, total=0, currency="EUR", by="driver"))
    receipts.on_ended(RentalEnded(rental=scene.rental_id, at=AT, total=0, currency="EUR", by="driver"))
    assert recorded(ReceiptReady, scene.rental_id) == 1


def test_the_share_of_a_cancellation_has_no_receipt(scene: Scene) -> None:
    cancel.cancel(scene.max.id, scene.rental_id, "rain")
    receipts.on_paid(PaymentSucceeded(payment="pay_1", rental=scene.rental_id, amount=100, currency="EUR"))
    assert recorded(ReceiptReady, scene.rental_id) == 0

"""Before a start: what would refuse the unlock is told at the booking, 60 and 10 minutes before, while it can be mended."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from app import due
from app.cars import custody
from app.cars.models import Box
from app.facts import RentalBooked
from app.kit import clock
from app.kit.clock import z
from app.kit.db import session
from app.kit.deadlines import Deadline
from app.kit.facts import FactRow
from app.people.models import Acceptance, Clearance, Phone
from app.rentals import book, cancel, charge_watch, quote, start_check
from app.rentals.models import Rental
from tests.coverage.factories import doing
from tests.rentals.scene import NOW, Scene, make
from tests.rentals.test_readiness import leave_unpaid

HOUR = timedelta(hours=1)


@pytest.fixture
def scene(app: Flask) -> Scene:
    """Max's first rental is over; his next one begins tomorrow."""
    made = make()
    cancel.cancel(made.max.id, made.rental_id, "")
    made.rental_id = booked(made).id
    return made


def booked(scene: Scene, hours: float = 24, lasts: float = 2, **asked: Any) -> Rental:
    start = clock.now() + timedelta(hours=hours)
    span = {"car": scene.car_id, "from_": start, "to": start + timedelta(hours=lasts)}
    quoted = quote.quote(scene.max.id, {**span, **asked})
    return book.book(scene.max.id, {"quote": quoted.id, "accept": quoted.conditions})


def risks(scene: Scene) -> list[tuple[str, int | None]]:
    """What was told of this rental's start: codes, and how long before."""
    rows = select(FactRow.data).where(
        FactRow.kind == "StartAtRisk", FactRow.data["rental"].astext == scene.rental_id
    )
    return [(one["codes"], one["ahead_min"]) for one in session.scalars(rows.order_by(FactRow.seq))]


def planned(scene: Scene) -> dict[str, timedelta]:
    """The checks that wait, and how long before the start they are taken."""
    rows = select(Deadline.kind, Deadline.due_at).where(Deadline.ref == scene.rental_id)
    start = scene.rental.from_at
    kinds = ("start_check", "start_check_again", "charge_watch")
    return {row.kind: start - row.due_at for row in session.execute(rows) if row.kind in kinds}


def wait_for(scene: Scene, ahead: timedelta) -> None:
    """Until so long before the start; the car goes on reporting."""
    session.rollback()
    clock.forward(scene.rental.from_at - ahead - clock.now())
    scene.reads(**NOW)


def take(kind: str, scene: Scene) -> None:
    at = session.execute(
        select(Deadline.due_at).where(Deadline.kind == kind, Deadline.ref == scene.rental_id)
    ).scalar_one()
    session.rollback()
    due._take(kind, scene.rental_id, at)
    session.expire_all()


# -- when ------------------------------------------------------------------------------------------------------------


def test_a_booking_sets_the_checks_before_its_start(scene: Scene) -> None:
    assert planned(scene) == {
        "start_check": timedelta(minutes=60),
        "start_check_again": timedelta(minutes=10),
        "charge_watch": timedelta(hours=6),
    }


def test_what_the_booking_itself_looks_at_is_not_looked_at_again_at_once(scene: Scene) -> None:
    cancel.cancel(scene.max.id, scene.rental_id, "")
    scene.rental_id = booked(scene, hours=0.5).id
    assert planned(scene) == {"start_check_again": timedelta(minutes=10)}


def test_a_cancelled_rental_is_not_checked(scene: Scene) -> None:
    cancel.cancel(scene.max.id, scene.rental_id, "")
    assert planned(scene) == {}
    start_check.early(scene.rental_id)
    assert risks(scene) == []


def test_a_start_that_will_succeed_is_told_nothing(scene: Scene) -> None:
    start_check.booked(RentalBooked(scene.rental_id, None))
    for ahead, kind in ((HOUR, "start_check"), (timedelta(minutes=10), "start_check_again")):
        wait_for(scene, ahead)
        take(kind, scene)
    assert risks(scene) == []


def test_both_checks_say_what_is_still_in_the_way(scene: Scene) -> None:
    no_licence(scene)
    wait_for(scene, HOUR)
    take("start_check", scene)
    wait_for(scene, timedelta(minutes=10))
    take("start_check_again", scene)
    assert risks(scene) == [("licence", 60), ("licence", 10)]


# -- what ------------------------------------------------------------------------------------------------------------


def no_licence(scene: Scene) -> None:
    session.execute(delete(Clearance).where(Clearance.person_id == scene.max.id))
    session.commit()


def no_phone(scene: Scene) -> None:
    session.execute(update(Phone).where(Phone.person_id == scene.max.id).values(confirmed_at=None))
    session.commit()


def nothing_accepted(scene: Scene) -> None:
    accepted = Acceptance.version.startswith("rental")
    session.execute(delete(Acceptance).where(Acceptance.person_id == scene.max.id, accepted))
    session.commit()


def unsafe(scene: Scene) -> None:
    scene.car.unsafe = True
    session.commit()


def silent(scene: Scene) -> None:
    heard = clock.now() - timedelta(minutes=26)
    session.execute(update(Box).where(Box.car_id == scene.car_id).values(last_heard_at=heard))
    session.commit()


def open_door(scene: Scene) -> None:
    scene.reads(door_rr=True)


def low_battery(scene: Scene) -> None:
    scene.box.watch = {
        "alerts": {"battery_12v_low": {"since": z(clock.now()), "rental": None, "owner": True}}
    }
    session.commit()


def still_out(scene: Scene) -> None:
    other = booked(scene, hours=72)
    at = doing(custody.next_instant, scene.car)
    doing(custody.take, scene.car, holder="driver", person=scene.olga.id, rental=other.id, at=at)


def too_low(scene: Scene) -> None:
    scene.car.charge_rule = {"min_start": 90}
    session.commit()


IN_THE_WAY: dict[str, Callable[[Scene], None]] = {
    "car_back": still_out,
    "licence": no_licence,
    "accepted": nothing_accepted,
    "phone": no_phone,
    "payment": leave_unpaid,
    "box": silent,
    "charge": too_low,
    "safe": unsafe,
    "doors": open_door,
    "battery_12v": low_battery,
}


@pytest.mark.parametrize("code", IN_THE_WAY)
def test_an_hour_before_the_start_each_thing_in_the_way_is_named(scene: Scene, code: str) -> None:
    wait_for(scene, HOUR)
    IN_THE_WAY[code](scene)
    start_check.early(scene.rental_id)
    assert risks(scene) == [(code, 60)]


@pytest.mark.parametrize("code", IN_THE_WAY)
def test_a_day_ahead_only_what_does_not_mend_itself_is_named(scene: Scene, code: str) -> None:
    IN_THE_WAY[code](scene)
    start_check.booked(RentalBooked(scene.rental_id, None))
    far = code in start_check.FAR_AHEAD
    assert risks(scene) == ([(code, None)] if far else [])


def test_a_booking_for_right_now_is_told_of_a_silent_box_too(scene: Scene) -> None:
    cancel.cancel(scene.max.id, scene.rental_id, "")
    scene.rental_id = booked(scene, hours=0.2).id
    silent(scene)
    start_check.booked(RentalBooked(scene.rental_id, None))
    assert risks(scene) == [("box", None)]


def test_at_a_booking_for_right_now_the_hold_is_still_on_its_way(scene: Scene) -> None:
    cancel.cancel(scene.max.id, scene.rental_id, "")
    scene.rental_id = booked(scene, hours=0.2).id
    leave_unpaid(scene)
    start_check.booked(RentalBooked(scene.rental_id, None))
    assert risks(scene) == []
    start_check.late(scene.rental_id)
    assert risks(scene) == [("payment", 10)]


def test_a_car_that_will_have_charged_by_then_is_not_in_the_way(scene: Scene) -> None:
    too_low(scene)
    wait_for(scene, HOUR)
    scene.reads(charge_percent=80, charging=True, plugged=True, charge_kw=4.6, capacity_kwh=17.0)
    start_check.early(scene.rental_id)
    assert risks(scene) == []


def test_a_distance_beyond_the_foreseen_range_is_named(scene: Scene) -> None:
    scene.reads(range_km=80.0)
    cancel.cancel(scene.max.id, scene.rental_id, "")
    scene.rental_id = booked(scene, expected_km=120).id
    start_check.booked(RentalBooked(scene.rental_id, None))
    assert risks(scene) == [("range", None)]


# -- the charge watch ------------------------------------------------------------------------------------------------


def shorts(scene: Scene) -> list[tuple[str | None, int]]:
    rows = select(FactRow.data).where(
        FactRow.kind == "ChargeShort", FactRow.data["car"].astext == scene.car_id
    )
    return [(one["rental"], one["percent"]) for one in session.scalars(rows.order_by(FactRow.seq))]


def test_six_hours_before_a_start_that_will_be_too_low_the_holder_is_told_once(scene: Scene) -> None:
    too_low(scene)
    wait_for(scene, timedelta(hours=6))
    take("charge_watch", scene)
    [(rental, percent)] = shorts(scene)
    assert rental is None
    assert 78 <= percent <= 80
    wait_for(scene, timedelta(hours=5))
    take("charge_watch", scene)
    assert len(shorts(scene)) == 1
    assert planned(scene)["charge_watch"] == timedelta(hours=4)


def test_once_it_charges_the_shortage_is_over_and_would_be_news_again(scene: Scene) -> None:
    too_low(scene)
    wait_for(scene, timedelta(hours=6))
    take("charge_watch", scene)
    cable = {"charging": True, "plugged": True, "charge_kw": 4.6, "capacity_kwh": 17.0}
    scene.reads(**cable)
    charge_watch.watch(scene.rental_id)
    scene.reads(charging=False, plugged=False)
    charge_watch.watch(scene.rental_id)
    assert len(shorts(scene)) == 2


def test_a_stated_distance_needs_its_charge(scene: Scene) -> None:
    scene.reads(range_km=80.0)
    cancel.cancel(scene.max.id, scene.rental_id, "")
    scene.rental_id = booked(scene, expected_km=90).id
    wait_for(scene, timedelta(hours=6))
    scene.reads(range_km=80.0)
    take("charge_watch", scene)
    assert len(shorts(scene)) == 1


def test_a_car_without_rule_and_stated_distance_is_never_short(scene: Scene) -> None:
    wait_for(scene, timedelta(hours=6))
    take("charge_watch", scene)
    assert shorts(scene) == []


def test_who_has_the_car_before_is_told_and_then_the_owner_unless_it_was_cancelled(scene: Scene) -> None:
    too_low(scene)
    wait_for(scene, timedelta(hours=6))
    still_out(scene)
    take("charge_watch", scene)
    [(rental, _)] = shorts(scene)
    assert rental is not None
    cancel.cancel(scene.max.id, scene.rental_id, "")
    clock.forward(HOUR)
    ref = f"{scene.car_id}/charge_short"
    at = session.execute(select(Deadline.due_at).where(Deadline.ref == ref)).scalar_one()
    session.rollback()
    due._take("alert_owner", ref, at)
    stands = select(FactRow.seq).where(
        FactRow.kind == "AlertStands", FactRow.data["car"].astext == scene.car_id
    )
    assert session.scalars(stands).all() == []

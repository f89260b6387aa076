"""A policy that charges by the kilometre: by the box's odometer at both ends of the custody, by hours where it told none."""

from datetime import timedelta

from sqlalchemy import select

from app.cars.models import Box
from app.coverage import cover
from app.coverage.models import Cover
from app.kit import clock
from app.kit.db import session
from app.rentals import cancel, close, offline_receipts, outcome
from tests.coverage import factories
from tests.rentals.garage import MINUTE, Garage, drive_without_signal
from tests.rentals.scene import Scene
from tests.rentals.test_ends import SILENT, done, locks, out
from tests.rentals.test_owe_premium import entries, worked_off

PER_KM = {"per": "km", "amount": 7, "untold_km_per_hour": 30}


def by_the_kilometre() -> None:
    """What is bound from now on."""
    factories.policy(premium=PER_KM)


def counted(rental: str) -> tuple[int | None, str | None, int | None]:
    session.expire_all()
    found = cover.of(rental)
    assert found is not None
    return found.charged_km, found.km_from, found.premium


def forget_odometer(scene: Scene) -> None:
    box = session.get_one(Box, scene.box.id)
    box.state = {name: value for name, value in box.state.items() if name != "odometer_km"}
    session.commit()


def test_what_was_driven_is_charged_by_the_odometer_as_it_shows_whole_kilometres(scene: Scene) -> None:
    by_the_kilometre()
    scene.reads(odometer_km=1200.9)
    out(scene)
    outcome.apply(locks(scene).id, done(locked=True, odometer_km=1237.1))
    assert counted(scene.rental_id) == (37, "odometer", 259)


def test_a_drive_whose_beginning_nobody_saw_is_charged_from_the_odometer_at_the_unlock(scene: Scene) -> None:
    by_the_kilometre()
    outcome.apply(scene.unlock().id, SILENT)
    outcome.apply(locks(scene).id, done(locked=True, odometer_km=1230.0))
    assert counted(scene.rental_id) == (30, "odometer", 210)


def test_a_box_that_never_told_an_odometer_is_charged_by_the_started_hour(scene: Scene) -> None:
    by_the_kilometre()
    forget_odometer(scene)
    out(scene)
    forget_odometer(scene)
    clock.forward(61 * MINUTE)
    outcome.apply(locks(scene).id, done(locked=True))
    assert counted(scene.rental_id) == (60, "hours", 420)


def test_a_close_by_hand_of_a_silent_car_does_not_take_its_old_odometer_for_that_of_the_end(
    garage: Garage,
) -> None:
    by_the_kilometre()
    unlock, lock = drive_without_signal(garage, minutes=30)
    garage.upload(unlock)
    clock.forward(timedelta(hours=2))
    close.close(garage.scene.olga.id, garage.scene.rental_id)
    clock.forward(16 * MINUTE)
    close.hand_back(garage.scene.rental_id)
    (closed,) = garage.covers()
    worked_off(closed)
    assert (closed.charged_km, closed.km_from) == (90, "hours")
    garage.upload(lock)
    (corrected,) = garage.covers()
    worked_off(corrected)
    assert (corrected.charged_km, corrected.km_from, corrected.premium) == (12, "odometer", 84)
    assert [amount for _, amount in entries(corrected.rental_id)] == [630, 84 - 630]


def test_a_drive_of_which_only_the_end_is_known_is_charged_by_hours(garage: Garage) -> None:
    by_the_kilometre()
    _, lock = drive_without_signal(garage, minutes=80)
    garage.upload(lock)
    clock.forward(61 * MINUTE)
    offline_receipts.due(garage.grants()[0].box_id)
    (closed,) = garage.covers()
    assert closed.odometer_start_km is None
    assert (closed.charged_km, closed.km_from) == (60, "hours")


def test_so_is_one_under_a_rental_that_was_cancelled(garage: Garage) -> None:
    by_the_kilometre()
    _, lock = drive_without_signal(garage, minutes=80)
    cancel.cancel(garage.scene.max.id, garage.scene.rental_id, "did not need it")
    garage.upload(lock)
    clock.forward(61 * MINUTE)
    offline_receipts.due(garage.grants()[0].box_id)
    (closed,) = session.scalars(select(Cover).where(Cover.rental_id == garage.scene.rental_id))
    assert (closed.charged_km, closed.km_from) == (60, "hours")

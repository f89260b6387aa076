"""What becomes of the cover where owner, calendar and other bookings come in between."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.cars import custody
from app.cars.models import Custody
from app.coverage import cover, coverage_at, master_policies
from app.coverage.models import Cover, CoverVersion
from app.kit import clock
from app.kit.auth import Caller
from app.kit.db import new_id, session
from app.kit.errors import CarLent, CarTaken, NotAllowed
from app.people import phones, sign_in
from app.rentals import (
    book,
    cancel,
    commands,
    expire,
    extend,
    grants_out,
    outcome,
    owe_premium,
    quote,
    reading,
    unlock,
)
from app.rentals.lifecycle import State
from tests.coverage.factories import bearer, client, seal
from tests.coverage.test_at_the_turn import new_year, until
from tests.rentals.garage import Garage, insurer_says
from tests.rentals.scene import PASSWORD, Scene, make
from tests.rentals.test_ends import done, locks, out, says
from tests.rentals.test_owe_premium import entries, worked_off

MINUTE = timedelta(minutes=1)


def olga(scene: Scene) -> Caller:
    """The owner, on a phone of her own."""
    installation = new_id("ins")
    phone = phones.add(scene.olga.id, {"installation": installation, "platform": "android"})
    signed = sign_in.sign_in(scene.olga.email, PASSWORD, installation, None)
    owner = scene.olga.id
    return Caller(owner, signed["session"], phone.id, "en", "Europe/Paris", operator=False, password_at=None)


def covers(scene: Scene) -> list[tuple[str, Any, Any, int]]:
    session.expire_all()
    rows = session.scalars(select(Cover).where(Cover.car_id == scene.car_id).order_by(Cover.from_at))
    return [(row.state, row.from_at, row.to_at, row.version) for row in rows]


def held(scene: Scene) -> list[tuple[str, Any, Any]]:
    session.expire_all()
    rows = session.scalars(select(Custody).where(Custody.car_no == scene.car.no).order_by(Custody.from_at))
    return [(row.holder, row.from_at, row.to_at) for row in rows if row.from_at != row.to_at]


def says_the_insurer(scene: Scene, insurer: str, at: Any) -> Any:
    session.rollback()
    return coverage_at.ask(insurer, at=at, plate=scene.car.plate, country="FR")


# -- the owner -----------------------------------------------------------------------------------------------------------


def test_the_owners_own_drive_leaves_no_cover(scene: Scene) -> None:
    cancel.cancel(scene.max.id, scene.rental_id, "not needed")
    hers = olga(scene)
    opened = commands.ask(hers, scene.car_id, "unlock", None)
    outcome.apply(opened.id, done(locked=False))
    clock.forward(20 * MINUTE)
    reading.take(scene.box.username, says(locked=False, drivable=True, odometer_km=1240.0))
    clock.forward(20 * MINUTE)
    driving = clock.now()
    ended = commands.ask(hers, scene.car_id, "lock", None)
    outcome.apply(ended.id, done(locked=True))
    assert covers(scene) == []
    assert [holder for holder, _, _ in held(scene)] == ["owner"]
    insurer = master_policies.in_force("FR", clock.now())
    assert insurer is not None
    seal()
    found = says_the_insurer(scene, insurer.insurer_id, driving)
    assert (found["covered"], found["holder"]) == ("no", "owner")


def test_an_owners_unlock_during_a_members_rental_opens_no_gap(scene: Scene) -> None:
    hers = olga(scene)
    out(scene)
    before, custody_before = covers(scene), held(scene)
    clock.forward(10 * MINUTE)
    with pytest.raises(CarLent):
        commands.ask(hers, scene.car_id, "unlock", None)
    with pytest.raises(NotAllowed):
        unlock.unlock(hers, scene.rental_id)
    reading.take(scene.box.username, says(locked=True))
    reading.take(scene.box.username, says(locked=False, door_fl=True))
    assert (covers(scene), held(scene)) == (before, custody_before), "with her key, without us"
    clock.forward(10 * MINUTE)
    scene.reads(door_fl=False)
    outcome.apply(locks(scene).id, done(locked=True))
    ((state, begun, ended, _),) = covers(scene)
    assert (state, begun) == ("closed", before[0][1])
    assert held(scene)[1:] == [("driver", begun, ended), ("owner", ended, None)]


# -- the next booking ----------------------------------------------------------------------------------------------------


def book_after(scene: Scene, begins: Any) -> str:
    asked = {"car": scene.car_id, "from_": begins, "to": begins + timedelta(hours=1)}
    quoted = quote.quote(scene.max.id, asked)
    return book.book(scene.max.id, {"quote": quoted.id, "accept": quoted.conditions}).id


def test_the_next_booking_stands_in_the_way_of_an_extension_and_the_cover_is_unchanged(scene: Scene) -> None:
    out(scene)
    ends = scene.rental.to_at
    asked = {"rental": scene.rental_id, "to": ends + timedelta(hours=2)}
    in_time = quote.quote(scene.max.id, asked)
    book_after(scene, ends + timedelta(hours=1))
    before = covers(scene)
    with pytest.raises(CarTaken):
        extend.extend(scene.max.id, scene.rental_id, in_time.id)
    with pytest.raises(CarTaken):
        quote.quote(scene.max.id, asked)
    assert covers(scene) == before
    given = cover.of(scene.rental_id)
    assert given is not None
    assert (given.planned_to, given.own_damage_to) == (ends, ends)
    assert (scene.rental.to_at, scene.rental.extension) == (ends, None)


# -- bookings that came to nothing ---------------------------------------------------------------------------------------


def nobody_comes(garage: Garage) -> None:
    clock.forward(timedelta(hours=3))
    grants_out.lapse(garage.scene.rental_id)
    garage.scene.reads(locked=True)
    expire.no_show(garage.scene.rental_id)


def is_cancelled(garage: Garage) -> None:
    cancel.cancel(garage.scene.max.id, garage.scene.rental_id, "changed my mind")
    clock.forward(timedelta(hours=3))
    grants_out.lapse(garage.scene.rental_id)


@pytest.mark.parametrize(
    ("comes_to_nothing", "state"), [(is_cancelled, State.CANCELLED), (nobody_comes, State.NO_SHOW)]
)
def test_a_cover_on_condition_of_a_booking_that_came_to_nothing_costs_nothing_and_its_row_remains(
    garage: Garage, comes_to_nothing: Any, state: State
) -> None:
    garage.fetched()
    (promised,) = garage.covers()
    comes_to_nothing(garage)
    assert garage.stands() is state
    (row,) = garage.covers()
    assert (row.id, row.state, row.premium, row.covered_minutes) == (promised.id, "void", 0, 0)
    kinds = session.scalars(
        select(CoverVersion.kind).where(CoverVersion.cover_id == row.id).order_by(CoverVersion.version)
    ).all()
    assert kinds == ["cover.bound", "cover.voided"]
    worked_off(row)
    assert entries(garage.scene.rental_id) == []
    owe_premium.sweep()
    seal()
    ines = bearer(garage.http, client(row.insurer_id))
    assert insurer_says(garage, f"covers/{row.id}", ines)["state"] == "void"


# -- the end of the year -------------------------------------------------------------------------------------------------


def test_a_rental_begun_early_before_midnight_of_31_december_is_lengthened_by_the_policy_of_its_cover(
    app: Flask,
) -> None:
    del app
    turn = new_year("Europe/Paris")
    scene = make(0.25)
    cancel.cancel(scene.max.id, scene.rental_id, "only the circle is needed")
    given = master_policies.in_force("FR", clock.now())
    assert given is not None
    body = copy.deepcopy(master_policies.find(given.id).data)
    body |= {"version": 2, "max_rental_days": 1}
    until(turn - 20 * MINUTE)
    asked = {"car": scene.car_id, "from_": turn, "to": turn + timedelta(hours=2)}
    quoted = quote.quote(scene.max.id, asked)
    scene.rental_id = book.book(scene.max.id, {"quote": quoted.id, "accept": quoted.conditions}).id
    renewed = master_policies.add(given.insurer_id, body | {"valid_from": turn.isoformat()})
    master_policies.activate(renewed.id, by="test")
    clock.forward(10 * MINUTE)
    scene.reads(locked=True)
    out(scene)
    until(turn + MINUTE)
    bound = cover.of(scene.rental_id)
    assert bound is not None
    assert bound.policy_id == given.id
    later = quote.quote(scene.max.id, {"rental": scene.rental_id, "to": turn + timedelta(days=3)})
    extend.extend(scene.max.id, scene.rental_id, later.id)
    session.expire_all()
    assert scene.rental.to_at == turn + timedelta(days=3)
    assert custody.current(scene.car.no).rental_id == scene.rental_id  # type: ignore[union-attr]

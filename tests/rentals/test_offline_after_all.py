"""Receipts that come late, in any order, or under a rental that is over: what a box did is so all the same."""

import random
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.cars.models import Custody
from app.coverage.models import Cover
from app.facts import CoverClosed, PhoneRemoved, UsedAfterAll
from app.kit import clock
from app.kit.db import release, session, transactional
from app.rentals import book, cancel, expire, grants_out, offline_receipts, quote
from app.rentals.lifecycle import State
from app.rentals.models import Grant, Rental
from carbox.grant import Label, b64, signed, unb64
from carbox.grant_exchange import read_receipt
from tests.coverage.test_at_once import at_once
from tests.rentals.garage import (
    MINUTE,
    Garage,
    at_a_price,
    drive_without_signal,
    end_with_signal,
    facts_of,
    slot,
    start_with_signal,
)

# -- used after all ----------------------------------------------------------------------------------------------------


def test_a_receipt_of_a_revoked_grant_is_the_truth_all_the_same(garage: Garage) -> None:
    garage.fetched()
    grants_out.of_removed_phone(PhoneRemoved(person=garage.scene.max.id, phone=garage.scene.phone.id))
    assert garage.upload(garage.do("unlock")) == ["accepted"]
    assert garage.stands() is State.ACTIVE


def test_a_cancelled_rental_that_was_driven_is_covered_and_stays_cancelled(garage: Garage) -> None:
    unlock, lock = drive_without_signal(garage)
    cancel.cancel(garage.scene.max.id, garage.scene.rental_id, "did not need it")
    assert garage.upload(unlock) == ["accepted"]
    assert garage.stands() is State.CANCELLED
    assert [one.state for one in garage.covers()] == ["active"]
    assert garage.upload(lock) == ["accepted"]
    (cover,) = garage.covers()
    assert (cover.state, cover.end_evidence) == ("closed", "box receipt")
    assert garage.custody()[-2:] == [("driver", cover.from_at, cover.to_at), ("owner", cover.to_at, None)]
    assert slot(garage) == []
    assert [one["state"] for one in facts_of(UsedAfterAll, garage.scene.rental_id)] == ["cancelled"]


def test_a_cancelled_slot_is_not_given_away_while_its_driver_has_the_car(garage: Garage) -> None:
    garage.fetched()
    unlock = garage.do("unlock")
    cancel.cancel(garage.scene.max.id, garage.scene.rental_id, "changed my mind")
    garage.upload(unlock)
    clock.forward(timedelta(hours=3))
    grants_out.lapse(garage.scene.rental_id)
    assert slot(garage) == ["rental"]
    garage.upload(garage.do("lock"))
    assert slot(garage) == []


def test_of_a_cancelled_rental_whose_unlock_is_lost_the_use_is_covered_from_its_earliest(
    garage: Garage,
) -> None:
    _, lock = drive_without_signal(garage)
    cancel.cancel(garage.scene.max.id, garage.scene.rental_id, "did not need it")
    garage.upload(lock)
    clock.forward(61 * MINUTE)
    offline_receipts.due(garage.grants()[0].box_id)
    (cover,) = garage.covers()
    assert (cover.state, cover.from_at) == ("closed", garage.grants()[0].issued_at)
    assert garage.custody()[-2:] == [("driver", cover.from_at, cover.to_at), ("owner", cover.to_at, None)]
    assert slot(garage) == []


def test_a_car_opened_again_after_the_end_is_covered_again(garage: Garage) -> None:
    garage.fetched()
    start_with_signal(garage)
    clock.forward(20 * MINUTE)
    end_with_signal(garage)
    ended = garage.rental.ended_at
    clock.forward(5 * MINUTE)
    garage.upload(garage.do("unlock"))
    assert garage.rental.ended_at == ended
    assert [one.state for one in garage.covers()] == ["closed", "active"]
    clock.forward(5 * MINUTE)
    garage.upload(garage.do("lock"))
    assert [one.state for one in garage.covers()] == ["closed", "closed"]
    assert [holder for holder, _, _ in garage.custody()][-4:] == ["driver", "owner", "driver", "owner"]


def test_receipts_that_come_after_a_no_show_and_the_next_drive_are_covered_in_their_span(
    garage: Garage,
) -> None:
    unlock, lock = drive_without_signal(garage)
    clock.forward(timedelta(hours=2))
    grants_out.lapse(garage.scene.rental_id)
    garage.scene.reads(locked=True)
    expire.no_show(garage.scene.rental_id)
    assert garage.stands() is State.NO_SHOW
    following = next_rental(garage)
    garage.scene.rental_id, first = following, garage.scene.rental_id
    start_with_signal(garage)
    garage.scene.rental_id = first
    assert garage.upload(unlock, lock) == ["accepted", "accepted"]
    covers = garage.covers()
    assert [one.state for one in covers] == ["void", "closed"]
    rows = garage.custody()
    assert rows[-3:] == [
        ("driver", covers[1].from_at, covers[1].to_at),
        ("owner", covers[1].to_at, rows[-1][1]),
        ("driver", rows[-1][1], None),
    ]


def next_rental(garage: Garage) -> str:
    now = clock.now()
    asked = {"car": garage.scene.car_id, "from_": now, "to": now + timedelta(hours=1)}
    quoted = quote.quote(garage.scene.max.id, asked)
    made = book.book(garage.scene.max.id, {"quote": quoted.id, "accept": quoted.conditions})
    garage.scene.reads(locked=True)
    return made.id


def test_the_next_drivers_receipts_wait_until_the_car_is_back_by_the_books(garage: Garage) -> None:
    garage.fetched()
    first = [garage.do("unlock"), garage.do("lock")]
    clock.forward(timedelta(hours=3))
    garage.upload(first[0])
    garage.scene.rental_id, before = next_rental_unchecked(garage), garage.scene.rental_id
    garage.fetched()
    clock.forward(MINUTE)
    second = garage.do("unlock")
    assert garage.upload(second) == ["accepted"]
    assert garage.stands() is State.BOOKED
    assert garage.upload(first[1]) == ["accepted"]
    assert garage.stands() is State.ACTIVE
    assert session.get_one(Rental, before).stands is State.ENDED


def next_rental_unchecked(garage: Garage) -> str:
    """The slot after the grown one of a driver who is late."""
    now = clock.now() + timedelta(hours=1)
    asked = {"car": garage.scene.car_id, "from_": now, "to": now + timedelta(hours=1)}
    quoted = quote.quote(garage.scene.max.id, asked)
    made = book.book(garage.scene.max.id, {"quote": quoted.id, "accept": quoted.conditions})
    clock.forward(timedelta(hours=1))
    return made.id


def test_what_waited_is_looked_at_again_when_a_cover_closes(garage: Garage) -> None:
    unlock, lock = drive_without_signal(garage)
    garage.upload(unlock, lock)
    (cover,) = garage.covers()
    offline_receipts.on_closed(CoverClosed(cover=cover.id, rental=cover.rental_id, version=cover.version))
    assert [one.version for one in garage.covers()] == [cover.version]


# -- any order, any number of times --------------------------------------------------------------------------------------


class Undone(Exception):
    """What came of it; the transaction is rolled back."""


def came_to(garage: Garage, records: list[str]) -> tuple[Any, ...]:
    """Custody, cover and meter after these uploads, which then never happened."""

    @transactional
    def work() -> None:
        results = offline_receipts.upload(garage.scene.max.id, records)
        raise Undone(results, _stands(garage))

    with pytest.raises(Undone) as undone:
        work()
    results, found = undone.value.args
    assert results.count("accepted") == len(set(records))
    assert set(results) <= {"accepted", "duplicate"}
    return found  # type: ignore[no-any-return]


def _stands(garage: Garage) -> tuple[Any, ...]:
    session.flush()
    rental = session.get_one(Rental, garage.scene.rental_id, populate_existing=True)
    custody = session.execute(
        select(Custody.holder, Custody.from_at, Custody.to_at)
        .where(Custody.car_no == rental.car_no)
        .order_by(Custody.from_at)
    ).all()
    covers = session.execute(
        select(
            Cover.state,
            Cover.from_at,
            Cover.to_at,
            Cover.covered_minutes,
            Cover.charged_minutes,
            Cover.premium,
        ).where(Cover.rental_id == rental.id)
    ).all()
    dead = session.execute(select(Grant.dead_at.is_not(None)).where(Grant.rental_id == rental.id)).all()
    meter = (rental.state, rental.started_at, rental.ended_at, rental.paused, str(rental.final_price))
    return custody, covers, meter, dead


@pytest.mark.parametrize("seed", range(4))
def test_any_order_and_any_repeats_come_to_the_same_custody_cover_and_meter(
    garage: Garage, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    at_a_price(garage)
    garage.fetched()
    records = []
    for verb in ["unlock", *chance.choices(["pause", "unlock"], k=chance.randint(0, 4))]:
        clock.forward(timedelta(seconds=chance.randint(1, 900)))
        records.append(garage.do(verb))
    if chance.random() < 0.8:
        clock.forward(timedelta(seconds=chance.randint(1, 900)))
        records.append(garage.do("lock"))
    clock.forward(MINUTE)
    expected = came_to(garage, records)
    for _ in range(12):
        shuffled = records + chance.choices(records, k=chance.randint(0, 3))
        chance.shuffle(shuffled)
        assert came_to(garage, shuffled) == expected


def test_a_box_whose_numbers_are_nonsense_is_believed_that_it_opened(garage: Garage) -> None:
    unlock, _ = drive_without_signal(garage)
    box = garage.companion.box
    plain = replace(read_receipt(unb64(unlock)), box_time=2**64 - 1, odometer_km=2**32 - 1)
    made = replace(plain, signature=signed(box.key, Label.RECEIPT, plain.body()))
    assert garage.upload(b64(made.encode())) == ["accepted"]
    assert garage.stands() is State.ACTIVE
    assert garage.rental.started_at <= clock.now()


def test_phone_and_box_that_bring_the_same_at_once_are_heard_once(app: Flask, garage: Garage) -> None:
    records = list(drive_without_signal(garage))
    driver = garage.scene.max.id
    orders = [records, records[::-1], records, records[::-1]]
    session.rollback()
    release()
    answers = at_once(app, [partial(offline_receipts.upload, driver, order) for order in orders])
    told = [
        (record, result)
        for order, answer in zip(orders, answers, strict=True)
        for record, result in zip(order, answer, strict=True)
    ]
    assert sorted(result for _, result in told) == ["accepted"] * 2 + ["duplicate"] * 6
    assert garage.stands() is State.ENDED
    assert [(one.state, one.version) for one in garage.covers()] == [("closed", 3)]
    assert [holder for holder, _, _ in garage.custody()] == ["owner", "driver", "owner"]

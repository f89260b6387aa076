"""The failed car's grant is dead once its box knows of the swap, and covered until then; the new car opens by its own."""

import pytest

from app.rentals import offline_receipts
from carbox.grant import BadGrant
from carbox.phone import PhoneInHand
from carbox.simulator.companion import Companion
from tests.billing.desk import Desk
from tests.rentals.plans import Plan, plan


@pytest.fixture
def swapped(desk: Desk) -> tuple[Plan, str, str, Companion, Companion]:
    """Max has a grant for Olga's car, which is not there at the start, and takes Nina's instead."""
    one = plan(desk)
    other = one.car(one.nina, {})
    failed, new = one.companion(one.lending.car_id, other)
    rental = one.book(begins=1)
    one.phone.fetched = dict(one.get(one.lending.max, f"/rentals/{rental}/grant"))
    one.forward(1.1)
    one.hear(one.lending.car_id, other)
    made = one.post(one.lending.max, f"/rentals/{rental}/swap", 201, {"car": other, "missing": True})["id"]
    return one, rental, made, failed, new


def test_a_box_that_knows_of_the_swap_refuses_the_old_grant_and_cover_and_slot_end(
    swapped: tuple[Plan, str, str, Companion, Companion],
) -> None:
    one, rental, _, failed, _ = swapped
    one.post(one.lending.max, f"/rentals/{rental}/swap", 409, {"car": one.lending.car_id})
    one.ask(one.lending.max, "GET", f"/rentals/{rental}/grant", 409)
    listed = offline_receipts.upload_by_box(failed.report())[1]
    assert listed is not None
    acknowledged = failed.take(listed)
    with pytest.raises(BadGrant, match="revoked"):
        one.phone.do("unlock", failed.answer)
    assert one.covers(rental) == [(one.lending.car_id, "conditional")], "we do not know that the box knows"
    assert offline_receipts.upload_by_box([acknowledged])[0] == ["accepted"]
    assert one.covers(rental) == [(one.lending.car_id, "void")]
    assert one.slot(one.lending.car_id, rental) == []
    assert one.grants(rental)[0].dead_at is not None


def test_a_box_that_never_hears_of_the_swap_lets_the_old_grant_run_out_and_cover_and_slot_with_it(
    swapped: tuple[Plan, str, str, Companion, Companion],
) -> None:
    one, rental, _, failed, _ = swapped
    one.forward(2.3)
    assert one.covers(rental) == [(one.lending.car_id, "conditional")]
    one.forward(0.3)
    with pytest.raises(BadGrant, match="time"):
        one.phone.do("unlock", failed.answer)
    assert one.covers(rental) == [(one.lending.car_id, "void")]
    assert one.slot(one.lending.car_id, rental) == []


def test_the_new_car_opens_by_its_own_grant_alone_and_is_covered_from_there(
    swapped: tuple[Plan, str, str, Companion, Companion],
) -> None:
    one, _, made, failed, new = swapped
    old = one.phone
    one.phone = PhoneInHand(old.key, dict(one.get(one.lending.max, f"/rentals/{made}/grant")))
    with pytest.raises(BadGrant):
        old.do("unlock", new.answer)
    with pytest.raises(BadGrant):
        one.phone.do("unlock", failed.answer)
    one.phone.do("unlock", new.answer)
    assert one.covers(made)[0][1] == "conditional"
    one.post(one.lending.max, "/me/offline-receipts", 200, {"receipts": one.phone.records})
    assert one.get(one.lending.max, f"/rentals/{made}")["state"] == "active"
    assert [state for _, state in one.covers(made)] == ["active"]

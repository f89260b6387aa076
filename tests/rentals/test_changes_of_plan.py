"""Each change of plan with its money, cover, grant and messages together: early, longer, cancelled, not come, removed."""

from datetime import datetime
from typing import Any

import pytest

from app.billing.models import Payment
from app.kit import clock
from app.kit.clock import z
from app.kit.db import session
from tests.billing.desk import POOR, Desk
from tests.rentals.plans import HOUR, Plan, plan


@pytest.fixture
def one(desk: Desk) -> Plan:
    made = plan(desk)
    made.companion(made.lending.car_id)
    return made


def given(one: Plan, *, begins: float) -> str:
    """A booking whose grant is in Max's hand, where it is near enough."""
    rental = one.book(begins=begins)
    if begins < 24:
        one.get(one.lending.max, f"/rentals/{rental}/grant")
        assert one.covers(rental) == [(one.lending.car_id, "conditional")]
    return rental


def longer(one: Plan, rental: str, hours: float, status: int = 200) -> Any:
    """Max takes a quote for so many hours more."""
    shown = one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"]
    to = z(datetime.fromisoformat(shown) + hours * HOUR)
    quote = one.post(one.lending.max, "/quotes", 201, {"rental": rental, "to": to})
    return one.post(one.lending.max, f"/rentals/{rental}/extend", status, {"quote": quote["id"]})


# -- early return


def test_brought_back_early_the_share_of_the_terms_is_given_back_and_the_rest_is_free(one: Plan) -> None:
    rental = one.out(hours=4)
    one.get(one.lending.max, f"/rentals/{rental}/grant")
    one.forward(1)
    price = one.ends(rental)["final_price"]
    lines = {line["code"]: line["amount"]["amount"] for line in price["lines"]}
    assert lines["time"] == 2400
    assert -900 <= lines["early_return"] <= -890, "half of three hours"
    assert one.money(rental) == {"state": "captured", "captured": price["total"]["amount"], "refunded": 0}
    assert one.covers(rental) == [(one.lending.car_id, "closed"), (one.lending.car_id, "conditional")]
    assert [row.revoked_for for row in one.grants(rental)] == ["ended"]
    assert one.told(one.lending.max, rental).count("rental_ended.driver") == 1
    assert one.told(one.lending.olga, rental).count("rental_ended.owner") == 1
    spans = {kind: to for kind, _, to in one.slot(one.lending.car_id, rental)}
    assert spans["rental"] <= clock.now()


# -- cancellation


@pytest.mark.parametrize(
    ("begins", "owed"), [(30, 0), (23, 600), (1, 960)], ids=["early", "a day before", "an hour before"]
)
def test_the_driver_cancels_by_the_ladder_of_the_frozen_terms(one: Plan, begins: float, owed: int) -> None:
    rental = given(one, begins=begins)
    path = f"/cars/{one.lending.car_id}/communities/{one.lending.community}/terms"
    one.ask(one.lending.olga, "PUT", path, body={"currency": "EUR", "hour": 9900})
    shown = one.post(one.lending.max, f"/rentals/{rental}/cancel", 200, {"reason": "Rain."})
    assert shown["state"] == "cancelled"
    assert (shown["owed"]["amount"], shown["refunded"]["amount"]) == (owed, 1200 - owed)
    assert one.money(rental)["captured"] == owed
    assert one.money(rental)["state"] in ("released", "captured", "none")
    _is_off(one, rental, "cancelled")
    assert "rental_cancelled.driver" in one.told(one.lending.max, rental)
    assert "rental_cancelled.owner" in one.told(one.lending.olga, rental)


def test_when_the_owner_cancels_all_comes_back(one: Plan) -> None:
    rental = given(one, begins=1)
    shown = one.post(one.lending.olga, f"/rentals/{rental}/cancel", 200, {"reason": "I need it."})
    assert (shown["owed"]["amount"], shown["refunded"]["amount"]) == (0, 1200)
    assert one.money(rental) == {"state": "released", "captured": 0, "refunded": 0}
    _is_off(one, rental, "cancelled")
    assert "rental_cancelled.driver" in one.told(one.lending.max, rental)
    assert "rental_cancelled.owner" in one.told(one.lending.olga, rental)


def test_who_is_removed_loses_the_booking_at_no_cost_and_keeps_the_car_that_is_out(desk: Desk) -> None:
    one = plan(desk)
    one.companion(one.lending.car_id)
    rental = given(one, begins=5)
    out = one.out(hours=2)
    headers = one.headers(one.lending.olga)
    path = f"/v1/communities/{one.lending.community}/members/{one.lending.max.id}"
    assert one.desk.app.test_client().delete(path, headers=headers).status_code == 204
    one.follow()
    assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "cancelled"
    assert one.money(rental) == {"state": "released", "captured": 0, "refunded": 0}
    _is_off(one, rental, "cancelled")
    assert "rental_cancelled.driver" in one.told(one.lending.max, rental)
    assert one.get(one.lending.max, f"/rentals/{out}")["state"] == "active"
    one.forward(1)
    assert one.ends(out)["state"] == "ended"
    assert one.money(out)["captured"] > 0


def test_who_does_not_come_owes_the_ladder_and_loses_the_slot_once_no_grant_opens_the_car(one: Plan) -> None:
    rental = given(one, begins=1)
    one.forward(1.5)
    one.hear()
    assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "booked"
    for _ in range(8):
        one.forward(0.4)
        one.hear()
    assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "no_show"
    assert one.money(rental) == {"state": "captured", "captured": 960, "refunded": 0}
    assert one.covers(rental) == [(one.lending.car_id, "void")]
    assert one.slot(one.lending.car_id, rental) == []
    assert [row.revoked_for for row in one.grants(rental)] == ["no_show"]
    assert "rental_no_show.driver" in one.told(one.lending.max, rental)
    assert "rental_no_show.owner" in one.told(one.lending.olga, rental)


def _is_off(one: Plan, rental: str, why: str) -> None:
    """What was given is taken back and covered until it has run out; then the cover falls and the slot is free."""
    if not one.grants(rental):
        assert one.covers(rental) == []
        assert one.slot(one.lending.car_id, rental) == []
        return
    assert [row.revoked_for for row in one.grants(rental)] == [why]
    assert one.covers(rental) == [(one.lending.car_id, "conditional")]
    assert one.slot(one.lending.car_id, rental) != []


def test_a_slot_given_back_is_free_once_the_grant_has_run_out(one: Plan) -> None:
    rental = given(one, begins=1)
    one.post(one.lending.olga, f"/rentals/{rental}/cancel", 200, {"reason": "I need it."})
    one.forward(4)
    assert one.covers(rental) == [(one.lending.car_id, "void")]
    assert one.slot(one.lending.car_id, rental) == []


# -- extension


def test_a_longer_rental_is_secured_endorsed_and_told_and_leaves_the_next_driver_alone(desk: Desk) -> None:
    one = plan(desk, {"extension": "auto"})
    one.companion(one.lending.car_id)
    rental = one.out(hours=1)
    before = one.get(one.lending.max, f"/rentals/{rental}/grant")
    waiting = one.book(begins=6, who=one.nina)
    path = f"/cars/{one.lending.car_id}/communities/{one.lending.community}/terms"
    one.ask(one.lending.olga, "PUT", path, body={"currency": "EUR", "hour": 9900})
    longer(one, rental, 1, status=202)
    shown = one.get(one.lending.max, f"/rentals/{rental}")
    assert shown["extension"] is None
    assert sorted(row.purpose for row in one.desk.payments(rental)) == ["extras", "rent"]
    assert one.money(rental)["state"] == "held"
    cover = one.cover(rental)
    assert (z(cover.planned_to), cover.state) == (shown["span"]["to"], "active")
    after = one.get(one.lending.max, f"/rentals/{rental}/grant")
    assert after["not_after"] > before["not_after"]
    assert "extension_approved.driver" in one.told(one.lending.max, rental)
    assert "extension_approved.owner" in one.told(one.lending.olga, rental)
    assert one.told(one.nina, waiting)[0] == "rental_booked.driver"
    assert one.get(one.nina, f"/rentals/{waiting}")["state"] == "booked"
    one.forward(2)
    ended = one.ends(rental)["final_price"]["total"]["amount"]
    assert 1200 <= ended <= 1220, "two hours of the frozen price, not of the new one"
    assert one.money(rental)["captured"] == ended


def test_a_difference_that_cannot_be_held_leaves_the_planned_end(desk: Desk) -> None:
    one = plan(desk, {"extension": "auto"})
    rental = one.out(hours=1)
    ends = one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"]
    poor = one.desk.save_card(one.lending.max.id, POOR)
    rent = session.get_one(Payment, one.desk.payment(rental).id)
    rent.card_id = poor
    session.commit()
    longer(one, rental, 1, status=202)
    one.forward(0.5)
    shown = one.get(one.lending.max, f"/rentals/{rental}")
    assert (shown["span"]["to"], shown["extension"]) == (ends, None)
    assert "payment_failed.driver" in one.told(one.lending.max, rental)
    assert z(one.cover(rental).planned_to) == ends


def test_nobody_extends_into_the_next_drivers_time(desk: Desk) -> None:
    one = plan(desk, {"extension": "auto"})
    rental = one.out(hours=1)
    one.book(begins=2, who=one.nina)
    shown = one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"]
    body = {"rental": rental, "to": z(datetime.fromisoformat(shown) + 3 * HOUR)}
    refused = one.post(one.lending.max, "/quotes", 409, body)
    assert refused["type"] == "/problems/car-taken"

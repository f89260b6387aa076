"""The table of changes of plan, a row each: what it does to the money at Stripe, the cover, the grant, and who is told."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.kit import clock
from app.kit.clock import z
from app.rentals.grants_out import EDGE
from tests.billing.desk import POOR, Desk
from tests.rentals.plans import HOUR, Plan, plan

CANCELLED = {"Max": ["rental_cancelled.driver"], "Olga": ["rental_cancelled.owner"]}
PAID = {"Max": ["payment_done.driver"], "Olga": ["payment_done.owner"]}


@pytest.fixture
def one(desk: Desk) -> Plan:
    """Max's phone may fetch a grant for Olga's car."""
    made = plan(desk, {"extension": "auto"})
    made.companion(made.lending.car_id)
    return made


def given(one: Plan, rental: str) -> Any:
    """The grant in Max's hand, and what was told so far put aside."""
    grant = one.get(one.lending.max, f"/rentals/{rental}/grant")
    one.news()
    return grant


def covered_for(one: Plan, rental: str, grant: Any) -> bool:
    """What the grant may open is insured on condition, until it has run out."""
    [until] = one.on_condition(rental)
    ends = datetime.fromisoformat(grant["not_after"])
    return until in (ends, ends + EDGE)


def by_code(price: Any) -> Counter[str]:
    """The lines of a price; one that runs past midnight has its time day by day."""
    found: Counter[str] = Counter()
    for line in price["lines"]:
        found[line["code"]] += line["amount"]["amount"]
    return found


def price_is_raised(one: Plan) -> None:
    path = f"/cars/{one.lending.car_id}/communities/{one.lending.community}/terms"
    one.ask(one.lending.olga, "PUT", path, body={"currency": "EUR", "hour": 9900})


def longer(one: Plan, rental: str, hours: float) -> str:
    """Max's quote for so many hours more."""
    shown = one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"]
    to = z(datetime.fromisoformat(shown) + hours * HOUR)
    made: str = one.post(one.lending.max, "/quotes", 201, {"rental": rental, "to": to})["id"]
    return made


def extend(one: Plan, rental: str, hours: float) -> Any:
    body = {"quote": longer(one, rental, hours)}
    return one.post(one.lending.max, f"/rentals/{rental}/extend", 202, body)


# -- extension


def test_an_extension_is_secured_endorsed_granted_anew_and_told_and_leaves_the_next_driver_alone(
    one: Plan,
) -> None:
    rental = one.out(hours=1)
    waiting = one.book(begins=6, who=one.nina)
    before = given(one, rental)
    assert one.till(rental) == (2700, 0, 0)
    price_is_raised(one)
    extend(one, rental, 1)
    ends = one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"]
    assert one.till(rental) == (2700 + 600, 0, 0), "an hour more, at the frozen price"
    assert (z(one.cover(rental).planned_to), one.cover(rental).state) == (ends, "active")
    after = one.get(one.lending.max, f"/rentals/{rental}/grant")
    assert datetime.fromisoformat(after["not_after"]) - datetime.fromisoformat(before["not_after"]) == HOUR
    assert [row.revoked_for for row in one.grants(rental)] == [None, None]
    assert one.news() == {"Max": ["extension_approved.driver"], "Olga": ["extension_approved.owner"]}
    assert one.get(one.nina, f"/rentals/{waiting}")["state"] == "booked"
    one.forward(2)
    total = one.ends(rental)["final_price"]["total"]["amount"]
    assert 1200 <= total <= 1220
    assert one.till(rental) == (0, total, 0)
    assert one.liable(rental) == one.held(rental) != []


def test_an_extension_before_the_start_widens_what_is_covered_on_condition(one: Plan) -> None:
    rental = one.book(begins=2, hours=1)
    before = given(one, rental)
    extend(one, rental, 1)
    assert one.till(rental) == (3300, 0, 0)
    after = one.get(one.lending.max, f"/rentals/{rental}/grant")
    assert datetime.fromisoformat(after["not_after"]) - datetime.fromisoformat(before["not_after"]) == HOUR
    assert covered_for(one, rental, after)
    assert one.covers(rental) == [(one.lending.car_id, "conditional")]
    assert one.news() == {"Max": ["extension_approved.driver"], "Olga": ["extension_approved.owner"]}


def test_an_extension_whose_difference_cannot_be_held_changes_nothing_and_only_the_driver_is_told(
    one: Plan,
) -> None:
    rental = one.out(hours=1)
    grant = given(one, rental)
    ends = one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"]
    one.desk.put_card(rental, one.desk.save_card(one.lending.max.id, POOR))
    extend(one, rental, 1)
    one.forward(0.5)
    shown = one.get(one.lending.max, f"/rentals/{rental}")
    assert (shown["span"]["to"], shown["extension"]) == (ends, None)
    assert one.till(rental) == (2700, 0, 0)
    assert (z(one.cover(rental).planned_to), one.cover(rental).state) == (ends, "active")
    assert one.get(one.lending.max, f"/rentals/{rental}/grant")["grant"] == grant["grant"]
    assert one.news() == {"Max": ["payment_failed.driver", "extension_declined.driver"]}


@pytest.mark.parametrize("answer", ["approve", "decline"])
def test_an_extension_the_owner_is_asked_for_moves_nothing_before_the_answer(desk: Desk, answer: str) -> None:
    one = plan(desk)
    one.companion(one.lending.car_id)
    rental = one.out_by_leave(hours=1)
    grant = given(one, rental)
    ends = one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"]
    extend(one, rental, 1)
    stood = (one.till(rental), z(one.cover(rental).planned_to), one.news())
    assert stood == ((2700, 0, 0), ends, {"Olga": ["extension_asked.owner"]})
    one.post(one.lending.olga, f"/rentals/{rental}/extension/{answer}")
    agreed = answer == "approve"
    assert one.till(rental) == (3300 if agreed else 2700, 0, 0)
    assert (z(one.cover(rental).planned_to) > ends) is agreed
    assert (one.get(one.lending.max, f"/rentals/{rental}/grant")["grant"] != grant["grant"]) is agreed
    told = {"Max": ["extension_approved.driver"], "Olga": ["extension_approved.owner"]}
    assert one.news() == (told if agreed else {"Max": ["extension_declined.driver"]})


def test_an_extension_into_the_next_drivers_time_is_refused_with_the_longest_end_which_can_be_had(
    one: Plan,
) -> None:
    rental = one.out(hours=1)
    waiting = one.book(begins=3, who=one.nina)
    given(one, rental)
    next_starts = datetime.fromisoformat(one.get(one.nina, f"/rentals/{waiting}")["span"]["from"])
    longest = z(next_starts - timedelta(minutes=30))
    for to in (next_starts + HOUR, next_starts - timedelta(minutes=1)):
        refused = one.post(one.lending.max, "/quotes", 409, {"rental": rental, "to": z(to)})
        assert refused["type"] == "/problems/car-taken"
        assert refused["longest_to"] == longest, "the buffer is the next driver's"
    assert (one.till(rental), one.news()) == ((2700, 0, 0), {})
    quote = one.post(one.lending.max, "/quotes", 201, {"rental": rental, "to": longest})["id"]
    one.post(one.lending.max, f"/rentals/{rental}/extend", 202, {"quote": quote})
    assert one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"] == longest
    assert one.get(one.nina, f"/rentals/{waiting}")["state"] == "booked"


# -- late, and the forecast


def test_a_late_car_runs_on_at_the_tariff_with_its_fee_its_cover_its_grant_and_word_to_all(one: Plan) -> None:
    rental = one.out(hours=1)
    waiting = one.book(begins=3.5, who=one.nina)
    grant = given(one, rental)
    one.forward(2)
    shown = one.get(one.lending.max, f"/rentals/{rental}")
    assert shown["late"] == {"since": shown["span"]["to"], "forecast": None}
    assert one.till(rental) == (2700, 0, 0), "nothing is taken while the car is out"
    assert one.covers(rental) == [(one.lending.car_id, "active")]
    assert one.cover(rental).overrun_at is not None
    grace = datetime.fromisoformat(grant["not_after"]) - datetime.fromisoformat(shown["span"]["to"])
    assert timedelta(minutes=30) <= grace < timedelta(minutes=31), "the driver still locks without signal"
    assert [row.revoked_for for row in one.grants(rental)] == [None]
    assert one.news() == {
        "Max": ["rental_late.driver"],
        "Olga": ["rental_late.owner"],
        "Nina": ["rental_late.next_driver"],
    }
    ended = one.ends(rental)["final_price"]
    lines = by_code(ended)
    assert 1200 <= lines["time"] <= 1220
    assert lines["late_fee"] == 1500
    # a minute or two more than was held is too little to be charged, and is waived
    assert one.till(rental) == (0, 2700, 0)
    assert ended["total"]["amount"] == lines["time"] + 1500
    assert one.liable(rental) == one.held(rental) != []
    assert one.news() == {
        "Max": ["rental_ended.driver", "payment_done.driver", "receipt_ready"],
        "Olga": ["rental_ended.owner", "payment_done.owner", "receipt_ready"],
    }
    assert one.get(one.nina, f"/rentals/{waiting}")["state"] == "booked"


def test_a_forecast_costs_nothing_reports_the_cover_keeps_the_grant_and_is_told_to_owner_and_next_driver(
    desk: Desk,
) -> None:
    one = plan(desk, policy={"late": {"rule": "reported", "hours": 4}})
    one.companion(one.lending.car_id)
    rental = one.out(hours=1)
    one.book(begins=2, hours=2, who=one.nina)
    given(one, rental)
    body = {"back_at": z(clock.now() + 2.5 * HOUR)}
    shown = one.post(one.lending.max, f"/rentals/{rental}/late", 200, body)
    assert shown["late"]["forecast"] == body["back_at"]
    assert one.till(rental) == (2700, 0, 0)
    assert one.cover(rental).reported_late_at is not None
    assert one.covers(rental) == [(one.lending.car_id, "active")]
    assert [row.revoked_for for row in one.grants(rental)] == [None]
    assert one.news() == {"Olga": ["late_forecast.owner"], "Nina": ["late_forecast.next_driver"]}


# -- early return


def test_brought_back_early_the_share_of_the_terms_is_given_back_and_the_rest_is_free(one: Plan) -> None:
    rental = one.out(hours=4)
    grant = given(one, rental)
    assert one.till(rental) == (4500, 0, 0)
    one.forward(1)
    price = one.ends(rental)["final_price"]
    lines = by_code(price)
    assert lines["time"] == 2400
    assert -900 <= lines["early_return"] <= -890, "half of three hours"
    assert one.till(rental) == (0, price["total"]["amount"], 0)
    assert one.liable(rental) == one.held(rental) != []
    assert one.covers(rental) == [(one.lending.car_id, "closed"), (one.lending.car_id, "conditional")]
    assert covered_for(one, rental, grant)
    assert [row.revoked_for for row in one.grants(rental)] == ["ended"]
    assert one.news() == {
        "Max": ["rental_ended.driver", "payment_done.driver", "receipt_ready"],
        "Olga": ["rental_ended.owner", "payment_done.owner", "receipt_ready"],
    }
    spans = {kind: to for kind, _, to in one.slot(one.lending.car_id, rental)}
    assert spans["rental"] <= clock.now()


# -- cancellation


@pytest.mark.parametrize(("begins", "owed"), [(23, 600), (1.5, 960)], ids=["a day before", "hours before"])
def test_the_driver_cancels_by_the_ladder_of_the_frozen_terms_and_what_was_given_is_covered_till_it_is_dead(
    one: Plan, begins: float, owed: int
) -> None:
    rental = one.book(begins=begins)
    grant = given(one, rental)
    price_is_raised(one)
    shown = one.post(one.lending.max, f"/rentals/{rental}/cancel", 200, {"reason": "Rain."})
    assert (shown["owed"]["amount"], shown["refunded"]["amount"]) == (owed, 1200 - owed)
    assert one.till(rental) == (0, owed, 0)
    assert one.news() == {name: CANCELLED[name] + PAID[name] for name in CANCELLED}
    _is_taken_back(one, rental, grant, "cancelled")


@pytest.mark.parametrize(("begins", "owed"), [(30, 0), (23, 600)], ids=["early", "a day before"])
def test_a_booking_no_grant_was_fetched_for_is_cancelled_with_nothing_left_of_it(
    one: Plan, begins: float, owed: int
) -> None:
    rental = one.book(begins=begins)
    if begins > 24:
        one.ask(one.lending.max, "GET", f"/rentals/{rental}/grant", 409)
        assert one.money(rental)["state"] == "hold_due"
    one.news()
    shown = one.post(one.lending.max, f"/rentals/{rental}/cancel", 200, {"reason": "Rain."})
    assert (shown["owed"]["amount"], shown["refunded"]["amount"]) == (owed, 1200 - owed)
    one.forward(begins + 1)
    assert one.till(rental) == (0, owed, 0)
    assert (one.covers(rental), one.grants(rental), one.slot(one.lending.car_id, rental)) == ([], [], [])
    told = {name: CANCELLED[name] + PAID[name] for name in CANCELLED} if owed else CANCELLED
    assert one.news() == told


def test_when_the_owner_cancels_all_comes_back(one: Plan) -> None:
    rental = one.book(begins=1)
    grant = given(one, rental)
    shown = one.post(one.lending.olga, f"/rentals/{rental}/cancel", 200, {"reason": "I need it."})
    assert (shown["owed"]["amount"], shown["refunded"]["amount"]) == (0, 1200)
    assert one.till(rental) == (0, 0, 0)
    assert one.news() == {
        "Max": ["rental_cancelled.driver", "payment_released.driver"],
        "Olga": ["rental_cancelled.owner"],
    }
    _is_taken_back(one, rental, grant, "cancelled")
    one.forward(4)
    assert one.covers(rental) == [(one.lending.car_id, "void")]
    assert one.slot(one.lending.car_id, rental) == []


def _is_taken_back(one: Plan, rental: str, grant: Any, why: str) -> None:
    """Taken back, and covered and kept free until the box cannot open by it any more."""
    assert [row.revoked_for for row in one.grants(rental)] == [why]
    assert covered_for(one, rental, grant)
    assert one.liable(rental) == one.held(rental) == []
    assert one.slot(one.lending.car_id, rental) != []
    one.ask(one.lending.max, "GET", f"/rentals/{rental}/grant", 409)


def test_a_car_unsafe_before_the_start_is_cancelled_by_the_system_and_all_comes_back(one: Plan) -> None:
    rental = one.book(begins=3)
    grant = given(one, rental)
    body = {"part": "wheels", "text": "A flat tyre.", "unsafe": True}
    one.post(one.lending.olga, f"/cars/{one.lending.car_id}/damages", 201, body)
    assert one.till(rental) == (3300, 0, 0)
    one.news()
    one.forward(2.1)
    assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "cancelled"
    assert one.till(rental) == (0, 0, 0)
    assert [row.revoked_for for row in one.grants(rental)] == ["unsafe"]
    assert covered_for(one, rental, grant)
    assert one.news() == {
        "Max": ["rental_cancelled.driver", "payment_released.driver"],
        "Olga": ["rental_cancelled.owner"],
    }


# -- car unusable during a rental


def test_a_car_that_fails_on_the_way_is_charged_to_that_instant_and_covered_and_locked_by_grant_to_the_end(
    desk: Desk,
) -> None:
    one = plan(desk, {"minimum": 5000})
    one.companion(one.lending.car_id)
    rental = one.out(hours=4)
    given(one, rental)
    one.forward(1)
    body = {"part": "technical", "text": "It does not brake.", "unsafe": True}
    one.post(one.lending.max, f"/cars/{one.lending.car_id}/damages", 201, body)
    shown = one.get(one.lending.max, f"/rentals/{rental}")
    assert (shown["state"], shown["failed_at"] is not None) == ("active", True)
    assert one.news() == {"Max": ["car_failed.driver"], "Olga": ["car_failed.owner", "damage_unsafe.owner"]}
    assert one.covers(rental) == [(one.lending.car_id, "active")]
    assert [row.revoked_for for row in one.grants(rental)] == [None]
    one.forward(5)
    price = one.ends(rental)["final_price"]
    assert set(by_code(price)) == {"time"}, "no minimum, no late fee"
    assert 600 <= price["total"]["amount"] <= 610
    assert one.till(rental) == (0, price["total"]["amount"], 0)
    assert one.liable(rental) == one.held(rental) != []
    cover = one.cover(rental)
    assert 59 <= (cover.charged_minutes or 0) <= 62
    assert (cover.covered_minutes or 0) >= 359
    told = one.news()
    assert "rental_ended.driver" in told["Max"]
    assert "rental_ended.owner" in told["Olga"]


# -- no show


def test_who_does_not_come_owes_the_ladder_and_loses_the_slot_once_no_grant_opens_the_car(one: Plan) -> None:
    rental = one.book(begins=1)
    given(one, rental)
    for hours in (1.5, 1):
        one.forward(hours)
        one.hear()
        assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "booked"
    assert [row.revoked_for for row in one.grants(rental)] == ["no_show"]
    assert one.covers(rental) == [(one.lending.car_id, "conditional")]
    assert one.slot(one.lending.car_id, rental) != []
    assert one.till(rental) == (3300, 0, 0)
    one.news()
    one.forward(0.9)
    one.hear()
    one.forward(0.4)
    assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "no_show"
    assert one.till(rental) == (0, 960, 0)
    assert one.covers(rental) == [(one.lending.car_id, "void")]
    assert one.slot(one.lending.car_id, rental) == []
    assert one.news() == {
        "Max": ["rental_no_show.driver", "payment_done.driver"],
        "Olga": ["rental_no_show.owner", "payment_done.owner"],
    }


# -- member removed


def test_who_is_removed_loses_the_booking_at_no_cost_and_keeps_the_car_that_is_out(one: Plan) -> None:
    booked = one.book(begins=5)
    grant = given(one, booked)
    out = one.out(hours=2)
    one.news()
    path = f"/communities/{one.lending.community}/members/{one.lending.max.id}"
    one.ask(one.lending.olga, "DELETE", path, 204)
    assert one.get(one.lending.max, f"/rentals/{booked}")["state"] == "cancelled"
    assert one.till(booked) == (0, 0, 0)
    _is_taken_back(one, booked, grant, "cancelled")
    assert one.news() == {
        "Max": ["member_removed", "rental_cancelled.driver", "payment_released.driver"],
        "Olga": ["rental_cancelled.owner"],
    }
    assert one.get(one.lending.max, f"/rentals/{out}")["state"] == "active"
    assert one.covers(out) == [(one.lending.car_id, "active")]
    one.forward(1)
    price = one.ends(out)["final_price"]
    assert one.till(out) == (0, price["total"]["amount"], 0)
    assert one.liable(out) == one.held(out) != []
    assert one.news() == {
        "Max": ["rental_ended.driver", "payment_done.driver", "receipt_ready"],
        "Olga": ["rental_ended.owner", "payment_done.owner", "receipt_ready"],
    }


# -- price change


def test_another_price_touches_no_frozen_quote_no_cover_no_grant_and_is_told_to_nobody(one: Plan) -> None:
    rental = one.book(begins=0.2)
    grant = given(one, rental)
    price_is_raised(one)
    assert one.news() == {}
    assert one.till(rental) == (3300, 0, 0)
    assert covered_for(one, rental, grant)
    assert one.get(one.lending.max, f"/rentals/{rental}/grant")["grant"] == grant["grant"]
    one.forward(0.2)
    one.hear()
    one.lending.unlock(rental)
    one.forward(1.9)
    total = one.ends(rental)["final_price"]["total"]["amount"]
    assert 1150 <= total <= 1200
    assert one.till(rental) == (0, total, 0)


# -- the owner's own door


def test_the_owner_opens_their_own_car_and_nothing_of_a_later_rental_moves(one: Plan) -> None:
    rental = one.book(begins=3)
    grant = given(one, rental)
    path = f"/cars/{one.lending.car_id}/commands"
    for kind in ("unlock", "lock", "ping"):
        command = one.ask(one.lending.olga, "POST", path, 202, {"kind": kind}, headers=one.owners_phone)
        one.done(command["id"])
        shown = one.ask(one.lending.olga, "GET", f"{path}/{command['id']}")
        assert (shown["state"], shown["rental"]) == ("confirmed", None)
    assert one.holder(one.lending.car_id) == "owner"
    assert one.till(rental) == (3300, 0, 0)
    assert covered_for(one, rental, grant)
    assert one.get(one.lending.max, f"/rentals/{rental}/grant")["grant"] == grant["grant"]
    assert one.news() == {}


@pytest.mark.parametrize("when", ["the rental starts within the buffer", "another has the car"])
def test_the_owners_door_stays_shut_while(one: Plan, when: str) -> None:
    out = when == "another has the car"
    rental = one.out() if out else one.book(begins=0.4)
    given(one, rental)
    path = f"/cars/{one.lending.car_id}/commands"
    for kind in ("unlock", "lock", "ping"):
        refused = one.ask(one.lending.olga, "POST", path, 409, {"kind": kind}, headers=one.owners_phone)
        assert refused["type"] == "/problems/car-lent"
    assert one.holder(one.lending.car_id) == ("driver" if out else "owner")
    assert one.till(rental) == (3300, 0, 0)
    assert one.covers(rental) == [(one.lending.car_id, "active" if out else "conditional")]
    assert [row.revoked_for for row in one.grants(rental)] == [None]
    assert one.news() == {}


# -- another car instead


def test_an_unsafe_car_is_swapped_with_its_hold_its_cover_its_grant_and_word_to_all_three(one: Plan) -> None:
    max_, olga = one.lending.max, one.lending.olga
    other = one.car(one.nina, {"currency": "EUR", "hour": 900})
    one.companion(other)
    rental = one.book(begins=3)
    grant = given(one, rental)
    assert "swap" not in one.get(max_, f"/rentals/{rental}")["links"]
    body = {"part": "wheels", "text": "A flat tyre.", "unsafe": True}
    one.post(olga, f"/cars/{one.lending.car_id}/damages", 201, body)
    one.news()
    before = one.get(max_, f"/rentals/{rental}")
    assert before["links"]["swap"] == f"/v1/rentals/{rental}/swap"
    made = one.post(max_, f"/rentals/{rental}/swap", 201, {"car": other})
    new = made["id"]
    assert (made["car"], made["state"], made["instead_of"]) == (other, "booked", rental)
    assert (made["span"], made["quote"]["total"]) == (before["span"], before["quote"]["total"])
    assert one.get(max_, f"/rentals/{rental}")["state"] == "cancelled"
    # the same hold, now for the other car and its owner
    assert (one.till(rental), one.till(new)) == ((0, 0, 0), (3300, 0, 0))
    assert {row.payee for row in one.desk.payments(new)} == {one.nina.id}
    assert (len(one.desk.double_intents(rental)), len(one.desk.double_intents(new))) == (0, 1)
    _is_taken_back(one, rental, grant, "unsafe")
    assert covered_for(one, new, one.get(max_, f"/rentals/{new}/grant"))
    assert one.covers(new) == [(other, "conditional")]
    assert one.news() == {
        "Max": ["rental_swapped.driver"],
        "Olga": ["rental_swapped.owner"],
        "Nina": ["taken_instead.owner"],
    }
    assert "unsafe" in one.message(olga, "rental_swapped.owner")["body"]
    kinds = [event["kind"] for event in one.get(max_, f"/rentals/{new}/timeline")["items"]]
    assert "taken_instead" in kinds

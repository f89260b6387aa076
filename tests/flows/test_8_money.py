import json
from functools import partial
from typing import Any

import pytest

from app.demo_cast import Actor, until
from app.supervisor import Supervisor
from tests.flows.friends import PRICED, WAIT, Friends

NO_MONEY, ASKS_ALWAYS = "4000000000009995", "4000002760003184"


def intents(friends: Friends, rental: str) -> list[Any]:
    """Stripe's own payment intents of a rental."""
    seen = friends.place.control("stripe", "GET", "objects")
    wanted = seen["rentals"].get(rental, [])
    return [one for one in seen["objects"].get("payment_intent", []) if one["id"] in wanted]


def driven(friends: Friends, ends: float = 3, km: float = 12, span: str = "50m") -> str:
    """A priced rental, driven and locked."""
    rental = friends.book(0, ends)
    friends.unlock(rental)
    friends.drive(km)
    friends.forward(span)
    friends.lock(rental)
    return rental


def statement(who: Actor) -> Any:
    return who.get(f"/me/statements/{who.month()}")


def test_the_money_is_held_before_the_unlock_and_readiness_says_so(priced: Friends) -> None:
    rental = priced.book(0, 3)
    held = priced.payment(rental, "held")
    assert held["amount"] == priced.rental(rental)["quote"]["hold"]
    assert held["captured"]["amount"] == 0
    assert [one["status"] for one in intents(priced, rental)] == ["requires_capture"]
    assert priced.unmet(rental) == []


def test_a_rental_days_ahead_is_held_a_day_before_it_starts(priced: Friends) -> None:
    rental = priced.book(30, 32)
    assert priced.payment(rental, "hold_due")
    assert intents(priced, rental) == []
    priced.forward("7h")
    assert priced.payment(rental, "held")


def test_without_a_hold_the_unlock_is_refused_and_a_new_card_mends_it(place: Supervisor) -> None:
    friends = Friends(place, PRICED)
    friends.max.save_card(NO_MONEY)
    rental = friends.book(0, 3)
    assert friends.payment(rental, "hold_failed")["failure"]
    assert friends.max.pushed("payment_failed", rental)
    refusal = friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="not-ready")
    assert [one["code"] for one in refusal["conditions"]] == ["payment"]
    assert friends.commands("unlock") == []
    card = friends.max.save_card()
    friends.max.post(f"/rentals/{rental}/payments/retry", {"card": card}, want=202)
    assert friends.payment(rental, "held")
    assert friends.unlock(rental)["state"] == "confirmed"


def test_a_hold_nobody_mends_cancels_the_booking_at_no_cost(place: Supervisor) -> None:
    friends = Friends(place, PRICED)
    friends.max.save_card(NO_MONEY)
    rental = friends.book(1, 3)
    friends.payment(rental, "hold_failed")
    friends.forward("21m")
    friends.becomes(rental, "cancelled")
    until(lambda: friends.payment(rental, "released"), "the release")


def test_a_bank_that_asks_the_driver_is_answered_in_the_app(place: Supervisor) -> None:
    friends = Friends(place, PRICED)
    friends.max.save_card(ASKS_ALWAYS)
    rental = friends.book(0, 3)
    assert friends.max.pushed("payment_action_required", rental)
    assert friends.rental(rental, friends.olga)["payment"]["action"] is None
    confirm(friends, rental)


def test_it_is_captured_by_the_frozen_quote_although_the_price_changed(priced: Friends) -> None:
    rental = priced.book(0, 3)
    priced.unlock(rental)
    priced.set_terms({**PRICED, "hour": 9900, "day_cap": 90000})
    priced.drive(12)
    priced.lock(rental)
    paid = priced.payment(rental, "captured")
    shown = priced.rental(rental)
    assert shown["final_price"]["total"]["amount"] == shown["quote"]["total"]["amount"] == 1800
    assert paid["captured"] == {"amount": 1800, "currency": "EUR"}
    assert [one["amount_received"] for one in intents(priced, rental)] == [1800]


def test_kilometres_beyond_those_included_are_charged(priced: Friends) -> None:
    rental = driven(priced, km=130)
    paid = priced.payment(rental, "captured")
    assert paid["captured"]["amount"] == 1800 + 30 * 30


def test_the_statement_shows_what_the_owner_is_owed(priced: Friends) -> None:
    rental = driven(priced)
    taken = priced.payment(rental, "captured")["captured"]["amount"]
    seen = until(lambda: statement(priced.olga)["entries"] and statement(priced.olga), "the entry")
    assert [(one["kind"], one["rental"]) for one in seen["entries"]] == [("capture", rental)]
    earned = seen["entries"][0]["amount"]["amount"]
    assert 0 < earned <= taken
    assert [one["closing"] for one in seen["balances"]] == [{"amount": earned, "currency": "EUR"}]
    assert statement(priced.max)["entries"] == []


def test_both_get_the_receipt_with_what_was_paid(priced: Friends) -> None:
    rental = driven(priced)
    priced.payment(rental, "captured")
    [issued] = until(lambda: priced.max.get(f"/rentals/{rental}/receipt")["documents"], "its number")
    assert (issued["kind"], issued["total"]["amount"]) == ("receipt", 1800)
    mine, hers = (who.get(f"/rentals/{rental}/receipt") for who in (priced.max, priced.olga))
    assert mine == hers
    assert (mine["paid"]["amount"], mine["total"]["amount"], mine["payment_state"]) == (
        1800,
        1800,
        "captured",
    )
    assert sum(line["amount"]["amount"] for line in mine["lines"]) == 1800
    assert mine["charged_minutes"] == mine["covered_minutes"] >= 50
    for who in (priced.max, priced.olga):

        def ready(who: Actor = who) -> Any:
            items = who.get("/me/messages")["items"]
            return [one for one in items if one["kind"] == "receipt_ready" and one["rental"] == rental]

        assert len(until(ready, "the message")) == 1


@pytest.mark.parametrize(("step", "who"), [("decline", "olga"), ("withdraw", "max")])
def test_a_request_that_comes_to_nothing_touches_no_card(place: Supervisor, step: str, who: str) -> None:
    friends = Friends(place, PRICED, approval="always", street=False)
    friends.max.save_card()
    rental = friends.book(1, 2)
    getattr(friends, who).post(f"/rentals/{rental}/{step}", want=200)
    assert intents(friends, rental) == []


def test_a_late_cancellation_costs_the_share_of_the_ladder(priced: Friends) -> None:
    rental = priced.book(2, 5)
    priced.payment(rental, "held")
    done = priced.max.post(f"/rentals/{rental}/cancel", {"reason": "rain"}, want=200)
    assert (done["owed"]["amount"], done["refunded"]["amount"]) == (900, 900)
    assert priced.payment(rental, "captured")["captured"]["amount"] == 900


def test_an_early_cancellation_costs_nothing(priced: Friends) -> None:
    rental = priced.book(30, 33)
    done = priced.max.post(f"/rentals/{rental}/cancel", {"reason": "rain"}, want=200)
    assert (done["owed"]["amount"], done["refunded"]["amount"]) == (0, 1800)
    assert priced.payment(rental, "released")


def test_when_the_owner_cancels_all_is_given_back(priced: Friends) -> None:
    rental = priced.book(2, 5)
    priced.payment(rental, "held")
    done = priced.olga.post(f"/rentals/{rental}/cancel", {"reason": "broken"}, want=200)
    assert (done["owed"]["amount"], done["refunded"]["amount"]) == (0, 1800)
    assert priced.payment(rental, "released")
    assert priced.max.pushed("rental_cancelled", rental)


def test_a_failed_unlock_costs_nothing(priced: Friends) -> None:
    rental = priced.book(0, 3)
    priced.payment(rental, "held")
    priced.street.fault("refuse", times=1)
    priced.ready(rental)
    priced.max.refused("POST", f"/rentals/{rental}/unlock", slug="box-refused", headers={"Prefer": "wait=20"})
    assert priced.state(rental) == "booked"
    assert priced.payment(rental, "held")["captured"]["amount"] == 0


def test_who_owes_for_an_earlier_rental_books_no_other(place: Supervisor) -> None:
    friends = Friends(place, PRICED)
    friends.max.save_card(ASKS_ALWAYS)
    rental = friends.book(0, 1)
    confirm(friends, rental)
    friends.unlock(rental)
    friends.drive(300)
    friends.lock(rental)

    def owed() -> Any:
        rows = friends.max.get(f"/rentals/{rental}/payments")["items"]
        return [one for one in rows if one["purpose"] == "extras" and one["state"] == "action_required"]

    due = until(owed, "the bank's question")[0]["amount"]
    refusal = friends.max.refused("POST", "/rentals", friends.booking(friends.quote(1, 2)), slug="arrears")
    assert refusal["due"] == due


def test_the_ledger_says_who_has_what_of_a_payment_and_sums_to_zero(priced: Friends) -> None:
    rental = driven(priced)
    taken = priced.payment(rental, "captured")["captured"]["amount"]
    assert sum(one["amount_received"] for one in intents(priced, rental)) == taken
    earned = until(lambda: statement(priced.olga)["entries"], "the entry")[0]["amount"]["amount"]
    books = json.loads(priced.place.flask("operator", "ledger", "--rental", rental))
    has = {
        one["account"]: -one["amount"]["amount"]
        for entry in books["entries"]
        if entry["kind"] == "capture"
        for one in entry["postings"]
    }
    assert has["owner_payable"] == earned
    shares = ("owner_payable", "premium_reserve", "platform_revenue", "vat_payable")
    assert sum(has[name] for name in shares) == taken
    assert {currency: sum(each.values()) for currency, each in books["balance"].items()} == {"EUR": 0}


def confirm(friends: Friends, rental: str) -> None:
    """The driver confirms with his bank in the app."""
    action = friends.payment(rental, "action_required")["action"]
    secret = action["client_secret"]
    friends.place.control("stripe", "POST", "payment_intents/confirm", client_secret=secret, three_ds="ok")
    friends.payment(rental, "held")


def test_a_card_declined_while_one_waits_is_said_and_the_booking_waits_for_another(
    place: Supervisor,
) -> None:
    friends = Friends(place, PRICED, street=False)
    friends.max.save_card(NO_MONEY)
    body = friends.booking(friends.quote(0, 3))
    refusal = friends.max.refused("POST", "/rentals", body, slug="card-declined", headers=WAIT)
    rental, until_at = refusal["rental"], refusal["until"]
    assert (friends.state(rental), until_at is not None) == ("booked", True)
    again = f"/rentals/{rental}/payments/retry"
    poor = friends.max.get("/me/cards")["items"][0]["id"]
    friends.max.refused("POST", again, {"card": poor}, slug="card-declined", headers=WAIT)
    paid = friends.max.post(again, {"card": friends.max.save_card()}, want=202, headers=WAIT)
    assert paid["state"] == "held"


def test_a_bank_that_asks_while_one_waits_is_answered_with_the_secret(place: Supervisor) -> None:
    friends = Friends(place, PRICED, street=False)
    friends.max.save_card(ASKS_ALWAYS)
    body = friends.booking(friends.quote(0, 3))
    refusal = friends.max.refused("POST", "/rentals", body, slug="payment-action-required", headers=WAIT)
    secret = refusal["client_secret"]
    place.control("stripe", "POST", "payment_intents/confirm", client_secret=secret, three_ds="ok")
    assert friends.payment(refusal["rental"], "held")


def test_a_booking_that_waits_is_answered_with_the_money_held(priced: Friends) -> None:
    made = priced.max.post("/rentals", priced.booking(priced.quote(0, 3)), want=201, headers=WAIT)
    assert made["payment"]["state"] == "held"


def test_the_owner_says_who_she_is_and_is_paid_and_a_dispute_freezes_the_next_payout(priced: Friends) -> None:
    stripe = priced.place.control
    begun = priced.olga.post("/me/payouts/account", want=200)
    assert (begun["state"], begun["url"].startswith("https://")) == ("incomplete", True)
    made = stripe("stripe", "GET", "objects")["objects"]["account"]
    account = next(one["id"] for one in made if one["metadata"]["person"] == priced.olga.id)
    stripe("stripe", "POST", "accounts/settle", account=account, state="enabled")
    until(lambda: priced.olga.get("/me/payouts/account")["state"] == "enabled", "the account to be enabled")
    first, second = driven(priced), driven(priced)
    for rental in (first, second):
        priced.payment(rental, "captured")
        until(partial(payout, priced, rental, "waiting"), "the share to wait")
    assert priced.max.get(f"/rentals/{first}/payments")["items"][0]["payout"] is None
    charge = next(one["latest_charge"] for one in intents(priced, second))
    stripe("stripe", "POST", "disputes/open", charge=charge)
    priced.payment(second, "disputed")
    priced.forward("49h")
    paid = until(lambda: payout(priced, first, "settled"), "the owner to be paid")
    sent = stripe("stripe", "GET", "objects")["objects"]["transfer"]
    assert [one["amount"] for one in sent if one["destination"] == account] == [paid["sent"]["amount"]]
    assert payout(priced, second, "frozen")
    assert priced.olga.pushed("owner_paid", first)


def payout(friends: Friends, rental: str, state: str) -> Any:
    """What the owner is paid of a rental's rent, once it is in this state."""
    (row,) = friends.olga.get(f"/rentals/{rental}/payments")["items"]
    return row["payout"] if row["payout"] and row["payout"]["state"] == state else None

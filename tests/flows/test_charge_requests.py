from typing import Any

from app.demo_cast import until
from tests.flows.friends import Friends
from tests.flows.test_8_money import driven, statement


def test_a_toll_is_asked_heard_and_charged_for_the_owner_in_full(priced: Friends) -> None:
    rental = driven(priced)
    priced.payment(rental, "captured")
    begun = priced.rental(rental)["actual"]["from"]
    toll = {
        "kind": "toll",
        "amount": {"amount": 640, "currency": "EUR"},
        "text": "A10, Orléans",
        "occurred_at": begun,
        "document": {"reference": "A10-2027-31", "amount": {"amount": 640, "currency": "EUR"}},
    }
    made = priced.olga.post(f"/rentals/{rental}/charge-requests", toll, want=201)
    assert priced.max.pushed("charge_requested", rental)
    answered = priced.max.post(f"/charge-requests/{made['id']}/answer", {"accept": True}, want=200)
    assert (answered["state"], answered["charge_not_before"]) == ("accepted", made["answer_by"])
    priced.forward("73h")

    def charged() -> Any:
        rows = priced.max.get(f"/rentals/{rental}/payments")["items"]
        return [one for one in rows if one["purpose"] == "charge_request" and one["state"] == "captured"]

    assert until(charged, "the charge")[0]["captured"]["amount"] == 640
    assert priced.olga.get(f"/charge-requests/{made['id']}")["state"] == "closed"

    def earned() -> Any:
        return [one for one in statement(priced.olga)["entries"] if one["amount"]["amount"] == 640]

    assert until(earned, "the entry")
    told = ["charge_requested", "charge_request_accepted", "charge_request_closed"]
    for who in (priced.olga, priced.max):
        seen = [one["kind"] for one in reversed(who.get(f"/rentals/{rental}/timeline")["items"])]
        assert [kind for kind in seen if kind.startswith("charge_request")] == told

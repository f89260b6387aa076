import hashlib
import io
from typing import Any

import requests
from PIL import Image

from app.demo_cast import Actor, until
from tests.flows.friends import Friends
from tests.flows.test_8_money import driven, statement


def sent(who: Actor, method: str, path: str, **how: Any) -> requests.Response:
    url = f"{who.place.url}/v1{path}"
    return who.http.request(method, url, headers={"Authorization": f"Bearer {who.access}"}, timeout=30, **how)


def photographed(who: Actor, rental: str) -> Any:
    """A photo as large as phones make them, through a real server."""
    taken = io.BytesIO()
    Image.effect_noise((2400, 1800), 80).save(taken, "JPEG", quality=95)
    parts = {"file": ("IMG_0001.jpg", taken.getvalue())}
    answer = sent(
        who, "POST", f"/rentals/{rental}/photos", data={"step": "damage", "angle": "damage"}, files=parts
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_toll_is_asked_heard_and_charged_for_the_owner_in_full(priced: Friends) -> None:
    rental = driven(priced)
    priced.payment(rental, "captured")
    begun = priced.rental(rental)["actual"]["from"]
    photo = photographed(priced.olga, rental)
    toll = {
        "kind": "toll",
        "amount": {"amount": 640, "currency": "EUR"},
        "text": "A10, Orléans",
        "occurred_at": begun,
        "document": {"reference": "A10-2027-31", "amount": {"amount": 640, "currency": "EUR"}},
        "photos": [photo["id"]],
    }
    made = priced.olga.post(f"/rentals/{rental}/charge-requests", toll, want=201)
    assert priced.max.pushed("charge_requested", rental)
    (shown,) = priced.max.get(f"/charge-requests/{made['id']}")["photos"]
    file = sent(priced.max, "GET", f"/rentals/{rental}/photos/{shown}/file")
    assert hashlib.sha256(file.content).hexdigest() == photo["sha256"]
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

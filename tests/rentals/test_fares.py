"""What a rental costs and who gets what of it, from the quote over the hold to the books and the receipt."""

from collections import Counter
from typing import Any

import pytest

from app.billing import hold, ledger
from app.kit.db import session
from app.kit.errors import Validation
from app.rentals import receipts
from tests.billing.desk import Desk
from tests.rentals.lending import PRICED, build


def amounts(lines: Any) -> dict[str, int]:
    """By code: what lasts over midnight has a line for each day."""
    found = Counter[str]()
    for line in lines:
        found[line["code"]] += line["amount"]["amount"]
    return dict(found)


def parts(shares: Any) -> dict[str, int]:
    return {name: shares[name]["amount"] for name in ("owner", "insurer", "platform", "vat")}


def books(rental: str) -> dict[str, int]:
    """Who has earned what of a rental."""
    session.expire_all()
    found = ledger.of_rental_part(rental, requests=False)
    assert found is not None
    return {name: share["amount"] for name, share in found[0].to_dict().items()}


def test_lines_and_shares_are_the_same_in_quote_price_books_and_receipt(desk: Desk) -> None:
    lending = build(desk, PRICED)
    quote = lending.quote(hours=2, km=30)
    # 30 km at 0.8 % of 17.6 kWh are 4.224 kWh
    assert amounts(quote["lines"]) == {"time": 1200, "km": 600, "energy": 169}
    assert quote["per_kwh"] == {"amount": 40, "currency": "EUR"}
    assert parts(quote["shares"]) == {"owner": 1519, "insurer": 180, "platform": 225, "vat": 45}
    assert quote["shares"]["vat_rate"] == 2000
    rental = lending.book(quote)
    lending.unlock(rental)
    shown = lending.end(rental, km=50, charge=35)
    price = shown["final_price"]
    assert amounts(price["lines"]) == {"time": 1200, "km": 1200, "energy": 317}
    assert price["lines"][-1] == {
        "code": "energy",
        "quantity": 7920,
        "unit": "Wh",
        "amount": {"amount": 317, "currency": "EUR"},
    }
    assert sum(parts(price["shares"]).values()) == price["total"]["amount"] == 2717
    assert (
        books(rental) == parts(price["shares"]) == {"owner": 2117, "insurer": 240, "platform": 300, "vat": 60}
    )
    paid = hold.of(rental)
    assert paid is not None
    assert (paid.captured, paid.state) == (2717, "captured")
    receipts._bring(rental, at_last=True)
    receipt = lending.receipt(rental)
    assert parts(receipt["shares"]) == books(rental)
    assert receipt["shares"]["vat_rate"] == 2000


def test_energy_without_a_reading_or_a_lock_that_was_seen_is_not_asked(desk: Desk) -> None:
    lending = build(desk, PRICED)
    fuller = lending.lend(km=5, charge=90)
    assert "energy" not in amounts(fuller["final_price"]["lines"])
    rental = lending.book(lending.quote(hours=1))
    lending.unlock(rental)
    by_hand = lending.end(rental, km=5, charge=40, evidence="owner's statement")
    assert "energy" not in amounts(by_hand["final_price"]["lines"])
    lending.reads(capacity_kwh=None)
    unknown = lending.lend(km=5, charge=20)
    assert "energy" not in amounts(unknown["final_price"]["lines"])


def test_a_hold_that_is_too_small_for_the_energy_is_topped_up_and_the_books_have_every_cent(
    desk: Desk,
) -> None:
    lending = build(desk, {**PRICED, "per_km": 0, "per_kwh": 100})
    rental = lending.book(lending.quote(hours=1))
    held = lending.shown(rental)["quote"]["hold"]["amount"]
    assert held == 600 + 600 + 1000
    lending.unlock(rental)
    shown = lending.end(rental, km=5, charge=0)
    total = shown["final_price"]["total"]["amount"]
    assert total == 600 + 1408
    assert sum(books(rental).values()) == total
    assert books(rental)["owner"] == parts(shown["final_price"]["shares"])["owner"] == 450 + 1408


def test_fuel_is_not_metered(desk: Desk) -> None:
    with pytest.raises(Validation) as refused:
        build(desk, PRICED, powertrain="petrol")
    assert [one["pointer"] for one in refused.value.members["errors"]] == ["/per_kwh"]


def test_a_payment_from_before_tables_were_frozen_is_shared_as_it_was(desk: Desk) -> None:
    rental = desk.held(9000)
    assert desk.payment(rental).shares is None
    desk.end(rental, 6000)
    assert books(rental) == {"owner": 4500, "insurer": 600, "platform": 750, "vat": 150}


@pytest.mark.parametrize(
    ("country", "currency", "zone", "rate", "vat"), [("CH", "CHF", "Europe/Zurich", 810, 13)]
)
def test_another_country_has_another_rate(
    desk: Desk, country: str, currency: str, zone: str, rate: int, vat: int
) -> None:
    price = {"currency": currency, "hour": 600}
    worth = {"amount": 1_500_000, "currency": currency}
    lending = build(desk, price, country=country, time_zone=zone, declared_value=worth, insured_in=country)
    quote = lending.quote(hours=2)
    assert (quote["shares"]["vat_rate"], quote["shares"]["vat"]["amount"]) == (rate, vat)
    rental = lending.book(quote)
    lending.unlock(rental)
    shown = lending.end(rental, km=5)
    assert books(rental) == parts(shown["final_price"]["shares"])

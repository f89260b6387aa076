"""What a rental costs and who gets what of it, from the quote over the hold to the books and the receipt."""

from typing import Any

from app.billing import hold, ledger
from app.kit.db import session
from app.rentals import receipts
from tests.billing.desk import Desk
from tests.rentals.lending import PRICED, build


def amounts(lines: Any) -> dict[str, int]:
    return {line["code"]: line["amount"]["amount"] for line in lines}


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

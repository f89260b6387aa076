"""Stripe's well-known test cards (docs.stripe.com/testing) and how the double lets them behave.

One reading is ours: Stripe refuses 9995 when it is saved; here it is saved and refused when charged, so that
one card shows both halves of a rental.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TestCard:
    """`save` and `pay` name the decline, None for yes; `three_ds` says when its holder must confirm."""

    __test__ = False

    brand: str = "visa"
    save: str | None = None
    pay: str | None = None
    three_ds: str = "never"


OK = TestCard()

CARDS: dict[str, TestCard] = {
    "4242424242424242": OK,
    "5555555555554444": TestCard(brand="mastercard"),
    # the holder confirms when it is saved and whenever present; saved so, it can be charged in his absence
    "4000002500003155": TestCard(three_ds="until_saved"),
    "4000002760003184": TestCard(three_ds="always"),
    "4000008260003178": TestCard(three_ds="until_saved", pay="insufficient_funds"),
    "4000000000009995": TestCard(pay="insufficient_funds"),
    "4000000000000341": TestCard(pay="generic_decline"),
    "4000000000000002": TestCard(save="generic_decline", pay="generic_decline"),
    "4000000000009987": TestCard(save="lost_card", pay="lost_card"),
    "4000000000009979": TestCard(save="stolen_card", pay="stolen_card"),
    "4000000000000069": TestCard(save="expired_card", pay="expired_card"),
    "4000000000000119": TestCard(save="processing_error", pay="processing_error"),
}

OWN_CODES = frozenset({"expired_card", "processing_error"})
"""Declines that Stripe reports as their own code, without a decline code."""


def decline(reason: str) -> dict[str, str]:
    """The fields of a card error."""
    message = f"Your card was declined ({reason})."
    if reason in OWN_CODES:
        return {"type": "card_error", "code": reason, "message": message}
    return {"type": "card_error", "code": "card_declined", "decline_code": reason, "message": message}

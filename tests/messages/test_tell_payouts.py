from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from app import facts
from app.messages import words
from tests.messages import stage

MONEY = {"amount": 6000, "currency": "EUR"}


@dataclass
class Row:
    """A fact about an owner's money, what they are told, and what else the fact holds."""

    fact: type[Any]
    kind: str
    values: dict[str, Any]
    of_rental: bool = True


ROWS = [
    Row(facts.OwnerPaid, "owner_paid.owner", MONEY),
    Row(facts.OwnerGaveBack, "owner_gave_back.owner", MONEY),
    Row(facts.PayoutBlocked, "payout_blocked.owner", MONEY),
    Row(facts.PayoutAccountAsks, "payout_account_asks", {}, of_rental=False),
    Row(facts.BankPayoutFailed, "bank_payout_failed", {"payout": "po_1", **MONEY}, of_rental=False),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
def test_what_becomes_of_an_owners_money_is_the_owners_to_know_alone(app: Flask, row: Row) -> None:
    cast = stage.cast()
    more = {"payment": stage.paid(cast)[0], "rental": cast.rental} if row.of_rental else {}
    seq = stage.happen(row.fact(person=cast.olga.id, **row.values, **more))
    assert [stage.told(one, seq) for one in cast.everyone()] == [[row.kind], [], [], []]
    message = stage.messages(cast.olga)[-1]
    for language in ("en", "fr", "de-CH"):
        text = words.of(message.kind, message.params, language)
        assert text.title
        assert "{" not in text.title + text.body
        assert ("60" in text.title + text.body) == bool("amount" in row.values)


@pytest.mark.parametrize("row", ROWS[2:], ids=lambda row: row.kind)
def test_what_a_community_must_do_to_be_paid_its_owners_are_told_by_its_name(app: Flask, row: Row) -> None:
    cast = stage.cast()
    more = {"payment": stage.paid(cast)[0], "rental": cast.rental} if row.of_rental else {}
    seq = stage.happen(row.fact(person=cast.community, **row.values, **more))
    kind = f"{row.kind.removesuffix('.owner')}.community"
    assert [stage.told(one, seq) for one in cast.everyone()] == [[kind], [], [], []]
    message = stage.messages(cast.olga)[-1]
    for language in ("en", "fr", "de-CH"):
        text = words.of(message.kind, message.params, language)
        assert "{" not in text.title + text.body
        assert "Friends" in text.title + text.body


def test_a_lifted_bar_is_told_to_the_driver_with_what_was_never_paid(app: Flask) -> None:
    cast = stage.cast()
    payment, _ = stage.paid(cast)
    seq = stage.happen(facts.PaymentBarLifted(payment, cast.rental))
    assert [stage.told(one, seq) for one in cast.everyone()] == [[], ["payment_bar_lifted.driver"], [], []]


def test_a_dispute_is_told_to_who_earns_with_their_share(app: Flask) -> None:
    cast = stage.cast()
    payment, _ = stage.paid(cast)
    seq = stage.happen(facts.PaymentDisputed(payment, cast.rental))
    assert [stage.told(one, seq) for one in cast.everyone()] == [["payment_disputed.owner"], [], [], []]
    assert 0 < stage.messages(cast.olga)[-1].params["amount"]["amount"] < 1250

"""What an owner may ask, when and how much."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.claims import answer as answering
from app.claims import photos
from app.claims.charge_request import charge_request
from app.claims.charge_rules import PER_RENTAL
from app.kit import clock
from app.kit.db import session
from app.kit.errors import AlreadyExists, NotAllowed, NotFound, OutsideRules, StepNotAllowed, Validation
from tests import factories
from tests.claims.hearing import DAY, Hearing, eur
from tests.rentals.album import build
from tests.rentals.scene import make


def pointers(refused: pytest.ExceptionInfo[Validation]) -> list[str]:
    return [one["pointer"] for one in refused.value.members["errors"]]


def notice(amount: int = 9000, reference: str = "AV-2027-1") -> dict[str, Any]:
    return {"reference": reference, "amount": eur(amount)}


def test_a_request_gives_the_driver_72_hours_and_charges_nothing_before(hearing: Hearing) -> None:
    row = hearing.ask()
    assert row.answer_by - row.made_at == timedelta(hours=72)
    assert (row.state, row.charge_not_before, row.payment_id) == ("open", row.answer_by, None)
    assert hearing.facts() == ["ChargeRequested"]


def test_the_owner_alone_asks(hearing: Hearing) -> None:
    with pytest.raises(NotAllowed):
        charge_request(hearing.max, hearing.scene.rental_id, hearing.body())
    with pytest.raises(NotFound):
        charge_request(factories.person("Charlie Stranger").id, hearing.scene.rental_id, hearing.body())


def test_before_the_end_nothing_is_asked(app: Flask) -> None:
    del app
    scene = make()
    body = {"kind": "damage", "amount": eur(100), "text": "?", "occurred_at": clock.now()}
    with pytest.raises(StepNotAllowed):
        charge_request(scene.olga.id, scene.rental_id, body)


def test_after_14_days_nothing_but_a_fine_or_toll_is_asked_and_after_a_year_nothing(hearing: Hearing) -> None:
    hearing.set_terms(cleaning=4000)
    hearing.forward(14 * DAY)
    for kind in ("damage", "cleaning", "other"):
        with pytest.raises(OutsideRules) as refused:
            hearing.ask(kind, 100)
        assert (refused.value.members["rule"], refused.value.members["limit"]) == ("made_within_days", 14)
    assert hearing.ask("toll", 640).state == "open"
    hearing.forward(351 * DAY)
    with pytest.raises(OutsideRules) as refused:
        hearing.ask("fine", 9000)
    assert refused.value.members["limit"] == 365


def test_it_happened_while_the_driver_held_the_car_or_is_not_theirs(hearing: Hearing) -> None:
    ended = hearing.scene.rental.ended_at
    assert ended is not None
    for instant in (ended, ended + DAY, hearing.scene.rental.started_at - timedelta(minutes=1)):  # type: ignore[operator]
        with pytest.raises(Validation) as refused:
            hearing.ask(occurred_at=instant)
        assert pointers(refused) == ["/occurred_at"]
    assert "It was theirs from" in refused.value.members["errors"][0]["detail"]


def test_the_amount_is_in_the_rentals_currency_and_something(hearing: Hearing) -> None:
    for too_little in (0, 1, 49):
        with pytest.raises(Validation) as refused:
            hearing.ask(amount=too_little)
        assert pointers(refused) == ["/amount/amount"]
    session.rollback()
    body = {**hearing.body(), "amount": {"amount": 100, "currency": "CHF"}}
    with pytest.raises(Validation) as refused:
        charge_request(hearing.olga, hearing.scene.rental_id, body)
    assert pointers(refused) == ["/amount/currency"]


def test_a_document_may_state_less_than_a_card_can_be_asked_for_but_it_is_not_asked(hearing: Hearing) -> None:
    with pytest.raises(Validation) as refused:
        hearing.ask("toll", 40, document=notice(40))
    assert pointers(refused) == ["/amount/amount"]
    with pytest.raises(OutsideRules):
        hearing.ask("toll", 50, document=notice(40))


def test_cleaning_is_charged_by_the_frozen_terms_and_not_where_they_have_none(hearing: Hearing) -> None:
    with pytest.raises(OutsideRules):
        hearing.ask("cleaning", 50)
    hearing.set_terms(cleaning=4000)
    with pytest.raises(OutsideRules) as refused:
        hearing.ask("cleaning", 4001)
    assert (refused.value.members["rule"], refused.value.members["limit"]) == ("cleaning", 4000)
    assert hearing.ask("cleaning", 4000).amount == 4000


def test_a_cap_is_not_got_round_by_asking_twice_but_what_was_withdrawn_or_decided_lower_frees_it(
    hearing: Hearing,
) -> None:
    hearing.set_terms(deposit=50000)
    first = hearing.ask("damage", 30000)
    with pytest.raises(OutsideRules) as refused:
        hearing.ask("damage", 20001)
    assert (refused.value.members["rule"], refused.value.members["limit"]) == ("deposit", 20000)
    hearing.withdraw(first)
    second = hearing.ask("damage", 50000)
    hearing.answer(second, accept=False)
    hearing.decide(second, 10000)
    assert hearing.ask("damage", 40000).state == "open"


def test_a_fine_is_asked_up_to_its_document_and_once(hearing: Hearing) -> None:
    with pytest.raises(OutsideRules) as refused:
        hearing.ask("fine", 9001, document=notice(9000))
    assert refused.value.members["rule"] == "document"
    hearing.ask("fine", 9000, document=notice(9000))
    with pytest.raises(AlreadyExists):
        hearing.ask("fine", 9000, document=notice(9000))
    assert hearing.ask("fine", 9000, document=notice(9000, "AV-2027-2")).document == "AV-2027-2"


def test_a_document_is_of_a_fine_or_toll_alone(hearing: Hearing) -> None:
    with pytest.raises(Validation) as refused:
        hearing.ask("damage", 100, document=notice())
    assert pointers(refused) == ["/document"]


def test_photos_that_are_not_there_are_no_evidence(hearing: Hearing) -> None:
    with pytest.raises(Validation) as refused:
        hearing.ask(photos=["pic_" + "0" * 32])
    assert pointers(refused) == ["/photos/0"]
    assert hearing.ask(photos=[]).state == "open"


def test_photos_of_another_rental_are_no_evidence(app: Flask, hearing: Hearing) -> None:
    mine = build(app, hearing.scene).added("olga", "damage", "left")["id"]
    theirs = build(app, make()).added()["id"]
    with pytest.raises(Validation) as refused:
        hearing.ask(photos=[mine, theirs])
    assert pointers(refused) == ["/photos/1"]
    assert hearing.ask(photos=[mine, mine]).photos == [mine]
    with pytest.raises(Validation) as refused:
        answering.answer(hearing.max, hearing.ask().id, {"accept": False, "photos": [theirs]})
    assert pointers(refused) == ["/photos/0"]


def test_while_a_hearing_goes_on_and_half_a_year_after_it_the_photos_are_kept(hearing: Hearing) -> None:
    rental = hearing.scene.rental_id
    assert not photos.needed(rental)
    row = hearing.ask()
    assert photos.needed(rental)
    hearing.withdraw(row)
    assert photos.needed(rental)
    hearing.now(row).closed_at = clock.now() - photos.AFTERWARDS
    session.commit()
    assert not photos.needed(rental)


def test_one_rental_has_a_limited_number_of_them(hearing: Hearing) -> None:
    for _ in range(PER_RENTAL):
        hearing.ask("toll", 50)
    with pytest.raises(OutsideRules, match=str(PER_RENTAL)):
        hearing.ask("toll", 50)


def test_an_instant_of_another_hand_is_refused_and_says_nothing_of_whose_it_was(hearing: Hearing) -> None:
    hearing.forward(DAY)
    with pytest.raises(Validation) as refused:
        hearing.ask("toll", 640, occurred_at=clock.now() - timedelta(hours=2))
    assert not re.search("per_|ren_", str(refused.value.members))

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from app.billing import dispute, dispute_evidence, fraud_warning, reconcile, refund
from app.billing.payout_models import Dispute, FraudWarning
from app.kit.db import release, session
from app.kit.errors import StepNotAllowed, Unavailable
from tests.billing.desk import Desk

SHARE = 6000


@pytest.fixture(autouse=True)
def records() -> Iterator[None]:
    """What the rental's own records would say."""
    kept, sheets = list(dispute_evidence.EVIDENCE_OF), list(dispute_evidence.SHEET_OF)
    dispute_evidence.EVIDENCE_OF[:] = [lambda rental: {"uncategorized_text": f"The records of {rental}."}]
    yield
    dispute_evidence.EVIDENCE_OF[:] = kept
    dispute_evidence.SHEET_OF[:] = sheets


def row(external: str) -> Dispute:
    release()
    found = session.scalars(select(Dispute).where(Dispute.external_id == external)).one()
    release()
    return found


def test_a_dispute_puts_the_money_in_suspense_and_freezes_the_owners_share(desk: Desk) -> None:
    desk.owner()
    rental = desk.captured(8000)
    made = desk.dispute(rental)
    assert (desk.payment(rental).state, desk.transfer(rental).state) == ("disputed", "frozen")
    books = desk.books(rental)
    assert (books["dispute_suspense"], sum(books.values())) == (8000, 0)
    assert desk.pay_out(rental) == []
    assert desk.transfer(rental).external_id is None
    assert desk.facts(rental)[-1] == "PaymentDisputed"
    assert row(made).state == "open"
    with pytest.raises(StepNotAllowed):
        refund.refund(desk.payment(rental).id, 1, "operator")


def test_its_events_in_any_order_and_twice_are_one_dispute(desk: Desk) -> None:
    rental = desk.captured(8000)
    made = desk.dispute(rental)
    for kind in (
        "charge.dispute.funds_withdrawn",
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
    ):
        assert desk.tell(kind, made) == []
    assert desk.books(rental)["dispute_suspense"] == 8000
    assert desk.facts(rental).count("PaymentDisputed") == 1


def test_our_evidence_is_sent_two_days_before_the_bank_stops_listening_and_once(desk: Desk) -> None:
    rental = desk.captured(8000)
    made = desk.dispute(rental)
    ours = row(made)
    assert desk.due(ours.id) == []
    desk.forward(timedelta(days=7, minutes=1))
    assert desk.due(ours.id) == ["evidence"]
    desk.double.post("fault", next="drop_after_commit", path="/v1/disputes")
    assert len(desk.jobs()) == 1
    assert desk.jobs() == []
    at_stripe = next(one for one in desk.there("dispute") if one["id"] == made)
    assert at_stripe["evidence_details"]["submission_count"] == 1
    assert at_stripe["evidence"]["uncategorized_text"] == f"The records of {rental}."
    assert row(made).evidence_sent_at is not None
    assert row(made).state == "sent"
    assert desk.facts(rental)[-1] == "EvidenceSent"
    dispute_evidence.due(ours.id)
    assert desk.jobs() == []


def at_the_bank(desk: Desk, made: str) -> Any:
    return next(one for one in desk.there("dispute") if one["id"] == made)


def test_the_photos_go_with_the_words_as_one_file_however_often_the_answer_is_lost(desk: Desk) -> None:
    dispute_evidence.SHEET_OF[:] = [lambda _: b"%PDF-1.4 photos"]
    made = desk.dispute(desk.captured(8000))
    for path in ("/v1/files", "/v1/disputes/"):
        dispute_evidence.due(row(made).id)
        desk.double.post("fault", next="drop_after_commit", path=path)
        assert len(desk.jobs()) == 1
    assert desk.jobs() == []
    evidence = at_the_bank(desk, made)["evidence"]
    files = [one for one in desk.there("file") if one["id"] == evidence["uncategorized_file"]]
    assert (len(files), files[0]["size"]) == (1, 15)
    assert at_the_bank(desk, made)["evidence_details"]["submission_count"] == 1


def test_photos_that_the_bank_does_not_take_keep_no_word_from_it(desk: Desk) -> None:
    dispute_evidence.SHEET_OF[:] = [lambda _: b"no paper"]
    made = desk.dispute(desk.captured(8000))
    dispute_evidence.due(row(made).id)
    assert desk.jobs() == []
    given = {name for name, text in at_the_bank(desk, made)["evidence"].items() if text}
    assert given == {"uncategorized_text"}


def test_photos_that_cannot_be_had_are_waited_for_until_a_day_before_the_bank_stops_listening(
    desk: Desk,
) -> None:
    def away(_: str) -> bytes:
        raise Unavailable("the place is away")

    dispute_evidence.SHEET_OF[:] = [away]
    made = desk.dispute(desk.captured(8000))
    dispute_evidence.due(row(made).id)
    (error,) = desk.jobs()
    assert isinstance(error, Unavailable)
    assert row(made).evidence_sent_at is None
    desk.forward(timedelta(days=8, minutes=1))
    assert desk.jobs() == []
    assert row(made).evidence_sent_at is not None


def test_evidence_that_somebody_sent_by_hand_is_not_sent_over(desk: Desk) -> None:
    rental = desk.captured(8000)
    made = desk.dispute(rental)
    from app.billing import commands

    release()
    commands.disputes().submit_evidence(made, {"uncategorized_text": "By hand."}, key="by-hand-1")
    dispute_evidence.due(row(made).id)
    assert desk.jobs() == []
    assert row(made).state == "sent"


def test_a_dispute_that_is_won_gives_all_back_and_the_owner_is_paid(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    made = desk.dispute(rental)
    desk.decide(made, "won")
    assert (desk.payment(rental).state, row(made).state) == ("captured", "won")
    assert "dispute_suspense" not in desk.books(rental)
    assert desk.pay_out(rental) == []
    assert (desk.transfer(rental).amount, desk.owes(olga.id)) == (SHARE, 0)


def test_a_dispute_that_is_lost_is_the_platforms_loss_and_the_owner_is_paid_all_the_same(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    desk.decide(desk.dispute(rental), "lost")
    books = desk.books(rental)
    assert (books["bad_debt"], books.get("dispute_suspense")) == (8000, None)
    assert desk.pay_out(rental) == []
    assert (desk.transfer(rental).amount, desk.owes(olga.id)) == (SHARE, 0)
    assert desk.payment(rental).state == "disputed"


def test_a_lost_dispute_that_the_owner_caused_is_taken_back_from_them(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    made = desk.dispute(rental)
    desk.decide(made, "lost")
    dispute.charge_owner(row(made).id)
    dispute.charge_owner(row(made).id)
    assert desk.jobs() == []
    assert (desk.transfer(rental).reversed, desk.owes(olga.id)) == (SHARE, 0)
    assert desk.books(rental)["bad_debt"] == 8000 - SHARE


def test_an_owner_known_to_have_caused_it_is_not_paid_when_it_is_lost(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    made = desk.dispute(rental)
    dispute.charge_owner(row(made).id)
    desk.decide(made, "lost")
    assert desk.pay_out(rental) == []
    assert (desk.transfer(rental).state, desk.transfer(rental).amount, desk.owes(olga.id)) == (
        "settled",
        0,
        0,
    )


def test_a_mere_inquiry_freezes_nothing_and_is_answered(desk: Desk) -> None:
    desk.owner()
    rental = desk.captured(8000)
    made = desk.dispute(rental, inquiry=True)
    assert (desk.payment(rental).state, row(made).state) == ("captured", "inquiry")
    assert "dispute_suspense" not in desk.books(rental)
    assert desk.pay_out(rental) == []
    assert desk.transfer(rental).state == "settled"
    desk.decide(made, "warning_closed")
    assert (desk.payment(rental).state, row(made).state) == ("captured", "dropped")


def test_an_inquiry_that_becomes_a_dispute_is_answered_again(desk: Desk) -> None:
    desk.owner()
    rental = desk.captured(8000)
    made = desk.dispute(rental, inquiry=True)
    first = row(made)
    dispute_evidence.due(first.id)
    assert desk.jobs() == []
    assert (row(made).state, row(made).evidence_sent_at is not None) == ("inquiry", True)
    desk.double.post("disputes/escalate", dispute=made)
    assert desk.tell("charge.dispute.funds_withdrawn", made) == []
    assert (desk.payment(rental).state, desk.transfer(rental).state) == ("disputed", "frozen")
    assert row(made).key != first.key
    dispute_evidence.due(first.id)
    assert desk.jobs() == []
    assert row(made).state == "sent"


def test_a_dispute_of_which_the_last_event_alone_arrives_is_kept_with_its_outcome(desk: Desk) -> None:
    desk.owner()
    rental = desk.captured(8000)
    made = str(desk.double.post("disputes/open", charge=desk.payment(rental).charge_id)["id"])
    desk.decide(made, "lost")
    assert desk.facts(rental)[-2:] == ["PaymentDisputed", "DisputeDecided"]
    assert (row(made).state, desk.payment(rental).state) == ("lost", "disputed")
    assert desk.books(rental)["bad_debt"] == 8000


def test_an_outcome_whose_event_was_lost_is_found_by_the_comparison(desk: Desk) -> None:
    rental = desk.captured(8000)
    made = desk.dispute(rental)
    desk.double.post("disputes/close", dispute=made, status="won")
    assert made in reconcile._undecided()
    reconcile.run()
    assert (row(made).state, desk.payment(rental).state) == ("won", "captured")
    assert made not in reconcile._undecided()


def test_a_correction_of_the_price_waits_until_the_dispute_is_decided(desk: Desk) -> None:
    rental = desk.captured(8000)
    made = desk.dispute(rental)
    assert desk.end(rental, 6000) == []
    assert desk.payment(rental).refunded == 0
    desk.decide(made, "won")
    assert desk.payment(rental).refunded == 2000


# -- warnings --------------------------------------------------------------------------------------------------------


def warned(desk: Desk, rental: str) -> str:
    made = str(desk.double.post("warnings/open", charge=desk.payment(rental).charge_id)["id"])
    for _ in range(2):
        assert desk.tell("radar.early_fraud_warning.created", made) == []
    release()
    return session.scalars(select(FraudWarning.id).where(FraudWarning.external_id == made)).one()


def test_a_warning_stops_its_driver_until_an_operator_has_looked(desk: Desk) -> None:
    rental = desk.captured(8000)
    driver = desk.payment(rental).person_id
    assert not fraud_warning.stops(driver)
    warning = warned(desk, rental)
    assert fraud_warning.stops(driver)
    assert desk.facts(rental).count("FraudWarned") == 1
    fraud_warning.clear(warning, "operator")
    assert not fraud_warning.stops(driver)


def test_what_is_given_back_clears_its_warning(desk: Desk) -> None:
    rental = desk.captured(8000)
    driver = desk.payment(rental).person_id
    warned(desk, rental)
    fraud_warning.clear_of_payment(desk.payment(rental).id, "operator")
    assert not fraud_warning.stops(driver)
    kinds = session.execute(
        text("select kind from facts where data ->> 'person' = :p"), {"p": driver}
    ).scalars()
    assert "FraudCleared" in set(kinds)

"""An attempt that was given up and succeeds after all: it pays what is still owed, or is given back in full."""

import pytest
from sqlalchemy import select, text

from app.billing import document, hold, reconcile, work
from app.billing.models import LedgerEntry, Payment, Posting
from app.billing.states import OVERPAID
from app.kit.db import release, session
from tests.billing.desk import ALWAYS_3DS, POOR, VISA, Desk

OWED = 5000


def given_up(desk: Desk, number: str) -> str:
    """A charge that waits for the driver's bank is given up for another card; its intent could not be freed."""
    rental = desk.plan(9000, number=ALWAYS_3DS)
    desk.jobs()
    assert desk.end(rental, OWED) == []
    row = desk.payment(rental)
    assert row.state == "action_required"
    card = desk.save_card(row.person_id, number)
    desk.double.post("fault", next="400", path="/cancel")
    hold.retry(row.id, card, row.person_id)
    release()
    return rental


def confirmed(desk: Desk, rental: str) -> str:
    """The driver confirms what was given up; no event has come yet."""
    waiting = next(one for one in desk.double_intents(rental) if one["status"].startswith("requires_"))
    desk.double.post("payment_intents/confirm", client_secret=waiting["client_secret"], three_ds="ok")
    return str(waiting["id"])


def first_succeeds(desk: Desk, rental: str) -> list[BaseException]:
    """The driver confirms it, and its event arrives."""
    return desk.tell("payment_intent.succeeded", confirmed(desk, rental))


def overpaid(desk: Desk, rental: str) -> Payment | None:
    return next((row for row in desk.payments(rental) if row.purpose == OVERPAID), None)


def is_paid_once(desk: Desk, rental: str) -> None:
    """By what the driver has on both sides: what was owed, and the books balance."""
    assert sum(one.captured - one.refunded for one in desk.payments(rental)) == OWED
    taken = [one for one in desk.double_intents(rental) if one["amount_received"]]
    charges = {one["id"]: one for one in desk.there("charge")}
    back = sum(charges[one["latest_charge"]]["amount_refunded"] for one in taken)
    assert sum(one["amount_received"] for one in taken) - back == OWED
    books = desk.books(rental)
    assert sum(books.values()) == 0
    assert (books["owner_payable"], books["platform_revenue"], books["vat_payable"]) == (-3750, -625, -125)


def earned_by(payment: Payment) -> set[str]:
    """Where the entries of a payment put what came in, and took it from again."""
    found = (
        select(Posting.account)
        .join(LedgerEntry)
        .where(LedgerEntry.payment_id == payment.id, LedgerEntry.source_type != "promise")
    )
    return set(session.scalars(found)) - {"stripe_clearing", "processor_fees"}


def no_difference(desk: Desk, rental: str) -> None:
    mine = {one["id"] for one in desk.double_intents(rental)} | {one.id for one in desk.payments(rental)}
    assert [one for one in reconcile.run() if one.subject in mine and not one.mended] == []


def test_paid_otherwise_it_is_given_back_in_full(desk: Desk) -> None:
    rental = given_up(desk, VISA)
    assert desk.jobs() == []
    assert desk.payment(rental).captured == OWED
    assert first_succeeds(desk, rental) == []
    row = overpaid(desk, rental)
    assert row is not None
    assert (row.state, row.captured, row.refunded) == ("refunded", OWED, OWED)
    assert desk.facts(rental)[-2:] == ["PaymentSucceeded", "PaymentRefunded"]
    assert earned_by(row) == {"platform_revenue"}
    is_paid_once(desk, rental)
    no_difference(desk, rental)
    assert [part for part, _ in document.missing(rental)] == [document.PRICE]


def test_while_its_refund_waits_no_paper_tells_of_it(desk: Desk) -> None:
    rental = given_up(desk, VISA)
    assert desk.jobs() == []
    desk.double.post("fault", next="400", path="/v1/refunds")
    assert first_succeeds(desk, rental) == []
    row = overpaid(desk, rental)
    assert row is not None
    assert (row.state, row.captured, row.refunded) == ("captured", OWED, 0)
    assert [part for part, _ in document.missing(rental)] == [document.PRICE]


def test_the_comparison_finds_one_whose_event_never_came(desk: Desk) -> None:
    rental = given_up(desk, VISA)
    assert desk.jobs() == []
    confirmed(desk, rental)
    assert "captured_twice" in [one.kind for one in reconcile.run() if one.subject == desk.payment(rental).id]
    assert overpaid(desk, rental) is not None
    assert desk.jobs() == []
    is_paid_once(desk, rental)
    no_difference(desk, rental)


def test_its_event_told_twice_gives_back_once(desk: Desk) -> None:
    rental = given_up(desk, VISA)
    assert desk.jobs() == []
    first_succeeds(desk, rental)
    row = overpaid(desk, rental)
    assert row is not None
    assert (
        desk.deliver({**desk.event(rental, "payment_intent.succeeded"), "id": f"evt_{rental}"}).status_code
        == 200
    )
    assert desk.jobs() == []
    assert len(desk.payments(rental)) == 2
    is_paid_once(desk, rental)


@pytest.mark.parametrize("number", [POOR, ALWAYS_3DS])
def test_still_owed_it_is_the_payment(desk: Desk, number: str) -> None:
    rental = given_up(desk, number)
    assert desk.jobs() == []
    assert desk.standing(rental) in ("arrears", "action_required")
    assert first_succeeds(desk, rental) == []
    assert (desk.payment(rental).state, desk.payment(rental).captured) == ("captured", OWED)
    assert overpaid(desk, rental) is None
    is_paid_once(desk, rental)
    no_difference(desk, rental)
    open_ = [one["status"] for one in desk.double_intents(rental) if one["status"].startswith("requires_")]
    assert open_ == []


@pytest.mark.parametrize("keys", ["known", "forgotten"])
def test_while_another_attempt_is_under_way_it_is_the_payment_and_the_other_is_given_back(
    desk: Desk, keys: str
) -> None:
    rental = given_up(desk, VISA)
    release = work.next_order(desk.payment(rental).id)
    assert release is not None
    work.carry_out(release)
    desk.double.post("fault", next="drop_after_commit", path="/v1/payment_intents")
    assert len(desk.jobs()) == 1
    if keys == "forgotten":
        session.execute(
            text(
                "update payment_commands set first_tried_at = first_tried_at - interval '1 day' where state = 'open'"
            )
        )
        session.commit()
        desk.double.post("keys/forget")
    assert first_succeeds(desk, rental) == []
    row = overpaid(desk, rental)
    assert row is not None
    assert (row.state, row.refunded, desk.payment(rental).state) == ("refunded", OWED, "captured")
    is_paid_once(desk, rental)
    no_difference(desk, rental)

"""Damage is taken of the deposit by the hearing's close alone; what that does not bring, the card is charged for."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from app import facts
from app.billing import capture, commands, deposit, hold
from app.billing.models import Payment
from app.claims import access
from app.claims.models import ChargeRequest
from app.demo_cast import until
from app.kit.db import db, release, session, transactional
from app.rentals import receipts, represent
from payments.money import Money
from tests.billing.desk import Desk
from tests.claims.hearing import DAY, HOUR, Hearing, build

DEPOSIT = 20_000


@pytest.fixture
def case(desk: Desk) -> Iterator[Hearing]:
    """Max's rental is over, its deposit is held for the inspection."""
    kept = list(deposit.IN_HEARING)
    deposit.IN_HEARING[:] = [access.damage_is_heard]
    made = build(deposit=DEPOSIT)
    rental = made.scene.rental_id
    transactional(hold.plan)(
        rental=rental,
        driver=made.max,
        payee=made.olga,
        community=None,
        amount=Money(0, "EUR"),
        deposited=Money(DEPOSIT, "EUR"),
        starts_at=datetime.now(UTC),  # noqa: TID251
        card=desk.save_card(made.max),
        on_session=False,
    )
    assert desk.jobs() == []
    transactional(capture.on_ended)(facts.RentalEnded(rental, datetime.now(UTC), 0, "EUR", "box"))  # noqa: TID251
    yield made
    deposit.IN_HEARING[:] = kept


def held(desk: Desk, case: Hearing) -> Payment:
    return desk.deposit(case.scene.rental_id)


def purposes(desk: Desk, case: Hearing) -> dict[str, tuple[str, int]]:
    return {row.purpose: (row.state, row.captured) for row in desk.payments(case.scene.rental_id)}


def heard(desk: Desk, case: Hearing, row: ChargeRequest) -> ChargeRequest:
    """The 72 hours go by, with all that is due of the deposit meanwhile."""
    desk.forward(73 * HOUR)
    desk.due(held(desk, case).id)
    case.due(row)
    assert desk.jobs() == []
    return case.now(row)


def test_damage_asked_for_as_the_inspection_ends_keeps_it_or_comes_after(desk: Desk, case: Hearing) -> None:
    asked = threading.Thread(target=_ask, args=(desk, case))
    waits = text(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    )
    with db.engine.connect() as ending, db.engine.connect() as looking:
        row = held(desk, case)
        ending.execute(select(Payment.id).where(Payment.id == row.id).with_for_update())
        asked.start()
        until(lambda: looking.execute(waits).scalar_one() > 0, "the request to wait for the deposit")
        ending.rollback()
    asked.join()
    desk.forward(deposit.INSPECTION)
    desk.due(held(desk, case).id)
    assert held(desk, case).state == "held"


def _ask(desk: Desk, case: Hearing) -> None:
    with desk.app.app_context():
        case.ask(amount=12_000)
        release()


def test_it_is_taken_up_to_what_was_decided_and_the_rest_is_given_back(desk: Desk, case: Hearing) -> None:
    row = heard(desk, case, case.answer(case.ask(amount=12_000), accept=True))
    assert purposes(desk, case) == {"deposit": ("captured", 12_000)}
    assert (row.deposit_id, row.payment_id) == (held(desk, case).id, None)
    shown = represent.rental(case.scene.rental, case.max)["deposit"]
    assert (shown["state"], shown["taken"]["amount"], shown["release_at"]) == ("captured", 12_000, None)
    seen = receipts.of(case.scene.rental_id, case.olga)["charged_after"]
    assert [(one["payment"], one["amount"]["amount"]) for one in seen] == [(row.deposit_id, 12_000)]


def test_while_it_is_heard_nothing_is_taken_and_nothing_given_back(desk: Desk, case: Hearing) -> None:
    case.contested()
    desk.forward(deposit.INSPECTION)
    assert desk.due(held(desk, case).id) == ["deposit"]
    assert desk.jobs() == []
    assert purposes(desk, case) == {"deposit": ("held", 0)}


def test_a_withdrawal_after_the_inspection_gives_it_back(desk: Desk, case: Hearing) -> None:
    row = case.contested()
    desk.forward(deposit.INSPECTION)
    desk.due(held(desk, case).id)
    case.withdraw(row)
    assert desk.jobs() == []
    assert purposes(desk, case) == {"deposit": ("released", 0)}


def test_a_decision_for_nothing_gives_it_back(desk: Desk, case: Hearing) -> None:
    row = case.decide(case.contested(), 0)
    desk.forward(deposit.INSPECTION)
    desk.due(held(desk, case).id)
    desk.forward(2 * DAY)
    desk.due(held(desk, case).id)
    assert desk.jobs() == []
    case.forward(13 * DAY)
    case.due(row)
    assert desk.jobs() == []
    assert case.now(row).state == "closed"
    assert purposes(desk, case) == {"deposit": ("released", 0)}


def test_a_fine_leaves_it_alone_and_charges_the_card(desk: Desk, case: Hearing) -> None:
    paper = {"reference": "PV 17", "amount": {"amount": 6000, "currency": "EUR"}}
    heard(desk, case, case.answer(case.ask("fine", 6000, document=paper), accept=True))
    assert purposes(desk, case) == {"deposit": ("released", 0), "charge_request": ("captured", 6000)}


def test_a_second_hearing_charges_the_card_and_the_first_had_the_deposit(desk: Desk, case: Hearing) -> None:
    first = case.answer(case.ask(amount=12_000), accept=True)
    second = case.answer(case.ask(amount=5000), accept=True)
    heard(desk, case, first)
    case.due(second)
    assert desk.jobs() == []
    assert purposes(desk, case) == {"deposit": ("captured", 12_000), "charge_request": ("captured", 5000)}


def test_when_the_hold_is_gone_the_card_is_charged(desk: Desk, case: Hearing) -> None:
    row = case.answer(case.ask(amount=12_000), accept=True)
    intent = str(held(desk, case).intent_id)
    commands.door().release(intent, key=f"bank:{intent}")
    assert desk.tell("payment_intent.canceled", intent) == []
    row = heard(desk, case, row)
    assert purposes(desk, case) == {"deposit": ("released", 0), "charge_request": ("captured", 12_000)}
    assert (row.deposit_id, row.payment_id is None) == (None, False)


def test_asked_for_after_the_inspection_there_is_no_deposit_any_more(desk: Desk, case: Hearing) -> None:
    desk.forward(deposit.INSPECTION)
    desk.due(held(desk, case).id)
    assert desk.jobs() == []
    row = heard(desk, case, case.answer(case.ask(amount=12_000), accept=True))
    assert purposes(desk, case) == {"deposit": ("released", 0), "charge_request": ("captured", 12_000)}
    taken = session.scalars(select(Payment).where(Payment.id == row.payment_id)).one()
    assert taken.payee == case.olga

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.billing import refund
from app.kit.db import new_id, release, session
from app.kit.errors import NotFound, StepNotAllowed, Validation
from tests.billing.desk import Desk


def test_a_refund_gives_back_part_and_the_books_follow(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.end(rental, 8000)
    payment = desk.payment(rental).id
    refund.refund(payment, 3000, "operator")
    assert desk.standing(rental) == "refunding"
    assert desk.jobs() == []
    row = desk.payment(rental)
    assert (row.state, row.captured, row.refunded) == ("captured", 8000, 3000)
    assert desk.facts(rental)[-1] == "PaymentRefunded"
    assert desk.books(rental)["owner_payable"] == -3750
    assert sum(desk.books(rental).values()) == 0
    refund.refund(payment, 5000, "operator")
    assert desk.jobs() == []
    assert desk.standing(rental) == "refunded"
    assert "owner_payable" not in desk.books(rental)


def test_a_refund_whose_answer_is_lost_is_given_once(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.end(rental, 8000)
    refund.refund(desk.payment(rental).id, 3000, "operator")
    desk.double.post("fault", next="drop_after_commit", path="/v1/refunds")
    assert len(desk.jobs()) == 1
    assert desk.jobs() == []
    assert desk.payment(rental).refunded == 3000
    assert len(desk.there("refund")) >= 1


def test_of_eight_at_once_no_more_than_the_remainder_is_given_back(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.end(rental, 8000)
    payment = desk.payment(rental).id

    def ask(_number: int) -> bool:
        with desk.app.app_context():
            try:
                refund.refund(payment, 3000, "operator")
            except Validation:
                return False
            else:
                return True
            finally:
                release()

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(ask, range(8)))
    assert given.count(True) == 2
    assert desk.jobs() == []
    assert desk.payment(rental).refunded == 6000
    with pytest.raises(Validation):
        refund.refund(payment, 2001, "operator")


def test_what_was_not_captured_is_not_refunded(desk: Desk) -> None:
    rental = desk.held(9000)
    with pytest.raises(StepNotAllowed):
        refund.refund(desk.payment(rental).id, 1, "operator")
    with pytest.raises(NotFound):
        refund.refund(new_id("pay"), 1, "operator")


def test_a_refund_that_the_provider_refuses_leaves_the_payment_captured(desk: Desk) -> None:
    rental = desk.held(9000)
    desk.end(rental, 8000)
    row = session.merge(desk.payment(rental))
    row.captured += 500  # our record is wrong: the provider has less
    session.commit()
    payment = row.id
    release()
    refund.refund(payment, 8400, "operator")
    assert desk.jobs() == []
    assert (desk.standing(rental), desk.payment(rental).refunded) == ("captured", 0)

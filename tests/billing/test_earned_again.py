"""An owner who earned again what was taken from them is sent it, whether or not they lend once more."""

from datetime import timedelta

from app.billing import commands as orders
from app.billing import compare, dispute, ledger, refund, refused_refund, transfer
from app.billing.ledger import Entry, Line
from app.kit import clock
from app.kit.db import new_id, release, transactional
from tests.billing.desk import Desk, eur
from tests.billing.test_disputes import row
from tests.billing.test_payouts import SHARE, at_stripe, told


def lost_at_the_owners_cost(desk: Desk, rental: str) -> str:
    made = desk.dispute(rental)
    desk.decide(made, "lost")
    transactional(dispute.charge_owner)(row(made).id)
    assert desk.jobs() == []
    return made


def appeal(desk: Desk, made: str) -> None:
    """The bank thinks better of it; the last of its news is that it is won."""
    desk.double.post("disputes/close", dispute=made, status="won")
    assert desk.tell("charge.dispute.closed", made) == []


def net(desk: Desk, rental: str) -> int:
    return sum(one["amount"] - one["amount_reversed"] for one in at_stripe(desk, rental))


def at_once(desk: Desk, rental: str) -> list[BaseException]:
    desk.due(desk.transfer(rental).id)
    return desk.jobs()


def sent_again(desk: Desk, *rentals: str) -> list[str]:
    """Those of these whose owner was found to have earned again."""
    found = transfer.level_again()
    return [rental for rental in rentals if desk.payment(rental).id in found]


def not_the_same(desk: Desk, rental: str) -> list[str]:
    """What the comparison finds of the transfers of a rental."""
    release()
    mine = {one["id"] for one in at_stripe(desk, rental)}
    since = clock.now() - timedelta(days=30)
    found = compare._transfers(orders.payouts().transfers_since(since), since)
    release()
    return [one.subject for one in found if one.subject in mine]


def test_a_dispute_lost_at_the_owners_cost_and_won_on_appeal_is_paid_to_them_again(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    made = lost_at_the_owners_cost(desk, rental)
    assert (net(desk, rental), desk.owes(olga.id)) == (0, 0)
    appeal(desk, made)
    assert desk.transfer(rental).state == "waiting"
    assert at_once(desk, rental) == []
    sent = desk.transfer(rental)
    assert (sent.state, sent.amount, sent.reversed) == ("settled", 2 * SHARE, SHARE)
    assert (net(desk, rental), desk.owes(olga.id)) == (SHARE, 0)
    assert told(olga.id) == ["OwnerPaid", "OwnerGaveBack", "OwnerPaid"]
    assert sum(desk.books(rental).values()) == 0
    assert not_the_same(desk, rental) == []


def test_it_is_sent_once_however_often_its_answer_is_lost_and_its_news_come(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    made = lost_at_the_owners_cost(desk, rental)
    appeal(desk, made)
    desk.double.post("fault", next="drop_after_commit", path="/v1/transfers")
    assert len(at_once(desk, rental)) == 1
    dispute.follow(made)
    assert sent_again(desk, rental) == []
    assert desk.jobs() == []
    assert at_once(desk, rental) == []
    assert (net(desk, rental), desk.owes(olga.id)) == (SHARE, 0)


def test_a_later_refund_is_taken_back_of_each_transfer_as_far_as_it_goes(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    credit(desk, rental, 400)
    assert sent_again(desk, rental) == [rental]
    assert at_once(desk, rental) == []
    assert [one["amount"] for one in at_stripe(desk, rental)] == [SHARE, 400]
    refund.refund(desk.payment(rental).id, 2000, "operator")
    assert desk.jobs() == []
    assert [one["amount_reversed"] for one in at_stripe(desk, rental)] == [1100, 400]
    assert (desk.transfer(rental).reversed, desk.owes(olga.id)) == (1500, 0)
    assert not_the_same(desk, rental) == []


def test_what_is_given_back_while_it_waits_to_be_sent_again_is_taken_off(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    credit(desk, rental, 400)
    assert sent_again(desk, rental) == [rental]
    refund.refund(desk.payment(rental).id, 2000, "operator")
    assert desk.jobs() == []
    assert net(desk, rental) == SHARE
    assert at_once(desk, rental) == []
    assert (desk.transfer(rental).state, net(desk, rental)) == ("settled", SHARE + 400 - 1500)
    assert desk.owes(olga.id) == 0


def test_a_refund_that_is_promised_no_longer_is_the_owners_again(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    refund.refund(desk.payment(rental).id, 2000, "operator")
    assert desk.jobs() == []
    made = orders.door().refunds_of(str(desk.payment(rental).intent_id))[0].id
    desk.double.post("refunds/fail", refund=made)
    assert desk.tell("refund.failed", made) == []
    assert (sent_again(desk, rental), desk.owes(olga.id)) == ([], -1500)  # the driver is promised it
    lost = desk.dispute(rental)
    desk.decide(lost, "lost")
    release()
    assert transactional(lambda: refused_refund.try_again(orders.lock(desk.payment(rental).id)))()
    assert at_once(desk, rental) == []
    assert (net(desk, rental), desk.owes(olga.id)) == (SHARE, 0)


def test_a_debt_that_is_set_off_is_not_sent(desk: Desk) -> None:
    olga = desk.owner()
    first, second = desk.captured(8000), desk.captured(8000)
    assert desk.pay_out(first) == []
    assert desk.pay_out(second) == []
    credit(desk, first, -400)
    credit(desk, second, 300)
    assert sent_again(desk, first, second) == []
    assert desk.owes(olga.id) == 100
    credit(desk, first, 400)
    assert sent_again(desk, first, second) == [second]
    assert at_once(desk, second) == []
    assert (net(desk, second), desk.owes(olga.id)) == (SHARE + 300, 0)


def test_who_cannot_be_paid_any_more_is_told_and_sent_it_once_they_can(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    desk.settle_account(olga.id, "restricted")
    credit(desk, rental, 400)
    assert sent_again(desk, rental) == [rental]
    assert at_once(desk, rental) == []
    assert (desk.transfer(rental).state, told(olga.id)[-1]) == ("payable_blocked", "PayoutBlocked")
    assert desk.settle_account(olga.id, "enabled") == []
    assert at_once(desk, rental) == []
    assert (desk.transfer(rental).state, net(desk, rental)) == ("settled", SHARE + 400)


def credit(desk: Desk, rental: str, amount: int) -> None:
    """The owner earns that much more of a payment, and nobody looked at it."""
    row = desk.payment(rental)
    lines = (Line(ledger.OWNER_PAYABLE, eur(-amount), row.payee), Line(ledger.BAD_DEBT, eur(amount)))
    transactional(ledger.post)(Entry("dispute_won", "test", new_id("tst"), lines, row.id, row.rental_id))
    release()

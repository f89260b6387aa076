from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.billing import bank, bank_payout, pay_owner, payout_account, reconcile, refund, transfer
from app.kit import clock, deadlines
from app.kit.db import release, session, transactional
from app.kit.errors import Unavailable
from app.people.models import Person
from payments.gateway import PaymentsUnavailable
from tests import factories
from tests.billing.desk import Desk, eur

SHARE = 6000
"""The owner's of 8000."""
MOST = 75
"""Percent that is the owner's."""


def told(person: str) -> list[str]:
    """Facts about an owner, oldest first."""
    rows = session.execute(
        text("select kind from facts where data ->> 'person' = :person order by seq"), {"person": person}
    )
    ours = {"OwnerPaid", "OwnerGaveBack", "PayoutBlocked", "PayoutAccountAsks", "BankPayoutFailed"}
    return [kind for kind in rows.scalars() if kind in ours]


def at_stripe(desk: Desk, rental: str) -> list[dict[str, Any]]:
    found = desk.there("transfer")
    return [one for one in found if one["metadata"]["rental"] == rental]


def to_bank(desk: Desk, person: str) -> str:
    return str(desk.double.post("payouts/make", account=desk.account(person).external_id)["id"])


# -- the account -----------------------------------------------------------------------------------------------------


def test_an_account_is_made_once_and_each_link_is_a_fresh_one(desk: Desk) -> None:
    olga = factories.person("Olga Owner")
    assert payout_account.shown(olga.id)["state"] == "none"
    links = []
    for _ in range(2):
        payout_account.begin(olga.id)
        links.append(payout_account.onboard(olga.id))
    assert len(set(links)) == 2
    seen = payout_account.shown(olga.id)
    assert (seen["state"], "external_account" in seen["missing"]) == ("incomplete", True)
    made = desk.there("account")
    assert len([one for one in made if one["metadata"].get("person") == olga.id]) == 1


def test_an_answer_lost_while_the_account_is_made_makes_no_second_one(desk: Desk) -> None:
    olga = factories.person("Olga Owner")
    payout_account.begin(olga.id)
    desk.double.post("fault", next="drop_after_commit", path="/v1/accounts")
    with pytest.raises(Exception, match="does not answer"):
        payout_account.onboard(olga.id)
    assert payout_account.onboard(olga.id) is not None
    made = desk.there("account")
    assert len([one for one in made if one["metadata"].get("person") == olga.id]) == 1


def test_a_changed_address_after_a_lost_answer_asks_for_the_same_account(desk: Desk) -> None:
    olga = factories.person("Olga Owner")
    payout_account.begin(olga.id)
    desk.double.post("fault", next="drop_after_commit", path="/v1/accounts")
    with pytest.raises(Exception, match="does not answer"):
        payout_account.onboard(olga.id)
    session.get_one(Person, olga.id).email = f"{olga.id}@elsewhere.test"
    session.commit()
    assert payout_account.onboard(olga.id) is not None
    made = desk.there("account")
    assert len([one for one in made if one["metadata"].get("person") == olga.id]) == 1


def test_an_account_that_was_made_is_known_whatever_comes_after(desk: Desk) -> None:
    olga = factories.person("Olga Owner")
    payout_account.begin(olga.id)
    desk.double.post("fault", next="500", path="/v1/accounts/acct_")
    with pytest.raises(Exception, match="does not answer"):
        payout_account.onboard(olga.id)
    desk.double.post("keys/forget")
    assert payout_account.onboard(olga.id) is not None
    made = desk.there("account")
    assert len([one for one in made if one["metadata"].get("person") == olga.id]) == 1


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/account_links"])
def test_an_account_that_is_refused_is_no_fault_of_the_owners_and_opened_later(desk: Desk, path: str) -> None:
    olga = factories.person("Olga Owner")
    payout_account.begin(olga.id)
    desk.double.post("fault", next="400", path=path)
    with pytest.raises(Unavailable, match="no account at the moment"):
        payout_account.onboard(olga.id)
    assert payout_account.onboard(olga.id) is not None


def test_an_enabled_account_needs_no_link(desk: Desk) -> None:
    olga = desk.owner("enabled")
    assert payout_account.onboard(olga.id) is None
    assert (desk.account(olga.id).state, desk.account(olga.id).missing) == ("enabled", [])


def test_an_owner_is_told_when_something_new_is_missing_and_not_what_they_were_just_shown(desk: Desk) -> None:
    olga = desk.owner("enabled")
    assert told(olga.id) == []
    desk.settle_account(olga.id, "restricted")
    assert desk.account(olga.id).state == "restricted"
    assert told(olga.id) == ["PayoutAccountAsks"]
    desk.settle_account(olga.id, "restricted")
    assert told(olga.id) == ["PayoutAccountAsks"]


def test_an_event_about_an_account_of_nobody_is_let_be(desk: Desk) -> None:
    assert not payout_account.refresh("acct_unknown")
    assert not bank_payout.follow("po_unknown", "acct_unknown")


def test_an_event_of_a_payout_of_our_own_balance_is_let_be(desk: Desk) -> None:
    desk.captured(8000)
    desk.stands(100)
    made = desk.double.post("payouts/make", amount=100)["id"]
    assert desk.tell("payout.paid", made) == []
    transactional(bank.provider_paid_out)(eur(100), made)


# -- to the owner ----------------------------------------------------------------------------------------------------


def test_the_owner_is_paid_their_share_after_the_waiting_period_and_not_before(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.transfer(rental).state == "waiting"
    assert desk.pay_out(rental, timedelta(hours=47)) == []
    assert at_stripe(desk, rental) == []
    assert desk.pay_out(rental, timedelta(hours=1, minutes=1)) == []
    assert [one["amount"] for one in at_stripe(desk, rental)] == [SHARE]
    assert (desk.transfer(rental).state, desk.owes(olga.id)) == ("settled", 0)
    assert told(olga.id) == ["OwnerPaid"]
    assert sum(desk.books(rental).values()) == 0
    assert "owner_payable" not in desk.books(rental)


@pytest.mark.parametrize(("country", "hours"), [("GB", 24), ("DE", 48), ("ES", 72)])
def test_how_long_it_waits_follows_from_the_owners_country(desk: Desk, country: str, hours: int) -> None:
    desk.owner(None, country=country)
    rental = desk.captured()
    paid = desk.payment(rental).changed_at
    assert timedelta(hours=hours) <= desk.transfer(rental).due_at - paid < timedelta(hours=hours, minutes=5)


def test_who_has_no_account_earns_and_waits_is_told_once_and_paid_as_soon_as_they_have_one(
    desk: Desk,
) -> None:
    olga = desk.owner(None)
    rentals = [desk.captured(8000), desk.captured(4000)]
    for rental in rentals:
        assert desk.pay_out(rental) == []
        desk.due(desk.transfer(rental).id)
        assert desk.transfer(rental).state == "payable_blocked"
    assert told(olga.id) == ["PayoutBlocked"] * 2
    assert payout_account.shown(olga.id)["waiting"] == [{"amount": 9000, "currency": "EUR"}]
    payout_account.begin(olga.id)
    payout_account.onboard(olga.id)
    assert desk.settle_account(olga.id, "enabled") == []
    for rental in rentals:
        desk.due(desk.transfer(rental).id)
    assert desk.jobs() == []
    assert [desk.transfer(rental).state for rental in rentals] == ["settled", "settled"]
    assert (desk.owes(olga.id), payout_account.shown(olga.id)["waiting"]) == (0, [])


def test_a_balance_too_low_is_tried_again_the_next_day_under_a_new_key(desk: Desk) -> None:
    desk.owner()
    rental = desk.captured(8000)
    desk.double.post("balance", short=True)
    assert desk.pay_out(rental) == []
    assert desk.transfer(rental).state == "waiting"
    desk.double.post("balance", short=False)
    assert desk.due(desk.transfer(rental).id) == []
    assert desk.pay_out(rental, timedelta(days=1)) == []
    assert desk.transfer(rental).state == "settled"
    keys = {one.key for one in desk.commands(desk.payment(rental).id) if one.kind == "transfer"}
    assert (len(keys), len(at_stripe(desk, rental))) == (2, 1)


def test_a_lost_answer_pays_once(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured()
    desk.double.post("fault", next="drop_after_commit", path="/v1/transfers")
    assert len(desk.pay_out(rental)) == 1
    assert desk.jobs() == []
    assert (len(at_stripe(desk, rental)), desk.owes(olga.id)) == (1, 0)


def test_an_outcome_older_than_the_providers_memory_is_looked_up(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured()
    desk.double.post("fault", next="drop_after_commit", path="/v1/transfers")
    assert len(desk.pay_out(rental)) == 1
    desk.double.post("keys/forget")
    session.execute(
        text("update payment_commands set first_tried_at = now() - interval '2 days' where kind = 'transfer'")
    )
    session.commit()
    assert desk.jobs() == []
    assert (len(at_stripe(desk, rental)), desk.owes(olga.id)) == (1, 0)


def test_an_account_that_was_restricted_meanwhile_blocks_the_transfer(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured()
    desk.double.post("accounts/settle", account=desk.account(olga.id).external_id, state="restricted")
    assert desk.pay_out(rental) == []
    assert desk.transfer(rental).state == "payable_blocked"
    assert desk.account(olga.id).state == "restricted"
    assert desk.settle_account(olga.id, "enabled") == []
    desk.due(desk.transfer(rental).id)
    assert desk.jobs() == []
    assert (len(at_stripe(desk, rental)), desk.owes(olga.id)) == (1, 0)


def test_a_deadline_that_comes_twice_pays_once(desk: Desk) -> None:
    desk.owner()
    rental = desk.captured()
    assert desk.pay_out(rental) == []
    ref = desk.transfer(rental).id
    transfer.due(ref)
    transfer.plan(desk.payment(rental).id)
    assert desk.jobs() == []
    assert len(at_stripe(desk, rental)) == 1


def test_what_was_captured_before_there_were_transfers_is_planned_by_the_comparison(desk: Desk) -> None:
    desk.owner()
    rental = desk.held(9000)
    desk.end(rental, 8000)
    assert len(transfer.plan_forgotten()) >= 1
    assert desk.transfer(rental).state == "waiting"


# -- and back --------------------------------------------------------------------------------------------------------


def test_a_refund_before_the_transfer_lessens_it(desk: Desk) -> None:
    desk.owner()
    rental = desk.captured(8000)
    refund.refund(desk.payment(rental).id, 4000, "operator")
    assert desk.jobs() == []
    assert desk.pay_out(rental) == []
    assert [one["amount"] for one in at_stripe(desk, rental)] == [SHARE // 2]


def test_all_given_back_before_the_transfer_leaves_nothing_to_pay_and_nobody_to_tell(desk: Desk) -> None:
    olga = desk.owner(None)
    rental = desk.captured(8000)
    refund.refund(desk.payment(rental).id, 8000, "operator")
    assert desk.jobs() == []
    assert desk.pay_out(rental) == []
    assert (desk.transfer(rental).state, told(olga.id)) == ("settled", [])


def test_a_refund_after_the_transfer_takes_back_the_owners_part_alone(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    refund.refund(desk.payment(rental).id, 2000, "operator")
    assert desk.jobs() == []
    (sent,) = at_stripe(desk, rental)
    assert sent["amount_reversed"] == desk.transfer(rental).reversed == 2000 * MOST // 100
    assert desk.owes(olga.id) == 0
    assert told(olga.id) == ["OwnerPaid", "OwnerGaveBack"]
    assert desk.payment(rental).state == "captured"
    assert sum(desk.books(rental).values()) == 0


def test_what_cannot_be_taken_back_is_owed_and_set_off_against_what_they_earn_next(desk: Desk) -> None:
    olga = desk.owner()
    first = desk.captured(8000)
    assert desk.pay_out(first) == []
    to_bank(desk, olga.id)
    refund.refund(desk.payment(first).id, 8000, "operator")
    assert desk.jobs() == []
    assert (desk.payment(first).state, desk.owes(olga.id)) == ("refunded", SHARE)
    second, third = desk.captured(4000), desk.captured(8000)
    assert desk.pay_out(second) == []
    assert (desk.transfer(second).state, at_stripe(desk, second)) == ("settled", [])
    assert desk.pay_out(third) == []
    assert [one["amount"] for one in at_stripe(desk, third)] == [SHARE - 3000]
    assert desk.owes(olga.id) == 0


def test_a_debt_that_was_set_off_is_not_taken_back_a_second_time(desk: Desk) -> None:
    olga = desk.owner()
    first = desk.captured(8000)
    assert desk.pay_out(first) == []
    to_bank(desk, olga.id)
    refund.refund(desk.payment(first).id, 4000, "operator")
    assert desk.jobs() == []
    second = desk.captured(8000)
    assert desk.pay_out(second) == []
    assert [one["amount"] for one in at_stripe(desk, second)] == [SHARE - 3000]
    refund.refund(desk.payment(first).id, 400, "operator")
    assert desk.jobs() == []
    assert desk.owes(olga.id) == 0
    assert (desk.transfer(first).reversed, desk.transfer(second).reversed) == (300, 0)


def test_of_two_transfers_decided_at_once_one_alone_is_set_off_against_a_debt(desk: Desk) -> None:
    olga = desk.owner()
    first = desk.captured(8000)
    assert desk.pay_out(first) == []
    to_bank(desk, olga.id)
    refund.refund(desk.payment(first).id, 4000, "operator")
    assert desk.jobs() == []
    both = [desk.captured(8000), desk.captured(8000)]
    desk.forward(timedelta(hours=72))
    refs = [desk.transfer(rental).id for rental in both]
    at_once(desk, transfer.due, refs)
    assert desk.jobs() == []
    assert sum(one["amount"] for rental in both for one in at_stripe(desk, rental)) == 2 * SHARE - 3000
    assert desk.owes(olga.id) == 0


def test_two_workers_on_one_transfer_pay_once(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    desk.forward(timedelta(hours=72))
    desk.due(desk.transfer(rental).id)
    at_once(desk, pay_owner.owner_command, [desk.payment(rental).id] * 4)
    assert desk.jobs() == []
    assert (len(at_stripe(desk, rental)), desk.owes(olga.id)) == (1, 0)
    assert told(olga.id) == ["OwnerPaid"]


def at_once(desk: Desk, work: Callable[[str], None], over: list[str]) -> None:
    """As several workers would; a provider who is still at it is asked again later."""

    def one(what: str) -> None:
        with desk.app.app_context():
            try:
                work(what)
            except (PaymentsUnavailable, Unavailable):
                pass
            finally:
                release()

    with ThreadPoolExecutor(len(over)) as pool:
        list(pool.map(one, over))


def test_a_reversal_whose_answer_is_lost_takes_back_once(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    refund.refund(desk.payment(rental).id, 2000, "operator")
    desk.double.post("fault", next="drop_after_commit", path="/reversals")
    assert len(desk.jobs()) == 1
    assert desk.jobs() == []
    (sent,) = at_stripe(desk, rental)
    assert (sent["amount_reversed"], desk.owes(olga.id)) == (1500, 0)


# -- to the bank -----------------------------------------------------------------------------------------------------


def test_a_payout_that_the_bank_refuses_is_told_once_also_after_it_had_arrived(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    made = to_bank(desk, olga.id)
    assert desk.tell("payout.paid", made) == []
    assert told(olga.id) == ["OwnerPaid"]
    desk.double.post("payouts/fail", payout=made)
    for _ in range(2):
        assert desk.tell("payout.failed", made) == []
    assert desk.tell("payout.paid", made) == []
    assert told(olga.id) == ["OwnerPaid", "BankPayoutFailed"]


def test_a_refused_payout_of_which_no_event_came_is_found_the_next_night_and_told_once(desk: Desk) -> None:
    olga = desk.owner()
    rental = desk.captured(8000)
    assert desk.pay_out(rental) == []
    made = to_bank(desk, olga.id)
    desk.double.post("payouts/fail", payout=made)
    desk.settle_account(olga.id, "restricted")
    for expected in ([made], []):
        found = [
            one for one in reconcile.run(banks=True) if one.kind == "bank_payout" and one.subject == made
        ]
        assert [one.subject for one in found if one.mended] == expected
    assert desk.tell("payout.failed", made) == []
    assert told(olga.id).count("BankPayoutFailed") == 1


def test_one_account_that_is_refused_keeps_no_other_from_being_asked(desk: Desk) -> None:
    payouts = []
    for _ in range(2):
        olga = desk.owner()
        assert desk.pay_out(desk.captured(8000)) == []
        payouts.append(to_bank(desk, olga.id))
        desk.double.post("payouts/fail", payout=payouts[-1])
    desk.double.post("fault", next="403", path="/v1/payouts")
    found = [one.subject for one in bank_payout.unheard(clock.now())]
    assert set(found) & set(payouts)
    found += [one.subject for one in bank_payout.unheard(clock.now())]
    assert set(found) >= set(payouts)


def test_owners_accounts_are_asked_once_a_night_while_the_rest_is_compared_again(desk: Desk) -> None:
    reconcile.run(banks=True)
    assert not reconcile._tonight(reconcile.BANKS)
    desk.forward(timedelta(days=1))
    assert reconcile._tonight(reconcile.BANKS)
    reconcile.run()
    assert reconcile._tonight(reconcile.BANKS)


def test_an_event_of_an_account_is_believed_only_under_the_secret_of_its_endpoint(desk: Desk) -> None:
    olga = desk.owner()
    event = next(
        one for one in desk.events()[::-1] if one.get("account") == desk.account(olga.id).external_id
    )
    assert desk.deliver(event, path="/webhooks/stripe-connect").status_code == 400


def test_no_deadline_is_left_of_a_transfer_that_is_settled(desk: Desk) -> None:
    desk.owner()
    rental = desk.captured()
    assert desk.pay_out(rental) == []
    ref = desk.transfer(rental).id
    assert session.get(deadlines.Deadline, ("transfer", ref)) is None

"""Paying owners: StripePayouts against the double, and as far as a link goes against Stripe with STRIPE_TEST_KEY."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from payments.double.running import RunningDouble
from payments.gateway import BalanceTooLow, PaymentsRefused
from payments.money import Money
from payments.payouts import AccountNotPayable, AccountState, Payouts, PayoutState
from payments.stripe_gateway import StripeGateway
from payments.stripe_payouts import StripePayouts

KEY = os.environ.get("STRIPE_TEST_KEY", "")
only_double = pytest.mark.skipif(bool(KEY), reason="only the owner says who they are, on Stripe's own pages")


def key(kind: str) -> str:
    return f"{kind}:{uuid4()}"


@pytest.fixture(scope="module")
def double() -> Iterator[RunningDouble]:
    with RunningDouble() as running:
        yield running


@pytest.fixture
def payouts(double: RunningDouble) -> Iterator[Payouts]:
    made = StripePayouts(KEY) if KEY else StripePayouts("sk_test_double", base_url=double.url)
    yield made
    made.close()


@pytest.fixture
def charge(double: RunningDouble) -> Iterator[str]:
    gateway = StripeGateway("sk_test_double", base_url=double.url)
    customer = gateway.create_customer(person="per_max", key=key("customer"))
    setup = gateway.setup_card(customer, key=key("setup"))
    saved = double.post("setup_intents/confirm", client_secret=setup.client_secret, card="4242424242424242")
    paid = gateway.charge(
        Money(10_000, "CHF"), customer=customer, card=saved["payment_method"], key=key("x"), rental="ren_1"
    )
    yield str(paid.charge)
    gateway.close()


def owner(payouts: Payouts) -> str:
    return payouts.open_account(payee="per_olga", country="CH", key=key("account"))


def test_a_new_account_says_what_is_missing_and_each_link_is_another(payouts: Payouts) -> None:
    account = owner(payouts)
    seen = payouts.account(account)
    assert (seen.state, bool(seen.missing)) == (AccountState.INCOMPLETE, True)
    to = {"return_url": "https://a.example/r", "refresh_url": "https://a.example/f"}
    assert payouts.onboarding(account, **to) != payouts.onboarding(account, **to)


@only_double
def test_an_owner_is_enabled_once_he_said_who_he_is(double: RunningDouble, payouts: Payouts) -> None:
    account = owner(payouts)
    assert payouts.account(account).state is AccountState.INCOMPLETE
    assert payouts.account(account).missing
    link = payouts.onboarding(account, return_url="https://a.example/r", refresh_url="https://a.example/f")
    assert link.startswith("https://")
    for state in ("enabled", "restricted"):
        double.post("accounts/settle", account=account, state=state)
        assert payouts.account(account).state is AccountState(state)


@only_double
def test_an_owner_who_cannot_be_paid_yet_is_refused_and_paid_later(
    double: RunningDouble, payouts: Payouts, charge: str
) -> None:
    account, rental = owner(payouts), f"ren_{uuid4()}"
    amount = Money(7000, "CHF")
    with pytest.raises(AccountNotPayable):
        payouts.transfer(amount, account=account, charge=charge, rental=rental, key=key("transfer"))
    double.post("accounts/settle", account=account, state="enabled")
    command = key("transfer")
    paid = payouts.transfer(amount, account=account, charge=charge, rental=rental, key=command)
    again = payouts.transfer(amount, account=account, charge=charge, rental=rental, key=command)
    assert (paid.id, paid.amount, paid.account, paid.command) == (again.id, amount, account, command)
    assert payouts.transfers_of(rental) == [paid]


@only_double
def test_a_transfer_can_be_taken_back_in_parts_and_never_exceeds_its_charge(
    double: RunningDouble, payouts: Payouts, charge: str
) -> None:
    account, rental = owner(payouts), f"ren_{uuid4()}"
    double.post("accounts/settle", account=account, state="enabled")
    paid = payouts.transfer(
        Money(9000, "CHF"), account=account, charge=charge, rental=rental, key=key("transfer")
    )
    with pytest.raises(PaymentsRefused):
        payouts.transfer(
            Money(1001, "CHF"), account=account, charge=charge, rental=rental, key=key("transfer")
        )
    payouts.reverse(paid.id, Money(4000, "CHF"), key=key("reverse"))
    with pytest.raises(PaymentsRefused):
        payouts.reverse(paid.id, Money(5001, "CHF"), key=key("reverse"))
    assert payouts.transfers_of(rental)[0].reversed == Money(4000, "CHF")


@only_double
def test_an_empty_balance_of_ours_is_asked_again_later(
    double: RunningDouble, payouts: Payouts, charge: str
) -> None:
    account = owner(payouts)
    double.post("accounts/settle", account=account, state="enabled")
    to = {"account": account, "charge": charge, "rental": f"ren_{uuid4()}"}
    double.post("balance", short=True)
    with pytest.raises(BalanceTooLow) as low:
        payouts.transfer(Money(7000, "CHF"), **to, key=key("transfer"))
    assert (low.value.temporary, low.value.may_have_acted) == (True, False)
    double.post("balance", short=False)
    assert payouts.transfer(Money(7000, "CHF"), **to, key=key("transfer")).amount == Money(7000, "CHF")


@only_double
def test_what_went_to_the_bank_cannot_be_taken_back_until_the_bank_returns_it(
    double: RunningDouble, payouts: Payouts, charge: str
) -> None:
    account = owner(payouts)
    double.post("accounts/settle", account=account, state="enabled")
    to = {"account": account, "charge": charge, "rental": f"ren_{uuid4()}"}
    paid = payouts.transfer(Money(7000, "CHF"), **to, key=key("transfer"))
    made = double.post("payouts/make", account=account, currency="chf")["id"]
    seen = payouts.bank_payout(made, account=account)
    assert (seen.state, seen.amount) == (PayoutState.ARRIVED, Money(7000, "CHF"))
    with pytest.raises((BalanceTooLow, PaymentsRefused)):
        payouts.reverse(paid.id, Money(1, "CHF"), key=key("reverse"))
    double.post("payouts/fail", payout=made)
    failed = payouts.bank_payout(made, account=account)
    assert (failed.state, failed.failure) == (PayoutState.FAILED, "account_closed")
    since = datetime.fromtimestamp(0, UTC)
    assert payouts.failed_payouts(account, since) == [failed]
    assert payouts.failed_payouts(owner(payouts), since) == []
    payouts.reverse(paid.id, Money(7000, "CHF"), key=key("reverse"))
    with pytest.raises(PaymentsRefused):
        payouts.bank_payout(made, account=owner(payouts))

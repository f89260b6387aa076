"""Paying owners through Stripe Connect: Express accounts by `controller`, separate charges and transfers.

The platform bears fees and losses, so that owners need no dealings with Stripe beyond saying who they are.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import stripe

from payments import stripe_codes as codes
from payments.gateway import PaymentsRefused
from payments.money import CURRENCIES, Money
from payments.payouts import Account, AccountNotPayable, AccountState, BankPayout, Transfer
from payments.stripe_errors import our_errors
from payments.stripe_objects import id_of, loose, minor, word

CONTROLLER = {
    "fees": {"payer": "application"},
    "losses": {"payments": "application"},
    "requirement_collection": "stripe",
    "stripe_dashboard": {"type": "express"},
}
PAGE = 100


class StripePayouts:
    """Built like StripeGateway."""

    def __init__(
        self, api_key: str, *, base_url: str | None = None, timeout_s: float = 8, retries: int = 2
    ) -> None:
        self._http = stripe.RequestsClient(timeout=timeout_s)
        self._stripe = stripe.StripeClient(
            api_key,
            base_addresses={"api": base_url} if base_url else None,
            http_client=self._http,
            max_network_retries=retries,
            stripe_version=codes.API_VERSION,
        ).v1

    def close(self) -> None:
        """Give this thread's connections back."""
        self._http.close()  # type: ignore[no-untyped-call]

    def open_account(self, *, payee: str, country: str, key: str) -> str:
        params: dict[str, Any] = {
            "country": country,
            "controller": CONTROLLER,
            "capabilities": {"transfers": {"requested": True}},
            "metadata": {"community" if payee.startswith("com_") else "person": payee, "command_id": key},
        }
        with our_errors():
            return self._stripe.accounts.create(loose(params), {"idempotency_key": key}).id

    def account(self, account: str) -> Account:
        with our_errors():
            return _account_of(self._stripe.accounts.retrieve(account))

    def onboarding(self, account: str, *, return_url: str, refresh_url: str) -> str:
        params = {
            "account": account,
            "type": "account_onboarding",
            "return_url": return_url,
            "refresh_url": refresh_url,
        }
        with our_errors():
            return self._stripe.account_links.create(loose(params)).url

    def transfer(self, amount: Money, *, account: str, charge: str, rental: str, key: str) -> Transfer:
        params = {
            "amount": amount.amount,
            "currency": amount.currency.lower(),
            "destination": account,
            "source_transaction": charge,  # waits for that charge's funds instead of an empty balance
            "transfer_group": f"rental:{rental}",
            "metadata": {"command_id": key, "rental": rental},
        }
        try:
            with our_errors():
                return _transfer_of(self._stripe.transfers.create(loose(params), {"idempotency_key": key}))
        except PaymentsRefused as error:
            if error.code not in codes.ACCOUNT_CODES:
                raise
            raise AccountNotPayable(str(error), code=error.code) from error

    def reverse(self, transfer: str, amount: Money, *, key: str) -> None:
        params = {"amount": amount.amount, "metadata": {"command_id": key}}
        with our_errors():
            self._stripe.transfers.reversals.create(transfer, loose(params), {"idempotency_key": key})

    def transfers_of(self, rental: str) -> Sequence[Transfer]:
        with our_errors():
            found = self._stripe.transfers.list({"transfer_group": f"rental:{rental}", "limit": PAGE})
            return [_transfer_of(transfer) for transfer in found.auto_paging_iter()]

    def transfers_since(self, since: datetime) -> Sequence[Transfer]:
        with our_errors():
            found = self._stripe.transfers.list({"created": {"gte": int(since.timestamp())}, "limit": PAGE})
            return [_transfer_of(transfer) for transfer in found.auto_paging_iter()]

    def bank_payout(self, payout: str, *, account: str) -> BankPayout:
        with our_errors():
            return _bank_payout_of(self._stripe.payouts.retrieve(payout, None, {"stripe_account": account}))

    def failed_payouts(self, account: str, since: datetime) -> Sequence[BankPayout]:
        params = {"status": "failed", "created": {"gte": int(since.timestamp())}, "limit": PAGE}
        with our_errors():
            found = self._stripe.payouts.list(loose(params), {"stripe_account": account})
            return [
                _bank_payout_of(one)
                for one in found.auto_paging_iter()
                if one.currency.upper() in CURRENCIES  # an account may have been paid by others too
            ]


def _account_of(found: stripe.Account) -> Account:
    wanted = found.requirements
    missing = tuple((wanted.currently_due or ()) if wanted else ())
    if not found.details_submitted:
        return Account(found.id, AccountState.INCOMPLETE, missing)
    transfers = found.capabilities.transfers if found.capabilities else None
    can_be_paid = bool(found.payouts_enabled) and transfers == "active"
    return Account(found.id, AccountState.ENABLED if can_be_paid else AccountState.RESTRICTED, missing)


def _bank_payout_of(found: stripe.Payout) -> BankPayout:
    state = codes.PAYOUT_STATES[found.status]
    return BankPayout(found.id, state, minor(found.amount, found.currency), found.failure_code)


def _transfer_of(found: stripe.Transfer) -> Transfer:
    return Transfer(
        id=found.id,
        amount=minor(found.amount, found.currency),
        reversed=minor(found.amount_reversed, found.currency),
        account=id_of(found.destination),
        rental=word(found.metadata, "rental"),
        command=word(found.metadata, "command_id"),
    )

"""What we ask of a payment provider to pay an owner: an account to pay into, and transfers to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from payments.gateway import PaymentsRefused
from payments.money import Money


class AccountState(StrEnum):
    """Whether an owner can be paid."""

    INCOMPLETE = "incomplete"
    ENABLED = "enabled"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class Account:
    """An owner's account; `missing` is what the provider still asks for, in its words."""

    id: str
    state: AccountState
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money moved to an owner, of which `reversed` came back."""

    id: str
    amount: Money
    reversed: Money
    account: str | None
    rental: str | None
    command: str | None


class PayoutState(StrEnum):
    """Where the way from an owner's account to their bank stands; one that arrived may still fail."""

    UNDER_WAY = "under_way"
    ARRIVED = "arrived"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BankPayout:
    """Money on its way from an owner's account to their bank; `failure` is the bank's word why not."""

    id: str
    state: PayoutState
    amount: Money
    failure: str | None


class AccountNotPayable(PaymentsRefused):
    """The owner's account takes no money now, or is no more: look at it before asking again."""


class Payouts(Protocol):
    """Paying owners. `key` and the errors as in `payments.gateway`."""

    def open_account(self, *, payee: str, country: str, key: str) -> str:
        """The provider's id of the owner's account, which still wants to know who he is."""
        ...

    def account(self, account: str) -> Account: ...

    def onboarding(self, account: str, *, return_url: str, refresh_url: str) -> str:
        """A link that works once, where the owner tells the provider who he is."""
        ...

    def transfer(self, amount: Money, *, account: str, charge: str, rental: str, key: str) -> Transfer:
        """Pay an owner out of one charge. Raises BalanceTooLow; PaymentsRefused while he cannot be paid."""
        ...

    def reverse(self, transfer: str, amount: Money, *, key: str) -> None:
        """Take part of a transfer back. Raises BalanceTooLow, PaymentsRefused where the account has not that much."""
        ...

    def transfers_of(self, rental: str) -> Sequence[Transfer]: ...

    def transfers_since(self, since: datetime) -> Sequence[Transfer]:
        """Every transfer made at or after that instant."""
        ...

    def bank_payout(self, payout: str, *, account: str) -> BankPayout: ...

    def failed_payouts(self, account: str, since: datetime) -> Sequence[BankPayout]:
        """What was made at or after that instant and did not reach the owner's bank, or came back."""
        ...

"""What we ask of a payment provider, and how it may fail.

The tree of errors, each with two answers: may it have acted, and is it worth asking again with the same key?

    PaymentsError
    +-- CardDeclined            no   no    the bank said no; `hard`: this card is finished
    +-- ActionRequired          no   no    the cardholder must confirm (3-D Secure) with `client_secret`
    +-- PaymentsUnavailable     yes  yes   no answer, or a fault at the provider
    |   +-- PaymentsBusy        no   yes   told to come back later; surely nothing happened
    |   +-- KeySpent            yes  yes   the provider repeats its own fault for this key: look up what came of it
    +-- BalanceTooLow           no   yes   our own balance there does not cover a transfer: ask again tomorrow
    +-- PaymentsRefused         no   no    our bug or a setting: alarm
    |   +-- IntentGone          no   no    its `state` no longer allows the step
    +-- SignatureInvalid        no   no    a webhook that is forged, changed or too old
    +-- WebhookClosed           no   no    no secret is set for this endpoint
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal, Protocol

from payments.money import Money

Endpoint = Literal["platform", "connect"]


class IntentState(StrEnum):
    """Where an intent stands, in our words."""

    CARD_NEEDED = "card_needed"
    ACTION_REQUIRED = "action_required"
    PROCESSING = "processing"
    HELD = "held"
    CAPTURED = "captured"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the bank said no: the finest code known; `hard`: this card is finished; `asks_holder`: confirming lifts it."""

    code: str
    hard: bool
    asks_holder: bool


@dataclass(frozen=True, slots=True)
class Intent:
    """One payment at the provider: `amount` asked, what is `capturable`, `captured`, and of that `refunded`.

    `capture_before`: when the bank lets the hold go by itself; None unless held. `command` and `rental` are
    the values it was made with. `release_reason` is the provider's word:
    "expired" or "automatic" when the hold ran out.
    """

    id: str
    state: IntentState
    amount: Money
    capturable: Money
    captured: Money
    refunded: Money
    charge: str | None
    capture_before: datetime | None
    client_secret: str | None
    failure: Failure | None
    customer: str | None
    command: str | None
    rental: str | None
    release_reason: str | None


class SetupState(StrEnum):
    """Where the saving of a card stands."""

    CARD_NEEDED = "card_needed"
    ACTION_REQUIRED = "action_required"
    PROCESSING = "processing"
    SAVED = "saved"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Setup:
    """The saving of one card; `card` is there once it is saved."""

    id: str
    state: SetupState
    client_secret: str | None
    customer: str | None
    card: str | None
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Card:
    """A saved card as a person recognises it; `customer` is None once detached."""

    id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    country: str | None
    customer: str | None


class RefundState(StrEnum):
    """A refund is asked at once, and may still fail days later."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back on one intent."""

    id: str
    state: RefundState
    amount: Money
    intent: str | None
    command: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """A hint that an object changed: fetch the object, never trust the hint.

    `kind` is the provider's word, such as "payment_intent.amount_capturable_updated"; `account` is the owner's, where it
    happened on one.
    """

    id: str
    kind: str
    object_id: str
    created: datetime
    account: str | None = None


class PaymentsError(Exception):
    """Anything that goes wrong with a payment provider."""

    may_have_acted: ClassVar[bool] = False
    temporary: ClassVar[bool] = False


class CardDeclined(PaymentsError):
    """The bank said no. Another try is a new command with a new key; after `hard` it needs another card."""

    def __init__(self, code: str, *, hard: bool, intent: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.hard = hard
        self.intent = intent


class ActionRequired(PaymentsError):
    """The cardholder must confirm the same intent in the app."""

    def __init__(self, client_secret: str, intent: str) -> None:
        super().__init__("the cardholder must confirm")  # the secret stays out of logs
        self.client_secret = client_secret
        self.intent = intent


class PaymentsUnavailable(PaymentsError):
    """No usable answer: ask again with the same key."""

    may_have_acted = True
    temporary = True


class PaymentsBusy(PaymentsUnavailable):
    """Turned away before anything happened (rate limit, lock, a key that is not good): ask again later with the same key."""

    may_have_acted = False


class KeySpent(PaymentsUnavailable):
    """The provider kept a fault of its own as the answer under this key, and only repeats it: look up what came of it.

    Raised by what takes a key alone.
    """


class BalanceTooLow(PaymentsError):
    """Our own balance at the provider does not cover a transfer yet."""

    temporary = True


class PaymentsRefused(PaymentsError):
    """Asked wrongly, or not allowed: asking again will not help."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class NotThere(PaymentsRefused):
    """The provider has nothing of that id, or not any more."""


class IntentGone(PaymentsRefused):
    """The intent no longer allows the step; `state` is where it stands, None when unknown."""

    def __init__(self, intent: str, state: IntentState | None) -> None:
        super().__init__(f"{intent} is {state or 'unknown'}")
        self.intent = intent
        self.state = state


class SignatureInvalid(PaymentsError):
    """A webhook whose signature is missing, wrong, or older than the tolerance."""


class WebhookClosed(PaymentsError):
    """No secret is set for this endpoint, so nothing that arrives there can be believed."""


class Payments(Protocol):
    """A payment provider.

    `key` is the command row ("<kind>:<row uuid>"): the same for each repeat of one attempt, new for each
    new attempt. It is also kept at the provider, where `find_by_command` looks. Every call may raise
    `PaymentsUnavailable`, `PaymentsBusy` and `PaymentsRefused`; what else it may raise stands with it. A
    repeated key has no second effect and is answered with the intent as it stands now.
    """

    def create_customer(self, *, person: str, key: str) -> str:
        """The provider's id of this person."""
        ...

    def setup_card(self, customer: str, *, key: str) -> Setup:
        """Begin to save a card for later use without its holder; the app finishes with `client_secret`."""
        ...

    def setup(self, setup: str) -> Setup: ...

    def card(self, card: str) -> Card: ...

    def cards_of(self, customer: str) -> Sequence[Card]: ...

    def detach_card(self, card: str, *, key: str) -> None:
        """Forget the card; one that is already gone is fine."""
        ...

    def hold(
        self, amount: Money, *, customer: str, card: str, key: str, rental: str, off_session: bool
    ) -> Intent:
        """Reserve money on the card. Raises CardDeclined, ActionRequired (both name the intent)."""
        ...

    def charge(
        self, amount: Money, *, customer: str, card: str, key: str, rental: str, off_session: bool = True
    ) -> Intent:
        """Take money at once. Raises as `hold`."""
        ...

    def capture(self, intent: str, amount: Money, *, key: str) -> Intent:
        """Take this much of a hold, free the rest. Captured before: as it stands. Released: IntentGone."""
        ...

    def release(self, intent: str, *, key: str) -> Intent:
        """Free the whole hold. Released before: as it stands. Captured: IntentGone (refund instead)."""
        ...

    def stand_for(self, intent: str, rental: str) -> None:
        """From now on the provider shows this rental with the intent; asked again, nothing more happens."""
        ...

    def refund(self, intent: str, amount: Money, *, key: str) -> Refund:
        """Give back part of what was captured; more than the remainder is PaymentsRefused."""
        ...

    def refunds_of(self, intent: str) -> Sequence[Refund]: ...

    def refunds_since(self, since: datetime) -> Sequence[Refund]:
        """Every refund made at or after that instant."""
        ...

    def balance(self) -> Sequence[Money]:
        """What lies there, by currency: what has arrived, what is on its way, what is kept back for owners' accounts."""
        ...

    def intent(self, intent: str) -> Intent:
        """As it stands now. Unknown: IntentGone with state None."""
        ...

    def intents_since(self, since: datetime) -> Sequence[Intent]:
        """Every intent made at or after that instant, for the nightly comparison."""
        ...

    def find_by_command(self, command: str, *, customer: str) -> Intent | None:
        """The intent that this command made, for outcomes older than the provider remembers keys (24 h)."""
        ...

    def fee_of(self, charge: str) -> Money | None:
        """What the provider kept, in the currency it settles in; None while not known yet."""
        ...

    def events_since(self, since: datetime, *, undelivered_only: bool = False) -> Sequence[Event]:
        """Events made at or after that instant, oldest first."""
        ...

    def signed_event(self, raw: bytes, header: str | None, *, endpoint: Endpoint = "platform") -> Event:
        """The event of a webhook. Raises SignatureInvalid, WebhookClosed."""
        ...

"""What goes in and out about money."""

from marshmallow import fields

from app.billing.states import State, TransferState
from app.kit.fields import Instant, Many, MoneySchema, OneOf, PublicIdField, Strict, Text, Whole
from payments.payouts import AccountState

PURPOSES = ("rent", "deposit", "extras", "charge_request")
ENTRIES = (
    *("capture", "refund", "refund_failed", "transfer", "reversal"),
    *("dispute_lost", "dispute_won", "dispute_borne"),
)


class Card(Strict):
    """A saved card, by what its owner recognises."""

    id = PublicIdField("crd", required=True)
    state = OneOf(("pending", "saved", "expired"), required=True)
    brand = Text(30, required=True, allow_none=True)
    last4 = Text(4, required=True, allow_none=True)
    exp_month = Whole(1, 12, required=True, allow_none=True)
    exp_year = Whole(2000, 2200, required=True, allow_none=True)
    country = Text(2, required=True, allow_none=True)


class CardList(Strict):
    """A person's cards, newest first."""

    items = Many(fields.Nested(Card), 100, required=True)
    next_cursor = Text(200, allow_none=True, required=True)


class CardBegun(Strict):
    """A card to be confirmed in the app with the secret; null once it is confirmed."""

    id = PublicIdField("crd", required=True)
    client_secret = Text(300, required=True, allow_none=True)


class CardConfirmation(Strict):
    """What the driver must confirm in the app, and until when."""

    client_secret = Text(300, required=True, allow_none=True)
    expires_at = Instant(required=True, allow_none=True)


class PaidOut(Strict):
    """The owner's share of a payment: `due_at` is when it is paid at the earliest, `sent` what was."""

    state = OneOf(tuple(TransferState), required=True)
    due_at = Instant(required=True)
    sent = fields.Nested(MoneySchema, required=True)
    taken_back = fields.Nested(MoneySchema, required=True)


class PayoutAccount(Strict):
    """The account into which an owner is paid; `missing` in the provider's words, `waiting` what was earned and not sent."""

    state = OneOf(("none", *AccountState), required=True)
    missing = Many(Text(200), 100, required=True)
    url = Text(500, required=True, allow_none=True)
    waiting = Many(fields.Nested(MoneySchema), 3, required=True)


class Payment(Strict):
    """One payment of a rental; `release_at` is when a hold ends by itself at the latest."""

    id = PublicIdField("pay", required=True)
    purpose = OneOf(PURPOSES, required=True)
    state = OneOf(tuple(State), required=True)
    amount = fields.Nested(MoneySchema, required=True)
    captured = fields.Nested(MoneySchema, required=True)
    refunded = fields.Nested(MoneySchema, required=True)
    release_at = Instant(required=True, allow_none=True)
    failure = Text(60, required=True, allow_none=True)
    action = fields.Nested(CardConfirmation, required=True, allow_none=True)
    payout = fields.Nested(PaidOut, required=True, allow_none=True)


class PaymentList(Strict):
    """The payments of a rental, oldest first."""

    items = Many(fields.Nested(Payment), 100, required=True)
    next_cursor = Text(200, allow_none=True, required=True)


class PaymentRetry(Strict):
    """Which card to try; the person's latest when left out."""

    card = PublicIdField("crd", load_default=None, allow_none=True)


class StatementBalance(Strict):
    """What was owed to the owner before the month and after it."""

    opening = fields.Nested(MoneySchema, required=True)
    closing = fields.Nested(MoneySchema, required=True)


class StatementEntry(Strict):
    """One line of a statement."""

    at = Instant(required=True)
    kind = OneOf(ENTRIES, required=True)
    rental = PublicIdField("ren", required=True, allow_none=True)
    amount = fields.Nested(MoneySchema, required=True)


class Statement(Strict):
    """An owner's earnings of a month, in the owner's time zone."""

    month = Text(7, required=True, pattern=r"^\d{4}-\d{2}$")
    balances = Many(fields.Nested(StatementBalance), 3, required=True)
    entries = Many(fields.Nested(StatementEntry), 10_000, required=True)

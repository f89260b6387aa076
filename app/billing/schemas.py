"""What goes in and out about money."""

from marshmallow import fields

from app.billing import community_tax
from app.billing.owner_share import WHAT
from app.billing.states import State, TransferState
from app.kit.fields import (
    AnyCountry,
    Country,
    Instant,
    Many,
    MoneySchema,
    OneOf,
    PublicIdField,
    Strict,
    Text,
    Whole,
    line,
)
from payments.payouts import AccountState

PURPOSES = ("rent", "deposit", "extras", "charge_request", "overpaid")


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


def _tin() -> Text:
    return Text(40, shortest=4, pattern=r"^[A-Za-z0-9*][A-Za-z0-9 ./*-]*$", required=True, allow_none=True)


def _vat_number() -> Text:
    return Text(
        20,
        shortest=4,
        pattern=r"^[A-Z]{2}[0-9A-Z.+* -]+$",
        required=True,
        allow_none=True,
        metadata={"example": "FR40303265045"},
    )


def _iban() -> Text:
    return Text(
        42,
        shortest=11,
        pattern=r"^([A-Z]{2}[0-9]{2}[A-Z0-9 ]+|[*]{8}[A-Z0-9]{3})$",
        required=True,
        allow_none=True,
        metadata={"example": "FR7630006000011234567890189"},
    )


class TaxDetails(Strict):
    """What the yearly tax report needs of who earns. Numbers are sealed, and shown by their last three characters alone.

    `missing` names what a report would still lack; address and birth date are those of the account. Who has no tax number
    gives the place of birth. The VAT number is for those who have one, the IBAN is the account one is paid to.
    """

    tin = _tin()
    tin_country = AnyCountry(required=True, allow_none=True, metadata={"example": "FR"})
    birth_place = line(120, required=True, allow_none=True)
    vat_number = _vat_number()
    iban = _iban()
    changed_at = Instant(dump_only=True, allow_none=True)
    missing = Many(OneOf(("address", "birth_date", "tin")), 3, dump_only=True)


class CommunityTaxDetails(Strict):
    """What the yearly tax report needs of a community that earns: who stands behind it. Numbers are sealed, and shown by
    their last three characters alone; `missing` names what a report would still lack.
    """

    legal_name = line(
        160, required=True, allow_none=True, metadata={"example": "Autos du Canal, association"}
    )
    address = Text(300, lines=True, required=True, allow_none=True)
    country = Country(required=True, allow_none=True)
    registration_number = line(60, required=True, allow_none=True, metadata={"example": "W751234567"})
    tin = _tin()
    tin_country = AnyCountry(required=True, allow_none=True, metadata={"example": "FR"})
    vat_number = _vat_number()
    iban = _iban()
    changed_at = Instant(dump_only=True, allow_none=True)
    missing = Many(OneOf(community_tax.MISSING), 5, dump_only=True)


class CommunityPayout(PaidOut):
    """What a community is paid of one payment of a driver."""

    payment = PublicIdField("pay", required=True)
    rental = PublicIdField("ren", required=True)


class CommunityPayoutPage(Strict):
    """What a community is paid, newest first."""

    items = Many(fields.Nested(CommunityPayout), 100, required=True)
    next_cursor = Text(200, allow_none=True, required=True)


class StatementFees(Strict):
    """What others have of the same money, above zero: the platform's fee, the tax in it, the insurer's share."""

    platform = fields.Nested(MoneySchema, required=True)
    vat = fields.Nested(MoneySchema, required=True)
    insurer = fields.Nested(MoneySchema, required=True)


class StatementBalance(Strict):
    """What was owed to the owner before the month and after it, and what moved it; one for each currency.

    `drivers_paid` is what drivers paid for these cars less what they got back: the owner's part and the fees. `vat_rates`
    are those of the tax in the fees, in hundredths of a percent.
    """

    opening = fields.Nested(MoneySchema, required=True)
    earned = fields.Nested(MoneySchema, required=True)
    given_back = fields.Nested(MoneySchema, required=True)
    paid_out = fields.Nested(MoneySchema, required=True)
    closing = fields.Nested(MoneySchema, required=True)
    drivers_paid = fields.Nested(MoneySchema, required=True)
    fees = fields.Nested(StatementFees, required=True)
    vat_rates = Many(Whole(0, 10000), 10, required=True, metadata={"example": [2000]})


class StatementLine(Strict):
    """One movement of money. `kind` is of the books and may be new; `document` is the first receipt of its rental."""

    at = Instant(required=True)
    kind = Text(40, required=True, metadata={"example": "capture"})
    rental = PublicIdField("ren", required=True, allow_none=True)
    amount = fields.Nested(MoneySchema, required=True)
    document = Text(40, required=True, allow_none=True, metadata={"example": "GLV-FR-2027-000123"})
    car = Text(100, required=True, allow_none=True)


class StatementEntry(StatementLine):
    """One movement on the owner's account, above zero what they have more; `fees` is what others have of it."""

    what = OneOf(WHAT, required=True)
    fees = fields.Nested(StatementFees, required=True)
    vat_rate = Whole(0, 10000, required=True, allow_none=True)


class Statement(Strict):
    """A person's month in their own time zone: what their cars earned, and what they paid as a driver."""

    month = Text(7, required=True, pattern=r"^\d{4}-\d{2}$")
    balances = Many(fields.Nested(StatementBalance), 3, required=True)
    entries = Many(fields.Nested(StatementEntry), 50_000, required=True)
    paid = Many(fields.Nested(MoneySchema), 3, required=True)
    payments = Many(fields.Nested(StatementLine), 50_000, required=True)

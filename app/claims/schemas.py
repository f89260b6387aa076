"""What goes in and out about charge requests."""

from typing import Any

from marshmallow import fields

from app.claims.charge_rules import Kind, State
from app.kit.fields import (
    Flag,
    Instant,
    Many,
    MoneyIn,
    MoneySchema,
    OneOf,
    PublicIdField,
    Strict,
    Text,
    Whole,
    line,
)
from app.kit.routes import page_of

WORDS = 2000


def words(**kwargs: Any) -> Text:
    """What somebody says, in lines."""
    return Text(WORDS, lines=True, **kwargs)


def photo() -> PublicIdField:
    """The id of a photo of the rental."""
    return PublicIdField("pic", metadata={"example": "pic_0197a3f2c1d07b4e9a5c3d2e1f0a9b8c"})


class DocumentIn(Strict):
    """The notice of a fine or toll: what it is called, and the amount it states."""

    reference = line(80, required=True)
    amount = fields.Nested(MoneyIn, required=True)


class Document(Strict):
    """The notice of a fine or toll."""

    reference = Text(80, required=True)
    amount = fields.Nested(MoneySchema, required=True)


class ChargeRequestIn(Strict):
    """What the driver is to pay, what for, and when it happened: an instant at which they held the car."""

    kind = OneOf(tuple(Kind), required=True)
    amount = fields.Nested(MoneyIn, required=True)
    text = words(required=True)
    occurred_at = Instant(required=True)
    document = fields.Nested(DocumentIn, load_default=None, allow_none=True)
    photos = Many(photo(), 12)


class ChargeAnswerIn(Strict):
    """Whether the driver agrees, and what they say to it."""

    accept = Flag(required=True)
    text = words(load_default=None, allow_none=True)
    photos = Many(photo(), 12)


class AppealIn(Strict):
    """Why one does not agree with the decision."""

    text = words(load_default=None, allow_none=True)


class ChargeAnswer(Strict):
    """What the driver answered."""

    accept = fields.Boolean(required=True)
    text = Text(WORDS, lines=True, required=True, allow_none=True)
    photos = Many(photo(), 12, required=True)
    at = Instant(required=True)


class Decision(Strict):
    """What an operator decided, and why."""

    amount = fields.Nested(MoneySchema, required=True)
    reason = Text(500, required=True)
    at = Instant(required=True)


class Appeal(Strict):
    """Who does not agree with which decision, and why."""

    by = OneOf(("driver", "owner"), required=True)
    text = Text(WORDS, lines=True, required=True, allow_none=True)
    at = Instant(required=True)
    against = fields.Nested(Decision, required=True)


class RentalEvidence(Strict):
    """What the box read at the unlock and at the lock, and how the rental ended."""

    started_at = Instant(required=True, allow_none=True)
    ended_at = Instant(required=True, allow_none=True)
    odometer_start_km = Whole(0, 10**7, required=True, allow_none=True)
    odometer_end_km = Whole(0, 10**7, required=True, allow_none=True)
    km = Whole(0, 10**6, required=True, allow_none=True)
    charge_start_percent = Whole(0, 100, required=True, allow_none=True)
    charge_end_percent = Whole(0, 100, required=True, allow_none=True)
    keys_stated = fields.Boolean(required=True, allow_none=True)
    plugged_stated = fields.Boolean(required=True, allow_none=True)
    ended_by = Text(40, required=True, allow_none=True)
    end_evidence = Text(300, required=True, allow_none=True)


class ChargeRequest(Strict):
    """A charge request, the same for owner and driver; `links` are the steps its reader may take now.

    Nothing is charged before `charge_not_before`, and nothing at all while that is null and no payment is named. `deposit`
    is the payment of the deposit where that was taken, `payment` what was charged besides.
    """

    id = PublicIdField("chr", required=True)
    rental = PublicIdField("ren", required=True)
    kind = OneOf(tuple(Kind), required=True)
    amount = fields.Nested(MoneySchema, required=True)
    text = words(required=True)
    occurred_at = Instant(required=True)
    document = fields.Nested(Document, required=True, allow_none=True)
    photos = Many(photo(), 12, required=True)
    evidence = fields.Nested(RentalEvidence, required=True)
    state = OneOf(tuple(State), required=True)
    made_at = Instant(required=True)
    answer_by = Instant(required=True)
    answer = fields.Nested(ChargeAnswer, required=True, allow_none=True)
    decision = fields.Nested(Decision, required=True, allow_none=True)
    appeal = fields.Nested(Appeal, required=True, allow_none=True)
    charge_not_before = Instant(required=True, allow_none=True)
    closed_at = Instant(required=True, allow_none=True)
    deposit = PublicIdField("pay", required=True, allow_none=True)
    payment = PublicIdField("pay", required=True, allow_none=True)
    links = fields.Dict(
        keys=Text(40),
        values=fields.String(metadata={"format": "uri-reference", "maxLength": 200}),
        required=True,
    )


ChargeRequestPage = page_of(ChargeRequest, "ChargeRequest")


class LetterQuery(Strict):
    """At which instant; left out, that of the newest charge request for a fine or toll. And as of when."""

    at = Instant(load_default=None)
    as_of = Instant(load_default=None)


class LetterDriver(Strict):
    """Who drove, as far as known to us."""

    name = Text(80, required=True)
    address = Text(500, required=True, allow_none=True)


class HandOverLetter(Strict):
    """Who held the car at an instant, for the authority that asks; `letter` says it in the reader's language."""

    rental = PublicIdField("ren", required=True)
    at = Instant(required=True)
    as_of = Instant(required=True, allow_none=True)
    plate = Text(12, required=True)
    vin = Text(17, required=True)
    car = Text(100, required=True)
    from_ = Instant(data_key="from", attribute="from_at", required=True)
    to = Instant(attribute="to_at", required=True, allow_none=True)
    driver = fields.Nested(LetterDriver, required=True)
    owner = Text(80, required=True)
    subject = Text(200, required=True)
    letter = Text(3000, lines=True, required=True)

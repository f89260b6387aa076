"""What goes out about receipts."""

from marshmallow import fields

from app.billing.states import State as PaymentState
from app.kit.fields import (
    Instant,
    Many,
    MoneySchema,
    OneOf,
    PublicIdField,
    Strict,
    Text,
    Whole,
)
from app.rentals.quote_schemas import Line, Shares


class ReceiptDocument(Strict):
    """A numbered receipt or credit note; `hash` covers it and the one before it in its series. They are never changed."""

    id = PublicIdField("doc")
    number = Text(40, metadata={"example": "GLV-FR-2027-000123"})
    kind = OneOf(("receipt", "credit_note"))
    about = OneOf(("price", "charge_request"))
    corrects = Text(40, allow_none=True, metadata={"example": "GLV-FR-2027-000122"})
    total = fields.Nested(MoneySchema)
    issued_at = Instant()
    hash = Text(64, pattern=r"^[0-9a-f]{64}$", metadata={"example": "5f2b1d0a9c8e7f6a" * 4})


class ChargedAfter(Strict):
    """What a charge request came to, beside the rental's price."""

    payment = PublicIdField("pay", required=True)
    amount = fields.Nested(MoneySchema, required=True)
    state = OneOf(tuple(PaymentState), required=True)


class Receipt(Strict):
    """What a rental came to."""

    rental = PublicIdField("ren")
    car = Text(100)
    plate = Text(12)
    driver = Text(80)
    from_ = Instant(data_key="from", attribute="from_at", allow_none=True)
    to = Instant(attribute="to_at")
    km = Whole(0, 10**6, allow_none=True)
    lines = Many(fields.Nested(Line), 100)
    total = fields.Nested(MoneySchema)
    shares = fields.Nested(Shares, allow_none=True)
    paid = fields.Nested(MoneySchema)
    payment_state = Text(30)
    charged_after = Many(fields.Nested(ChargedAfter), 50)
    covered_minutes = Whole(0, 10**7, allow_none=True)
    charged_minutes = Whole(0, 10**7, allow_none=True)
    end_evidence = Text(300, allow_none=True)
    documents = Many(fields.Nested(ReceiptDocument), 100)

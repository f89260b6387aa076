"""What operators send and read of the platform's bank account, and of what insurers are owed."""

from marshmallow import fields

from app.kit.fields import Many, MoneyIn, MoneySchema, PublicIdField, Strict, Text, Whole, line
from app.operator.schemas import OperatorReason


class MoneyMoved(MoneyIn):
    """An amount in minor units, above nothing."""

    amount = Whole(1, 10**10, required=True, metadata={"example": 1250})


class BankPaymentIn(OperatorReason):
    """What the bank's statement shows, with the reference it has outside: each is posted once."""

    amount = fields.Nested(MoneyMoved, required=True)
    reference = line(100, required=True)


class BankPayment(Strict):
    """It is in the books; `left` is what stands on the account after everything that is."""

    reference = Text(100, required=True)
    amount = fields.Nested(MoneySchema, required=True)
    left = fields.Nested(MoneySchema, required=True)


class InsurerPaid(BankPayment):
    """The insurer was paid; `left` is what it is owed still."""

    insurer = PublicIdField("ins", required=True)


class RefundByBank(Strict):
    """It is in the books, and nothing of the payment is stuck any more."""

    payment = PublicIdField("pay", required=True)
    reference = Text(100, required=True)
    amount = fields.Nested(MoneySchema, required=True)


class InsurerAccountLine(Strict):
    """In one currency; below nothing the insurer was paid more than a correction left."""

    opening = fields.Nested(MoneySchema, required=True)
    premiums = fields.Nested(MoneySchema, required=True)
    paid = fields.Nested(MoneySchema, required=True)
    closing = fields.Nested(MoneySchema, required=True)


class InsurerAccount(Strict):
    """What an insurer was owed before a month and after it, and what moved it."""

    insurer = PublicIdField("ins", required=True)
    month = Text(7, required=True, pattern=r"^\d{4}-\d{2}$")
    lines = Many(fields.Nested(InsurerAccountLine), 3, required=True)

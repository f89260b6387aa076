"""What operators send and read of payments, disputes and warnings of fraud."""

from marshmallow import fields

from app.billing.schemas import PURPOSES
from app.billing.states import State as PaymentState
from app.kit.fields import (
    Instant,
    MoneySchema,
    OneOf,
    Paging,
    PublicIdField,
    Strict,
    Text,
    Whole,
)
from app.kit.routes import page_of
from app.operator.schemas import OperatorReason
from payments.disputes import DisputeState


class PaymentsQuery(Paging):
    """Which payments."""

    state = OneOf(tuple(PaymentState), load_default=None)
    rental = PublicIdField("ren", load_default=None)
    person = PublicIdField("per", load_default=None)


class RefundIn(OperatorReason):
    """How much goes back, in minor units; all that is left when left out."""

    amount = Whole(1, 100_000_000, load_default=None, allow_none=True)


class DisputesQuery(Paging):
    """Which disputes."""

    state = OneOf(tuple(DisputeState), load_default=None)


class OperatorDispute(Strict):
    """A dispute: `answer_by` is when the bank stops listening; `borne_by` who bears the owner's share when it is lost."""

    id = PublicIdField("dsp", required=True)
    payment = PublicIdField("pay")
    rental = PublicIdField("ren")
    external_id = Text(200)
    state = OneOf(tuple(DisputeState))
    reason = Text(100)
    amount = fields.Nested(MoneySchema)
    refundable = fields.Boolean()
    borne_by = OneOf(("platform", "owner"))
    answer_by = Instant(allow_none=True)
    evidence_sent_at = Instant(allow_none=True)
    made_at = Instant()


OperatorDisputePage = page_of(OperatorDispute, "OperatorDispute")


class OperatorFraudWarning(Strict):
    """A bank says that a payment is probably fraud."""

    id = PublicIdField("frw", required=True)
    payment = PublicIdField("pay")
    person = PublicIdField("per")
    kind = Text(100)
    made_at = Instant()
    cleared_at = Instant(allow_none=True)


OperatorFraudWarningPage = page_of(OperatorFraudWarning, "OperatorFraudWarning")


class OperatorPayment(Strict):
    """A payment; what its driver must confirm is shown to them alone."""

    id = PublicIdField("pay", required=True)
    rental = PublicIdField("ren")
    person = PublicIdField("per")
    purpose = OneOf(PURPOSES)
    state = OneOf(tuple(PaymentState))
    amount = fields.Nested(MoneySchema)
    captured = fields.Nested(MoneySchema)
    refunded = fields.Nested(MoneySchema)
    failure = Text(60, allow_none=True)
    changed_at = Instant()


OperatorPaymentPage = page_of(OperatorPayment, "OperatorPayment")

"""What insurers say of a loss, and read."""

from marshmallow import fields

from app.kit.fields import (
    CURRENCIES,
    Flag,
    Instant,
    Many,
    OneOf,
    Paging,
    PublicIdField,
    Strict,
    Text,
    Whole,
    line,
)
from insurance.claim import STATUSES

AT_MOST = 10**12


class Amounts(Strict):
    """What goes to those who suffered the loss, and what handling it costs; minor units of the claim's currency."""

    indemnity = Whole(0, AT_MOST)
    fees = Whole(0, AT_MOST)


class ClaimIn(Strict):
    """A notice of loss."""

    cover = PublicIdField("cov", required=True)
    occurred_at = Instant(required=True)
    reference = line(100, required=True)
    text = Text(4000, lines=True, required=True)


class ClaimPatch(Strict):
    """What changes; what is left out stays. Amounts are totals so far, not what comes on top."""

    status = OneOf(tuple(STATUSES))
    denied = Flag()
    reserve = fields.Nested(Amounts)
    paid = fields.Nested(Amounts)


class LossVersion(Strict):
    """One version of a claim, complete."""

    id = PublicIdField("clm", required=True)
    cover = PublicIdField("cov", required=True)
    reference = Text(100, required=True)
    occurred_at = Instant(required=True)
    text = Text(4000, lines=True, required=True)
    status = OneOf(tuple(STATUSES), required=True)
    denied = Flag(required=True)
    currency = OneOf(CURRENCIES, required=True)
    reserve = fields.Nested(Amounts, required=True)
    paid = fields.Nested(Amounts, required=True)
    incurred = fields.Nested(Amounts, required=True)
    version = Whole(1, 10**6, required=True)
    notified_at = Instant(required=True)
    changed_at = Instant(required=True)
    over_at = Instant(required=True, allow_none=True)


class Loss(LossVersion):
    """A claim with its history, oldest version first."""

    history = Many(fields.Nested(LossVersion), 10_000, required=True)


class LossQuery(Paging):
    """Which claims."""

    cover = PublicIdField("cov", load_default=None)
    status = OneOf(tuple(STATUSES), load_default=None)


class LossPage(Strict):
    """A page of claims, newest first."""

    items = Many(fields.Nested(LossVersion), 100, required=True)
    next_cursor = Text(200, required=True, allow_none=True)

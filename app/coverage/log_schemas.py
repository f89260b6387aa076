"""What insurers read of the log: heads of its chain, signed heads, and proofs under them."""

from marshmallow import fields

from app.coverage.partner_schemas import Known
from app.kit.fields import Count, Instant, Many, Strict, Text, Whole


class LogHead(Strict):
    """The head of the chain after one fact."""

    position = Whole(1, 10**15)
    sealed_at = Instant()
    chain = Text(128, allow_none=True)


class LogHeads(Known):
    """Heads of the chain, newest first."""

    items = Many(fields.Nested(LogHead), 100, required=True)
    next_cursor = Text(200, allow_none=True, required=True)


class SealedFact(Strict):
    """A fact of the log, each part as the text that is hashed; `data` is JSON text and holds the `digest` of the version."""

    position = Whole(1, 10**15, required=True)
    seq = Whole(1, 10**15, required=True)
    kind = Text(60, required=True)
    data = Text(10_000, required=True)
    at = Text(40, required=True)
    recorded_at = Text(40, required=True)
    chain = Text(64, required=True)


class SignedHead(Strict):
    """A head of the log as it was signed: a compact JWS, to keep."""

    number = Whole(1, 10**9, required=True)
    first = Whole(1, 10**15, required=True)
    last = Whole(1, 10**15, required=True)
    signed_at = Instant(required=True)
    head = Text(2000, required=True)


class SignedHeads(Known):
    """Signed heads, newest first."""

    items = Many(fields.Nested(SignedHead), 100, required=True)
    next_cursor = Text(200, allow_none=True, required=True)


class ProofQuery(Strict):
    """Which version; the newest when it is left out."""

    version = Count(1, 10**6, load_default=None)


class CoverProof(Known):
    """That a version of a cover lies in the log. `path` leads from the fact to the root in `head`, which is null, with an
    empty path, until the next head is signed: at the beginning of the day, UTC.
    """

    cover = fields.Dict(keys=Text(60), required=True, metadata={"maxProperties": 40})
    fact = fields.Nested(SealedFact, required=True)
    head = Text(2000, allow_none=True, required=True)
    path = Many(Text(64), 60, required=True)

"""What insurers send and read."""

from marshmallow import fields

from app.cars.schemas import POWERTRAIN, VIN
from app.coverage.schemas import ANSWERS
from app.kit.fields import (
    Count,
    Country,
    Day,
    Flag,
    Instant,
    Many,
    MoneyIn,
    MoneySchema,
    OneOf,
    Paging,
    PublicIdField,
    SpanSchema,
    Strict,
    Text,
    Whole,
    Zone,
    line,
)
from insurance.bordereau import KINDS as KINDS_OF_BORDEREAU
from insurance.master_policy import CLEARANCE_RANK

MONTH = "^[0-9]{4}-(0[1-9]|1[0-2])$"
STATES = ("conditional", "bound", "active", "closed", "void")
KINDS = ("bound", "activated", "extended", "overrun", "closed", "voided")


class CoverSpan(Strict):
    """A half-open span of a cover, [from, to); a null `to` is still open."""

    from_ = Instant(required=True, data_key="from", attribute="from")
    to = Instant(required=True, allow_none=True)


class InsuredCarOut(Strict):
    """The car as its insurer knows it."""

    plate = Text(12)
    country = Country()
    vin = Text(17)
    make = Text(40)
    model = Text(40)


class MasterPolicyRef(Strict):
    """The master policy a cover was bound under."""

    id = PublicIdField("pol")
    number = Text(100)
    version = Whole(1, 10**6)


class CoverOut(Strict):
    """One version of a cover, complete."""

    id = PublicIdField("cov")
    certificate = PublicIdField("crt")
    version = Whole(1, 10**6)
    state = OneOf(STATES)
    from_ = Instant(data_key="from", attribute="from")
    to = Instant(allow_none=True)
    liability = fields.Nested(CoverSpan)
    own_damage = fields.Nested(CoverSpan)
    planned = fields.Nested(CoverSpan)
    car = fields.Nested(InsuredCarOut)
    master_policy = fields.Nested(MasterPolicyRef)
    insurer = Text(200)
    driver_ref = Text(40)
    overrun_at = Instant(allow_none=True)
    odometer_start_km = Whole(0, 10**7, allow_none=True)
    odometer_end_km = Whole(0, 10**7, allow_none=True)
    covered_minutes = Whole(0, 10**7, allow_none=True)
    charged_minutes = Whole(0, 10**7, allow_none=True)
    premium = fields.Nested(MoneySchema, allow_none=True)
    end_evidence = Text(200, allow_none=True)
    acknowledged_at = Instant(allow_none=True)
    recorded_at = Instant()


class AsOf(Strict):
    """As it was known at an earlier instant."""

    as_of = Instant(load_default=None)


class Known(Strict):
    """How far the answer reaches."""

    as_of = Instant(required=True)
    position = Whole(0, 10**15, required=True)


class KnownCover(CoverOut, Known):
    """A cover as it was known."""


class CoverQuery(Paging, AsOf):
    """Which covers."""

    state = OneOf(STATES, load_default=None)
    acknowledged = Flag(load_default=None)


class CoverPage(Known):
    """A page of covers, newest first."""

    items = Many(fields.Nested(CoverOut), 100, required=True)
    next_cursor = Text(200, allow_none=True, required=True)


class CoverageQuery(AsOf):
    """Which car, at which instant."""

    plate = line(20, load_default=None)
    vin = Text(17, shortest=11, pattern=VIN, load_default=None)
    country = Country(load_default=None)
    at = Instant(required=True)


class DriverOut(Strict):
    """The driver, for clients with the scope drivers:read."""

    name = Text(80)
    birth_date = Day(allow_none=True)
    address = Text(500, allow_none=True)
    licence = Text(40, allow_none=True)


class Coverage(Known):
    """Whether the car was covered at the instant."""

    covered = OneOf(ANSWERS, required=True)
    at = Instant(required=True)
    plate = Text(20, allow_none=True)
    vin = Text(17, allow_none=True)
    holder = OneOf(("owner", "other"), allow_none=True)
    cover = fields.Nested(CoverOut)
    insurer = Text(200)
    policy_number = Text(100)
    certificate = PublicIdField("crt")
    driver_ref = Text(40)
    driver = fields.Nested(DriverOut, allow_none=True)
    odometer_km = Whole(0, 10**7, allow_none=True)
    recorded_at = Instant()


class LookupQuery(AsOf):
    """Which plate, at which instant."""

    plate = line(20, required=True)
    country = Country(required=True)
    at = Instant(required=True)


class LookupAnswer(Known):
    """Whether a plate was covered, and by whom; no driver."""

    covered = OneOf(ANSWERS, required=True)
    at = Instant(required=True)
    plate = Text(20)
    insurer = Text(200, allow_none=True)
    policy_number = Text(100, allow_none=True)
    certificate = PublicIdField("crt", allow_none=True)


class ChangeQuery(AsOf):
    """Changes after a cursor."""

    limit = Count(1, 100, load_default=50)
    cursor = Text(200, pattern=r"^[A-Za-z0-9_-]*$", load_default=None)


class Change(Strict):
    """One change of one cover: its version, complete."""

    kind = OneOf([f"cover.{one}" for one in KINDS])
    version = Whole(1, 10**6)
    recorded_at = Instant()
    position = Whole(1, 10**15)
    cover = fields.Nested(CoverOut)


class Changes(Known):
    """Changes in recorded order; go on with `next_cursor`."""

    items = Many(fields.Nested(Change), 100, required=True)
    next_cursor = Text(200, required=True)
    has_more = Flag(required=True)


class Events(Known):
    """Every version of a cover, oldest first."""

    items = Many(fields.Nested(Change), 10_000, required=True)


class ExposureItem(Strict):
    """Cars out in one country."""

    country = Country()
    cars = Whole(0, 10**9)
    declared_value = fields.Nested(MoneySchema)
    cars_without_value = Whole(0, 10**9)


class Exposure(Known):
    """How many cars are out under open covers."""

    items = Many(fields.Nested(ExposureItem), 100, required=True)


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


class BordereauQuery(Strict):
    """Which of a month's bordereaux: the policy need only be named where one has several."""

    kind = OneOf(KINDS_OF_BORDEREAU, required=True)
    policy_number = Text(100, load_default=None)


class BordereauOut(Strict):
    """A bordereau that was made; the hashes are those of its files, in hex."""

    id = PublicIdField("bdx", required=True)
    policy_number = Text(100, required=True, attribute="number")
    month = Text(7, required=True, pattern=MONTH)
    kind = OneOf(KINDS_OF_BORDEREAU, required=True)
    closed_at = Instant(required=True)
    lines = Whole(0, 10**9, required=True)
    csv_sha256 = Text(64, required=True)
    json_sha256 = Text(64, required=True)


class BordereauPage(Strict):
    """Bordereaux, the last one first."""

    items = Many(fields.Nested(BordereauOut), 100, required=True)
    next_cursor = Text(200, allow_none=True, required=True)


class BordereauFile(Strict):
    """A bordereau as JSON: what it is of, and a row per line with the same headings as the CSV form."""

    id = PublicIdField("bdx", required=True)
    insurer = PublicIdField("ins", required=True)
    policy_number = Text(100, required=True)
    month = Text(7, required=True, pattern=MONTH)
    kind = OneOf(KINDS_OF_BORDEREAU, required=True)
    closed_at = Instant(required=True)
    rows = Many(fields.Dict(keys=Text(60), metadata={"maxProperties": 60}), 10**7, required=True)


class WebhookIn(Strict):
    """Where to send what; no events: every change."""

    url = Text(500, required=True)
    events = Many(OneOf([f"cover.{one}" for one in KINDS]), 20, load_default=list)


class WebhookChange(Strict):
    """What is left out stays as it is."""

    url = Text(500)
    events = Many(OneOf([f"cover.{one}" for one in KINDS]), 20)
    state = OneOf(("enabled", "disabled"))


class WebhookOut(Strict):
    """An endpoint. `last_status` is what came of the last try: a status, or why there is none."""

    id = PublicIdField("whk", required=True)
    url = Text(500, required=True)
    events = Many(OneOf([f"cover.{one}" for one in KINDS]), 20, required=True)
    state = OneOf(("enabled", "disabled"), required=True)
    made_at = Instant(required=True)
    last_success_at = Instant(allow_none=True, required=True)
    last_status = Text(200, allow_none=True, required=True)


class WebhookWithSecret(WebhookOut):
    """An endpoint and what its messages are signed with, which is shown this once."""

    secret = Text(100, required=True, allow_none=True)


class Webhooks(Strict):
    """One's endpoints."""

    items = Many(fields.Nested(WebhookOut), 10, required=True)


class AcknowledgeQuery(Strict):
    """Which version; the latest when it is left out."""

    version = Count(1, 10**6, load_default=None)


class DriverIn(Strict):
    """What the rules look at in a driver."""

    birth_date = Day(required=True, allow_none=True)
    licence_classes = Many(Text(3), 9, required=True)
    licence_issued_on = Day(required=True)
    licence_expires_on = Day(required=True)
    cleared_by = OneOf(tuple(CLEARANCE_RANK), load_default=None, allow_none=True)
    accepted = Many(Text(80), 20, load_default=list)


class CarFactsIn(Strict):
    """What the rules look at in a car."""

    powertrain = OneOf(POWERTRAIN, required=True)
    time_zone = Zone(required=True)
    declared_value = fields.Nested(MoneyIn, load_default=None, allow_none=True)
    has_immobiliser = Flag(load_default=False)
    inspection_until = Day(load_default=None, allow_none=True)


class EligibilityIn(Strict):
    """Would this be bound? Nothing is stored."""

    country = Country(required=True)
    driver = fields.Nested(DriverIn, required=True)
    car = fields.Nested(CarFactsIn, required=True)
    span = fields.Nested(SpanSchema, required=True)


class EligibilityOut(Strict):
    """Whether it would be bound, and under which policy it was judged."""

    eligible = Flag(required=True)
    reasons = Many(Text(60), 40, required=True)
    master_policy = fields.Nested(MasterPolicyRef, allow_none=True)

"""What insurers send and read."""

from typing import Any

from marshmallow import fields

from app.cars.schemas import VIN
from app.coverage.schemas import ANSWERS
from app.coverage.versions import KINDS
from app.kit.fields import (
    Count,
    Country,
    Day,
    Flag,
    Instant,
    Many,
    MoneySchema,
    OneOf,
    Paging,
    PublicIdField,
    Strict,
    Text,
    Whole,
    line,
)

KM_FROM = ("odometer", "hours")
STATES = ("conditional", "bound", "active", "closed", "void")


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


class NamedDriverOut(CoverSpan):
    """A driver insured besides who booked: a pseudonym, and from when to when."""

    driver_ref = Text(40, required=True)


class SeenAbroad(Strict):
    """A country outside the policy's territory in which the car was seen, and when first."""

    country = Country(required=True)
    at = Instant(required=True)


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
    named_drivers = Many(fields.Nested(NamedDriverOut), 100)
    overrun_at = Instant(allow_none=True)
    left_territory = Many(fields.Nested(SeenAbroad), 300)
    odometer_start_km = Whole(0, 10**7, allow_none=True)
    odometer_end_km = Whole(0, 10**7, allow_none=True)
    covered_minutes = Whole(0, 10**7, allow_none=True)
    charged_minutes = Whole(0, 10**7, allow_none=True)
    charged_km = Whole(0, 10**7, allow_none=True)
    km_from = OneOf(KM_FROM, allow_none=True)
    premium = fields.Nested(MoneySchema, allow_none=True)
    end_evidence = Text(200, allow_none=True)
    acknowledged_at = Instant(allow_none=True)
    recorded_at = Instant()


class RecordedCover(fields.Nested):
    """A cover in an answer: a version is kept as `CoverOut` has it, and is not written field by field once more."""

    def __init__(self) -> None:
        super().__init__(CoverOut)

    def _serialize(self, nested_obj: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        del attr, obj, kwargs
        return nested_obj


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

    items = Many(RecordedCover(), 100, required=True)
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


class NamedThen(Strict):
    """A driver named besides, insured at the instant; `driver` for clients with the scope drivers:read."""

    driver_ref = Text(40, required=True)
    driver = fields.Nested(DriverOut, allow_none=True)


class Coverage(Known):
    """Whether the car was covered at the instant."""

    covered = OneOf(ANSWERS, required=True)
    at = Instant(required=True)
    plate = Text(20, allow_none=True)
    vin = Text(17, allow_none=True)
    holder = OneOf(("owner", "other"), allow_none=True)
    cover = RecordedCover()
    insurer = Text(200)
    policy_number = Text(100)
    certificate = PublicIdField("crt")
    driver_ref = Text(40)
    driver = fields.Nested(DriverOut, allow_none=True)
    named_drivers = Many(fields.Nested(NamedThen), 100)
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

    kind = OneOf(tuple(KINDS.values()))
    version = Whole(1, 10**6)
    recorded_at = Instant()
    position = Whole(1, 10**15)
    cover = RecordedCover()


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


class AcknowledgeQuery(Strict):
    """Which version; the latest when it is left out."""

    version = Count(1, 10**6, load_default=None)

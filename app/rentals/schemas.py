"""What goes in and out about rentals."""

from marshmallow import ValidationError, fields, validates_schema

from app.billing.states import State as PaymentState
from app.cars.schemas import BASE64URL, CancellationStep, FoundCar
from app.kit.fields import (
    Count,
    Flag,
    Instant,
    Many,
    MoneySchema,
    OneOf,
    Paging,
    PlaceSchema,
    PublicIdField,
    Strict,
    Text,
    Whole,
)
from app.kit.routes import page_of
from app.people.schemas import OtherPerson
from app.rentals.lifecycle import State

COMMAND_STATE = ("created", "sent", "confirmed", "refused", "unknown", "dead", "reconciled")
CONDITION = (
    "state",
    "time",
    "car_back",
    "other_rental",
    "membership",
    "licence",
    "accepted",
    "phone",
    "payment",
    "cover",
    "command",
    "box",
    "capability",
    "charge",
    "photos",
    "safe",
    "doors",
    "ignition",
    "keys",
    "place",
    "plugged",
    "battery_12v",
    "reachable",
)


class QuoteIn(Strict):
    """Ask for the price of a span of a car, or of a later end of a rental."""

    car = PublicIdField("car")
    rental = PublicIdField("ren")
    from_ = Instant(data_key="from")
    to = Instant(required=True)
    community = PublicIdField("com")
    expected_km = Whole(0, 10000)

    @validates_schema
    def one_of_two(self, data: dict[str, object], **_: object) -> None:
        """A span of a car needs car and from; an extension needs only the rental."""
        if "rental" in data:
            if "car" in data or "from_" in data:
                raise ValidationError("An extension names only rental and to.", "rental")
            return
        for name, key in (("car", "car"), ("from_", "from")):
            if name not in data:
                raise ValidationError("Missing data for required field.", key)


class Line(Strict):
    """One line of a price."""

    code = Text(40)
    quantity = Whole(-(10**9), 10**9)
    unit = Text(20)
    amount = fields.Nested(MoneySchema)


class Shares(Strict):
    """Who gets what of an amount; contained in it, and together all of it. `vat` is in the platform's service.

    `vat_rate` in hundredths of a percent.
    """

    owner = fields.Nested(MoneySchema)
    insurer = fields.Nested(MoneySchema)
    platform = fields.Nested(MoneySchema)
    vat = fields.Nested(MoneySchema)
    vat_rate = Whole(0, 10000)


class ConditionsLink(Strict):
    """A version of conditions and where to read it."""

    version = Text(60)
    url = fields.String(metadata={"format": "uri-reference", "maxLength": 200})


class QuoteWarning(Strict):
    """What speaks against a quote without forbidding it."""

    code = OneOf(("range",))
    limit = Whole(0, 10000)
    text = Text(300)


class Quote(Strict):
    """The itemised price of one rental, frozen for 15 minutes."""

    id = PublicIdField("quo")
    car = PublicIdField("car")
    rental = PublicIdField("ren", allow_none=True)
    from_ = Instant(data_key="from", attribute="from_at")
    to = Instant(attribute="to_at")
    community = PublicIdField("com")
    expected_km = Whole(0, 10000, allow_none=True)
    warnings = Many(fields.Nested(QuoteWarning), 5)
    fare = OneOf(("free", "at_cost", "priced"))
    lines = Many(fields.Nested(Line), 100)
    total = fields.Nested(MoneySchema)
    shares = fields.Nested(Shares, allow_none=True)
    per_kwh = fields.Nested(MoneySchema, allow_none=True)
    hold = fields.Nested(MoneySchema)
    deposit = fields.Nested(MoneySchema)
    terms_version = Whole(0, 10**6)
    cancellation = Many(fields.Nested(CancellationStep), 8)
    conditions = Many(fields.Nested(ConditionsLink), 10)
    expires_at = Instant()


class EarningsQuery(Strict):
    """Which year; the present one where none is named."""

    year = Count(2020, 2199)


class Earnings(Strict):
    """What a car has brought in a calendar year, against the cost its owner states; energy apart, before shares.

    `covered`: rentals at cost pay energy alone until the year ends. `not_stated`: they do in any case.
    """

    car = PublicIdField("car")
    year = Whole(2020, 2199)
    state = OneOf(("open", "covered", "not_stated"))
    stated = fields.Nested(MoneySchema, allow_none=True)
    earned = fields.Nested(MoneySchema)
    promised = fields.Nested(MoneySchema)
    left = fields.Nested(MoneySchema)


class RentalIn(Strict):
    """Book a quote."""

    quote = PublicIdField("quo", required=True)
    accept = Many(Text(60, pattern=r"^[a-z0-9-]+$"), 10)
    card = PublicIdField("crd")
    note = Text(500, shortest=0, lines=True)


class SpanOpen(Strict):
    """A span whose end may be open."""

    from_ = Instant(data_key="from", allow_none=True)
    to = Instant(allow_none=True)


class CoverShort(Strict):
    """The cover of a rental."""

    id = PublicIdField("cov")
    state = OneOf(("conditional", "bound", "active", "closed", "void"))


class PaymentAction(Strict):
    """What the app must do with the payment SDK."""

    client_secret = Text(300, allow_none=True)
    expires_at = Instant(allow_none=True)


class PaymentShort(Strict):
    """How the payment of a rental stands."""

    state = Text(30)
    action = fields.Nested(PaymentAction, allow_none=True)


class DepositShort(Strict):
    """The deposit of a rental: held beside the rent, given back at `release_at` unless damage is being heard.

    `release_at` is null until the rental is over, and once it is given back or taken. `taken` is what a charge request took.
    """

    payment = PublicIdField("pay", required=True)
    state = OneOf(tuple(PaymentState), required=True)
    amount = fields.Nested(MoneySchema, required=True)
    taken = fields.Nested(MoneySchema, required=True)
    release_at = Instant(required=True, allow_none=True)


class PriceShort(Strict):
    """A price with its lines, and who gets what of it."""

    lines = Many(fields.Nested(Line), 100)
    total = fields.Nested(MoneySchema)
    shares = fields.Nested(Shares, allow_none=True)


class Extension(Strict):
    """A later end that is asked."""

    to = Instant()
    state = OneOf(("asked", "securing"))
    price = fields.Nested(MoneySchema)


class Late(Strict):
    """Past the planned end and still out."""

    since = Instant()
    forecast = Instant(allow_none=True)


class Rental(Strict):
    """From request to settlement."""

    id = PublicIdField("ren")
    state = OneOf(tuple(state.value for state in State))
    car = PublicIdField("car")
    community = PublicIdField("com")
    driver = fields.Nested(OtherPerson)
    owner = Text(40, pattern=r"^(per|com)_[0-9a-f]{32}$")
    span = fields.Nested(SpanOpen)
    actual = fields.Nested(SpanOpen, allow_none=True)
    answer_by = Instant(allow_none=True)
    quote = fields.Nested(Quote)
    final_price = fields.Nested(PriceShort, allow_none=True)
    meter_stopped_at = Instant(allow_none=True)
    note = Text(500, lines=True, allow_none=True)
    place = fields.Nested(PlaceSchema)
    plate = Text(12, allow_none=True)
    cover = fields.Nested(CoverShort, allow_none=True)
    payment = fields.Nested(PaymentShort)
    deposit = fields.Nested(DepositShort, allow_none=True)
    extension = fields.Nested(Extension, allow_none=True)
    late = fields.Nested(Late, allow_none=True)
    paused = Flag()
    unlock_unknown = Flag()
    links = fields.Dict(
        keys=Text(40), values=fields.String(metadata={"format": "uri-reference", "maxLength": 200})
    )
    owed = fields.Nested(MoneySchema, allow_none=True)
    refunded = fields.Nested(MoneySchema, allow_none=True)


RentalPage = page_of(Rental, "Rental")


class RentalQuery(Paging):
    """Which rentals."""

    state = OneOf(tuple(state.value for state in State))
    as_ = OneOf(("driver", "owner"), data_key="as")


class Reason(Strict):
    """Why."""

    reason = Text(300, lines=True, required=True)


class StepQuery(Strict):
    """Which step."""

    step = OneOf(("unlock", "lock"), required=True)


class Condition(Strict):
    """One thing that must be so, and what to do when it is not."""

    code = OneOf(CONDITION)
    met = Flag()
    blocking = Flag()
    observed_at = Instant(allow_none=True)
    remedy = Text(300, allow_none=True)


class Readiness(Strict):
    """Whether a step would be let through now."""

    ready = Flag()
    at = Instant()
    conditions = Many(fields.Nested(Condition), 30)


class Command(Strict):
    """A command to the box."""

    id = PublicIdField("cmd")
    rental = PublicIdField("ren", allow_none=True)
    kind = OneOf(("unlock", "lock", "charge_start", "charge_stop", "charge_limit", "climate", "ping"))
    state = OneOf(COMMAND_STATE)
    evidence = OneOf(("strong", "weak"), allow_none=True)
    expires_at = Instant()
    settled_at = Instant(allow_none=True)
    conditions = Many(fields.Nested(Condition), 30)
    problem = Text(40, allow_none=True)
    ask = Text(200, allow_none=True)


CommandPage = page_of(Command, "Command")


class CommandIn(Strict):
    """A command outside the steps of a rental."""

    kind = OneOf(
        ("unlock", "lock", "charge_start", "charge_stop", "charge_limit", "climate", "ping"), required=True
    )
    value = Whole(0, 100)


class LockIn(Strict):
    """What the driver states when locking for good."""

    keys_in_glove_box = Flag(required=True)
    plugged_in = Flag()


class CloseIn(Strict):
    """The owner states that he has car and keys."""

    i_have_the_car = Flag(required=True)


class ExtendIn(Strict):
    """A quote for the later end."""

    quote = PublicIdField("quo", required=True)


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


class Alternatives(Strict):
    """Other cars, free for the rental's span."""

    items = Many(fields.Nested(FoundCar), 100)
    next_cursor = Text(200, allow_none=True)


class GrantOut(Strict):
    """What opens the car without signal, for this phone: 153 bytes, base64url, as docs/grants says.

    `box_key` is the box's public key, by which the phone knows the real box; `revocations`, where there are any, is what
    the phone hands to the box first.
    """

    grant = Text(204, shortest=204, pattern=BASE64URL, required=True)
    not_before = Instant(required=True)
    not_after = Instant(required=True)
    box_key = Text(44, shortest=44, pattern=BASE64URL, required=True)
    revocations = Text(1536, pattern=BASE64URL, allow_none=True, required=True)


class OfflineReceiptsIn(Strict):
    """What the box signed, base64url each: receipts, and acknowledgements of revocations."""

    receipts = Many(Text(700), 100, required=True)


class OfflineReceiptsOut(Strict):
    """What became of each, in the order given."""

    results = Many(OneOf(("accepted", "duplicate", "invalid")), 100, required=True)


class BoxRecordsIn(Strict):
    """What a box says itself: an acknowledgement of where it stands, and receipts, base64url each."""

    records = Many(Text(700), 100, required=True)


class BoxRecordsOut(OfflineReceiptsOut):
    """What became of each, and the newest revocations, where the box does not go by them yet."""

    revocations = Text(1536, pattern=BASE64URL, allow_none=True, required=True)

"""What goes in and out about rentals."""

from marshmallow import fields

from app.billing.states import State as PaymentState
from app.cars.schemas import FoundCar
from app.kit.fields import (
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
)
from app.kit.routes import page_of
from app.people.schemas import OtherPerson
from app.rentals.lifecycle import State
from app.rentals.quote_schemas import Line, Quote, Shares


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


class RentalDriver(Strict):
    """A member who may drive beside who booked, and since when."""

    driver = fields.Nested(OtherPerson, required=True)
    named_at = Instant(required=True)


class RentalDrivers(Strict):
    """Who drives during a rental, as all of them and the owner may know it. The certificate is the cover's."""

    rental = PublicIdField("ren", required=True)
    car = PublicIdField("car", required=True)
    driver = fields.Nested(OtherPerson, required=True)
    span = fields.Nested(SpanOpen, required=True)
    cover = fields.Nested(CoverShort, required=True, allow_none=True)
    items = Many(fields.Nested(RentalDriver), 9, required=True)


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
    """Past the planned end and still out, or about to be; `forecast` is what the driver says, null once that has passed."""

    since = Instant()
    forecast = Instant(allow_none=True)


class Rental(Strict):
    """From request to settlement."""

    id = PublicIdField("ren")
    state = OneOf(tuple(state.value for state in State))
    car = PublicIdField("car")
    community = PublicIdField("com")
    driver = fields.Nested(OtherPerson)
    named_drivers = Many(fields.Nested(OtherPerson), 9)
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
    failed_at = Instant(allow_none=True)
    instead_of = PublicIdField("ren", allow_none=True)
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


class CloseIn(Strict):
    """The owner states that he has car and keys."""

    i_have_the_car = Flag(required=True)


class ExtendIn(Strict):
    """A quote for the later end."""

    quote = PublicIdField("quo", required=True)


class SwapIn(Strict):
    """The other car; `missing`: the driver is at the start and the booked car is not there."""

    car = PublicIdField("car", required=True)
    missing = Flag(load_default=False)


class LateIn(Strict):
    """When the car will be back."""

    back_at = Instant(required=True)


class Alternatives(Strict):
    """The cars that a rental could be swapped to: free for what is left of its span, ready, and without asking anybody."""

    items = Many(fields.Nested(FoundCar), 100)
    next_cursor = Text(200, allow_none=True)

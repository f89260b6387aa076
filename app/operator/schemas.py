"""What operators send and read."""

from marshmallow import fields

from app.claims.charge_rules import State as ChargeRequestState
from app.claims.schemas import ChargeRequest
from app.coverage.partner_schemas import STATES as COVER_STATES
from app.coverage.partner_schemas import CoverOut
from app.kit.fields import (
    AnyCountry,
    Country,
    Day,
    Instant,
    Many,
    MoneyIn,
    OneOf,
    Paging,
    PublicIdField,
    Strict,
    Text,
    Whole,
    email,
    line,
)
from app.kit.routes import page_of
from app.rentals.lifecycle import State as RentalState

HEX = r"^[0-9a-f]{64}$"


class OperatorReason(Strict):
    """Why: kept in the audit log."""

    reason = line(500, required=True)


class PeopleQuery(Strict):
    """The whole address; there is no search by its parts."""

    email = email(required=True)


class OperatorPerson(Strict):
    """An account as operators see it."""

    id = PublicIdField("per", required=True)
    name = Text(80)
    email = email()
    country = Country()
    made_at = Instant()
    confirmed_at = Instant(allow_none=True)
    suspended_at = Instant(allow_none=True)
    operator = fields.Boolean()


class OperatorPeople(Strict):
    """The account with an address, or none."""

    items = Many(fields.Nested(OperatorPerson), 1, required=True)


class OperatorLicence(Strict):
    """A recorded licence."""

    person = PublicIdField("per", required=True)
    number = Text(24)
    country = AnyCountry()
    classes = Many(Text(3), 9)
    birth_date = Day()
    issued_on = Day()
    expires_on = Day()
    recorded_at = Instant()
    state = OneOf(("pending", "cleared", "refused", "expired"))


OperatorLicencePage = page_of(OperatorLicence, "OperatorLicence")


class ChargeRequestsQuery(Paging):
    """Charge requests in a state, or of a rental."""

    state = OneOf(tuple(ChargeRequestState), load_default=None)
    rental = PublicIdField("ren", load_default=None)


class OperatorChargeRequest(ChargeRequest):
    """A charge request with who is in it, and who decided last."""

    driver = PublicIdField("per", required=True)
    owner = PublicIdField("per", required=True)
    decided_by = PublicIdField("per", required=True, allow_none=True)


OperatorChargeRequestPage = page_of(OperatorChargeRequest, "OperatorChargeRequest")


class DecisionIn(OperatorReason):
    """How much is owed, and why: both sides read it."""

    amount = fields.Nested(MoneyIn, required=True)


class CoversQuery(Paging):
    """Which covers."""

    state = OneOf(COVER_STATES, load_default=None)
    rental = PublicIdField("ren", load_default=None)


OperatorCoverPage = page_of(CoverOut, "OperatorCover")


class Job(Strict):
    """A job that will not be tried again by itself."""

    id = Whole(1, 10**15, required=True)
    task = Text(60)
    arguments = fields.Dict(keys=Text(60), metadata={"maxProperties": 20})
    error = Text(2000)
    failed_at = Instant()


JobPage = page_of(Job, "Job")


class Act(Strict):
    """What an operator did, and why."""

    position = Whole(1, 10**15, required=True)
    at = Instant()
    operator = Text(40)
    action = Text(60)
    subject = Text(100)
    reason = Text(500)


ActPage = page_of(Act, "Act")


class FactOut(Strict):
    """One fact of the total order."""

    position = Whole(1, 10**15, required=True)
    kind = Text(60)
    data = fields.Dict(keys=Text(60), metadata={"maxProperties": 50})
    at = Instant()
    recorded_at = Instant()
    sealed_at = Instant()
    chain = Text(64, pattern=HEX)


class Safe(OperatorReason):
    """Whether the car may be unlocked."""

    safe = fields.Boolean(required=True)


class CarSafe(Strict):
    """A car, and whether it may be unlocked."""

    car = PublicIdField("car", required=True)
    safe = fields.Boolean(required=True)


class ClosedRental(Strict):
    """A rental that was closed."""

    id = PublicIdField("ren", required=True)
    state = OneOf(tuple(RentalState))
    ended_at = Instant(allow_none=True)
    end_evidence = Text(400, allow_none=True)


class Rotate(OperatorReason):
    """Which signing keys."""

    purpose = OneOf(("people", "partners", "certificates", "grants"), required=True)


class Rotated(Strict):
    """The key that signs from now on."""

    purpose = OneOf(("people", "partners", "certificates", "grants"))
    kid = Text(80)

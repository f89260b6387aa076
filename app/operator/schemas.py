"""What operators send and read."""

from marshmallow import fields

from app.billing.schemas import PURPOSES
from app.billing.states import State as PaymentState
from app.claims.charge_rules import State as ChargeRequestState
from app.claims.schemas import ChargeRequest
from app.coverage.partner_schemas import STATES as COVER_STATES
from app.coverage.partner_schemas import CoverOut
from app.coverage.partners import SCOPES
from app.kit.client_certificate import THUMBPRINT
from app.kit.fields import (
    AnyCountry,
    Country,
    Day,
    Instant,
    Many,
    MoneyIn,
    MoneySchema,
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
from payments.disputes import DisputeState

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


class BlockLifted(Strict):
    """Who drives again under whose policies."""

    insurer = PublicIdField("ins", required=True)
    person = PublicIdField("per", required=True)


class InsurerIn(OperatorReason):
    """An insurer."""

    name = line(80, required=True)


class Insurer(Strict):
    """An insurer we have a contract with."""

    id = PublicIdField("ins", required=True)
    name = Text(80)
    made_at = Instant()


InsurerPage = page_of(Insurer, "Insurer")


class ClientKey(Strict):
    """A public key on P-256."""

    kty = OneOf(("EC",), required=True)
    crv = OneOf(("P-256",), required=True)
    x = Text(43, required=True)
    y = Text(43, required=True)
    kid = Text(80)
    alg = OneOf(("ES256",))
    use = OneOf(("sig",))


class ClientIn(OperatorReason):
    """A program of an insurer's: with public keys of its own, else it is given a secret."""

    label = line(40, required=True)
    scopes = Many(OneOf(SCOPES), len(SCOPES), least=1, required=True)
    public_keys = Many(fields.Nested(ClientKey), 5)
    certificate_sha256 = Text(43, shortest=43, pattern=THUMBPRINT)


class PartnerClient(Strict):
    """A program of an insurer's; its secret is shown once."""

    id = PublicIdField("cli", required=True)
    insurer = PublicIdField("ins")
    label = Text(40)
    scopes = Many(OneOf(SCOPES), len(SCOPES))
    has_keys = fields.Boolean()
    certificate_sha256 = Text(43, allow_none=True)
    client_secret = Text(100, allow_none=True)
    made_at = Instant()
    rotated_at = Instant(allow_none=True)


PartnerClientPage = page_of(PartnerClient, "PartnerClient")


class MasterPolicyIn(OperatorReason):
    """One version of a master policy as the contract says it; `active`: covers are bound under it from now on."""

    insurer = PublicIdField("ins", required=True)
    policy = fields.Dict(keys=Text(60), required=True, metadata={"maxProperties": 60})
    active = fields.Boolean(required=True)


class InForce(Strict):
    """Where and when covers are bound under a policy."""

    country = Country()
    from_ = Instant(data_key="from")
    to = Instant()


class MasterPolicy(Strict):
    """A version of a master policy, which never changes."""

    id = PublicIdField("pol", required=True)
    insurer = PublicIdField("ins")
    number = Text(100)
    version = Whole(1, 10**6)
    policy = fields.Dict(keys=Text(60), metadata={"maxProperties": 60})
    in_force = Many(fields.Nested(InForce), 100)
    made_at = Instant()


class TaxQuarter(Strict):
    """What was credited in a quarter, less what was taken back, in one currency.

    `consideration` is the owner's part of the rent and `activities` the rentals it was for; `fees` is what the platform
    took, `taxes` the tax in it, `premiums` the insurer's share. `compensation` came of charge requests and is no rent.
    """

    quarter = Whole(1, 4)
    consideration = fields.Nested(MoneySchema)
    activities = Whole(0, 10**9)
    fees = fields.Nested(MoneySchema)
    taxes = fields.Nested(MoneySchema)
    premiums = fields.Nested(MoneySchema)
    compensation = fields.Nested(MoneySchema)


class TaxOwner(Strict):
    """Somebody who earned, a person or a community, with what is known of them and the names of what is missing."""

    owner = Text(40, pattern=r"^(per|com)_[0-9a-f]{32}$", metadata={"example": "per_" + "0" * 32})
    kind = OneOf(("person", "community"))
    name = Text(160, allow_none=True)
    address = Text(300, allow_none=True, lines=True)
    country = Country(allow_none=True)
    birth_date = Day(allow_none=True)
    birth_place = Text(120, allow_none=True)
    tin = Text(40, allow_none=True)
    tin_country = Text(2, allow_none=True)
    vat_number = Text(20, allow_none=True)
    account = Text(42, allow_none=True)
    registration_number = Text(60, allow_none=True)
    missing = Many(
        OneOf(("name", "address", "birth_date", "tin", "legal_name", "country", "registration_number")), 7
    )
    quarters = Many(fields.Nested(TaxQuarter), 12)


class TaxReport(Strict):
    """Everybody who earned in a calendar year."""

    year = Whole(2020, 2200)
    made_at = Instant()
    owners = Many(fields.Nested(TaxOwner), 1_000_000)

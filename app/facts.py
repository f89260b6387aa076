"""Every fact of the product: ids and plain values, no names, no secrets."""

from dataclasses import dataclass
from datetime import datetime

from app.kit.facts import Fact

# -- people ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PersonRegistered(Fact):
    person: str


@dataclass(frozen=True)
class RegisteredAgain(Fact):
    """Somebody tried to register an address that has an account: its owner is told, the caller is not."""

    person: str


@dataclass(frozen=True)
class EmailCodeIssued(Fact):
    """A code is to be mailed; it is recomputed from the row's id, never stored."""

    person: str
    code: str
    purpose: str


@dataclass(frozen=True)
class EmailConfirmed(Fact):
    person: str


@dataclass(frozen=True)
class EmailChangeAsked(Fact):
    person: str
    code: str


@dataclass(frozen=True)
class SignedIn(Fact):
    person: str
    session: str
    new_installation: bool


@dataclass(frozen=True)
class SessionRevoked(Fact):
    person: str
    session: str
    reason: str


@dataclass(frozen=True)
class PasswordChanged(Fact):
    person: str


@dataclass(frozen=True)
class PersonErased(Fact):
    """Who it was is forgotten, or sealed until `kept_until`; what others need stays under the id."""

    person: str
    kept_until: datetime | None


@dataclass(frozen=True)
class IdentityForgotten(Fact):
    """What was kept of an erased account is gone."""

    person: str


@dataclass(frozen=True)
class IdentityShown(Fact):
    """An insurer was told who drove under a cover."""

    person: str
    cover: str
    client: str


@dataclass(frozen=True)
class LegalHoldPlaced(Fact):
    person: str
    hold: str
    by: str


@dataclass(frozen=True)
class LegalHoldLifted(Fact):
    person: str
    hold: str
    by: str


@dataclass(frozen=True)
class PhoneAdded(Fact):
    person: str
    phone: str
    code: str | None


@dataclass(frozen=True)
class PhoneRemoved(Fact):
    person: str
    phone: str


@dataclass(frozen=True)
class LicenceRecorded(Fact):
    person: str


@dataclass(frozen=True)
class LicenceCleared(Fact):
    person: str
    community: str | None
    by: str


@dataclass(frozen=True)
class LicenceRefused(Fact):
    person: str
    by: str


@dataclass(frozen=True)
class ConditionsAccepted(Fact):
    person: str
    version: str


@dataclass(frozen=True)
class PersonSuspended(Fact):
    person: str
    by: str
    reason: str


@dataclass(frozen=True)
class PersonRestored(Fact):
    person: str
    by: str
    reason: str


# -- communities -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CommunityMade(Fact):
    community: str
    by: str


@dataclass(frozen=True)
class CommunityEnded(Fact):
    """Its memberships end in the same transaction, each a fact of its own."""

    community: str
    by: str


@dataclass(frozen=True)
class Invited(Fact):
    invitation: str
    community: str
    by: str


@dataclass(frozen=True)
class InvitationReminded(Fact):
    """Whoever was invited by mail has not answered and is asked once more."""

    invitation: str
    community: str
    by: str


@dataclass(frozen=True)
class InvitationAccepted(Fact):
    invitation: str
    community: str
    person: str


@dataclass(frozen=True)
class InvitationDeclined(Fact):
    invitation: str
    community: str
    person: str


@dataclass(frozen=True)
class InvitationRevoked(Fact):
    invitation: str
    by: str


@dataclass(frozen=True)
class MembershipChanged(Fact):
    """`role`, `fare`, `blocked`: what it is from now on, where that is another."""

    community: str
    person: str
    by: str
    role: str | None = None
    fare: str | None = None
    blocked: bool | None = None


@dataclass(frozen=True)
class MemberRemoved(Fact):
    """A membership ended: removed, or left when `by` is the person."""

    community: str
    person: str
    by: str


# -- cars ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CarAdded(Fact):
    car: str
    by: str


@dataclass(frozen=True)
class CarChanged(Fact):
    car: str
    by: str


@dataclass(frozen=True)
class CarRemoved(Fact):
    car: str
    by: str


@dataclass(frozen=True)
class CalendarImportAdded(Fact):
    calendar_import: str
    car: str
    by: str


@dataclass(frozen=True)
class CalendarImportRemoved(Fact):
    calendar_import: str
    car: str
    by: str


@dataclass(frozen=True)
class CalendarImportFailing(Fact):
    """An imported calendar could not be read for a day; what it said last goes on to count. Once until it can again."""

    calendar_import: str
    car: str
    since: datetime


@dataclass(frozen=True)
class CarBarred(Fact):
    """An operator has found the car unsafe: nobody unlocks it."""

    car: str
    by: str


@dataclass(frozen=True)
class CostCovered(Fact):
    """A car has brought its stated cost of the year: rentals at cost pay energy alone until the next. Once a year."""

    car: str
    year: int
    amount: int
    currency: str


@dataclass(frozen=True)
class CostNotStated(Fact):
    """A car was lent at cost without a stated cost: its rentals at cost pay energy alone. Once a year."""

    car: str
    year: int


@dataclass(frozen=True)
class CarUnbarred(Fact):
    car: str
    by: str


@dataclass(frozen=True)
class CarStolen(Fact):
    """Reported by its owner or an operator: its box is cut off, nobody unlocks it until an operator lets it again."""

    car: str
    by: str


@dataclass(frozen=True)
class CustodyRecorded(Fact):
    """Who held the car in a span, as known from now on; the whole of an entry of custody.

    The database writes it beside the entry, whoever changed custody; it is never recorded from here.
    """

    car: str
    sequence: int
    holder: str
    person: str | None
    rental: str | None
    held_from: datetime
    held_to: datetime | None
    recorded_at: datetime


@dataclass(frozen=True)
class CustodyLookedUp(Fact):
    """The owner looked who held the car at `instant`, and it was the driver of this rental."""

    rental: str
    by: str
    instant: datetime


@dataclass(frozen=True)
class BoxPaired(Fact):
    car: str
    box: str


@dataclass(frozen=True)
class BoxRemoved(Fact):
    car: str
    box: str


@dataclass(frozen=True)
class BoxOffline(Fact):
    car: str
    rental: str | None


@dataclass(frozen=True)
class ChargeLow(Fact):
    car: str
    rental: str | None
    percent: int


@dataclass(frozen=True)
class NotPluggedIn(Fact):
    """The car stands with the owner, lower than the owner's rule allows without a cable."""

    car: str
    percent: int


@dataclass(frozen=True)
class ChargeShort(Fact):
    """At `at` somebody takes the car, and it will not be charged enough; `rental` is of who holds it now."""

    car: str
    rental: str | None
    at: datetime
    percent: int


@dataclass(frozen=True)
class TwelveVoltLow(Fact):
    """`rental` holds the car now; `fell_with` held it while the battery fell most, None for the owner."""

    car: str
    rental: str | None
    millivolts: int
    fell_with: str | None


@dataclass(frozen=True)
class TwelveVoltFalling(Fact):
    """At this rate the battery is low within days; `fell_with` held the car while it fell most, None for the owner."""

    car: str
    rental: str | None
    millivolts_per_day: int
    fell_with: str | None


@dataclass(frozen=True)
class TyreSoft(Fact):
    """`wheels`: 0 to 3 are front left, front right, rear left, rear right."""

    car: str
    rental: str | None
    wheels: str


@dataclass(frozen=True)
class AlarmSounded(Fact):
    """The car's own alarm went off."""

    car: str
    rental: str | None


@dataclass(frozen=True)
class CarCarried(Fact):
    """The car was moved while it was off: towed, loaded, or stolen without its key."""

    car: str
    rental: str | None


@dataclass(frozen=True)
class DoorLeftOpen(Fact):
    car: str
    rental: str | None
    doors: str


@dataclass(frozen=True)
class AlertStands(Fact):
    """Whoever holds the car was told of `cause` and it still stands; `percent` and `at` as in the alert itself."""

    car: str
    rental: str | None
    cause: str
    percent: int | None
    at: datetime | None


@dataclass(frozen=True)
class TermsChanged(Fact):
    car: str
    community: str
    version: int


@dataclass(frozen=True)
class OwnerCommandSettled(Fact):
    car: str
    command: str
    what: str
    state: str


# -- rentals ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RentalAsked(Fact):
    rental: str


@dataclass(frozen=True)
class RentalBooked(Fact):
    """The slot is the driver's; `approved_by` is None where no approval was needed."""

    rental: str
    approved_by: str | None


@dataclass(frozen=True)
class RentalDeclined(Fact):
    rental: str
    by: str


@dataclass(frozen=True)
class RentalWithdrawn(Fact):
    rental: str


@dataclass(frozen=True)
class RentalLapsed(Fact):
    rental: str


@dataclass(frozen=True)
class RentalCancelled(Fact):
    """`by` is driver, owner or system; `owed` in minor units of the quote's currency."""

    rental: str
    by: str
    reason: str
    owed: int


@dataclass(frozen=True)
class RentalSwapped(Fact):
    """Its car failed before the unlock: the driver has another, by the rental `other`; nothing is owed for this one.

    `codes` say what stood in the way, as conditions of the unlock or "missing", which the driver says.
    """

    rental: str
    other: str
    codes: str


@dataclass(frozen=True)
class TakenInstead(Fact):
    """Booked in place of a rental whose car failed, at its price."""

    rental: str
    instead_of: str


@dataclass(frozen=True)
class RentalNoShow(Fact):
    rental: str
    owed: int


@dataclass(frozen=True)
class RentalAboutToStart(Fact):
    rental: str


@dataclass(frozen=True)
class StartAtRisk(Fact):
    """As things stand the unlock would be refused; `codes` of its conditions, `ahead_min` None: seen at the booking, or when
    the car was found unsafe (`found_unsafe`), which its owners are told by itself.
    """

    rental: str
    codes: str
    ahead_min: int | None
    found_unsafe: bool = False


@dataclass(frozen=True)
class UnlockAsked(Fact):
    rental: str
    command: str


@dataclass(frozen=True)
class UnlockFailed(Fact):
    """Surely nothing opened."""

    rental: str
    command: str
    reason: str


@dataclass(frozen=True)
class DoorUnknown(Fact):
    """A door command was left without an answer: it may have acted."""

    rental: str
    command: str
    what: str


@dataclass(frozen=True)
class RentalStarted(Fact):
    rental: str
    command: str | None
    at: datetime


@dataclass(frozen=True)
class RentalPaused(Fact):
    rental: str
    command: str


@dataclass(frozen=True)
class RentalResumed(Fact):
    rental: str
    command: str


@dataclass(frozen=True)
class LockAsked(Fact):
    rental: str
    command: str


@dataclass(frozen=True)
class LockRefused(Fact):
    rental: str
    command: str | None
    reasons: str


@dataclass(frozen=True)
class PhotoAdded(Fact):
    """A photo of the car came from driver or owner; `sha256` is that of the picture as it is kept and shown."""

    photo: str
    rental: str
    by: str
    step: str
    angle: str
    sha256: str


@dataclass(frozen=True)
class DamageReported(Fact):
    """`rental` is None where its owner saw it; with an `unsafe` one nobody unlocks the car any more."""

    car: str
    damage: str
    rental: str | None
    by: str
    part: str
    unsafe: bool


@dataclass(frozen=True)
class DamageChanged(Fact):
    """As it stands from now on; `became_unsafe`: until now the car could be unlocked with it."""

    car: str
    damage: str
    by: str
    state: str
    unsafe: bool
    became_unsafe: bool


@dataclass(frozen=True)
class WaitOffered(Fact):
    """What somebody waited for is free, and held for them a while."""

    wait: str
    person: str
    car: str
    from_at: datetime
    to_at: datetime
    answer_by: datetime


@dataclass(frozen=True)
class NoteWritten(Fact):
    rental: str
    note: str
    by: str


@dataclass(frozen=True)
class ReviewsOpened(Fact):
    """Both sides have written, or the time to write is over; `sides` wrote what can be read from now on."""

    rental: str
    sides: str


@dataclass(frozen=True)
class MeterStopped(Fact):
    rental: str
    at: datetime


@dataclass(frozen=True)
class MeterRuns(Fact):
    """Use was seen after the meter had stopped: it runs on as if it had not."""

    rental: str


@dataclass(frozen=True)
class RentalEnded(Fact):
    """The box confirmed the lock (or somebody entitled closed by hand); `total` in minor units, None when free."""

    rental: str
    at: datetime
    total: int | None
    currency: str | None
    by: str


@dataclass(frozen=True)
class RentalLate(Fact):
    """`back_at`, where the driver has said when they will be back."""

    rental: str
    back_at: datetime | None = None


@dataclass(frozen=True)
class LatenessTold(Fact):
    """The driver says when the car will be back."""

    rental: str
    back_at: datetime


@dataclass(frozen=True)
class CarFailed(Fact):
    """The car cannot be used any more while it is out: no time is charged after `at`, the cover goes on to the lock."""

    rental: str
    at: datetime
    by: str


@dataclass(frozen=True)
class RentalSettled(Fact):
    rental: str


@dataclass(frozen=True)
class ExtensionAsked(Fact):
    rental: str
    to: datetime


@dataclass(frozen=True)
class RentalExtended(Fact):
    rental: str
    to: datetime


@dataclass(frozen=True)
class ExtensionDeclined(Fact):
    rental: str


@dataclass(frozen=True)
class DriverNamed(Fact):
    """`person` may drive beside who booked, and is insured."""

    rental: str
    person: str
    by: str


@dataclass(frozen=True)
class DriverTakenOff(Fact):
    """`person` may not drive any more; `by` a person, system or insurer, `reasons` the rules' codes where they refused."""

    rental: str
    person: str
    by: str
    reasons: str | None


@dataclass(frozen=True)
class StillHasCar(Fact):
    rental: str


@dataclass(frozen=True)
class GrantIssued(Fact):
    """A phone was given what opens the car without signal, until `not_after`."""

    rental: str
    grant: str
    phone: str
    not_after: datetime


@dataclass(frozen=True)
class GrantsRevoked(Fact):
    """What opens the car without signal was taken back; it is dead once the box has acknowledged, or has run out."""

    rental: str
    reason: str


@dataclass(frozen=True)
class ReceiptsMissing(Fact):
    """A box signed receipts between these two numbers that never came; what came after them was taken all the same."""

    box: str
    rental: str
    after: int
    before: int


@dataclass(frozen=True)
class UsedAfterAll(Fact):
    """A box's record shows that the car was opened under a rental that was over by our books, in this state."""

    rental: str
    at: datetime
    state: str


# -- coverage --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ConfirmationRefused(Fact):
    """An insurer that wants to confirm first will not have this rental, or not for so long."""

    rental: str


@dataclass(frozen=True)
class CoverUnconfirmed(Fact):
    """An insurer that wants to confirm first has not, and the start is near."""

    rental: str


@dataclass(frozen=True)
class CoverLimitReached(Fact):
    """An unlock was refused: what may be bound before the insurer takes note is used up. Once per rental."""

    rental: str
    reasons: str


@dataclass(frozen=True)
class CoverBound(Fact):
    """A cover's first version; `digest`, here and below, is the SHA-256 of all that the version says, as hex."""

    cover: str
    rental: str
    version: int
    digest: str = ""


@dataclass(frozen=True)
class CoverActivated(Fact):
    cover: str
    rental: str
    version: int
    digest: str = ""


@dataclass(frozen=True)
class CoverExtended(Fact):
    cover: str
    rental: str
    version: int
    digest: str = ""


@dataclass(frozen=True)
class CoverEndorsed(Fact):
    """A driver was named, or taken off."""

    cover: str
    rental: str
    version: int
    digest: str = ""


@dataclass(frozen=True)
class CoverLeftTerritory(Fact):
    cover: str
    rental: str
    version: int
    digest: str = ""


@dataclass(frozen=True)
class LeftTerritory(Fact):
    """The car was in a country outside the insurer's territory at `at`. Once per rental and country; never where in it."""

    rental: str
    country: str
    at: datetime


@dataclass(frozen=True)
class CoverOverrun(Fact):
    cover: str
    rental: str
    version: int
    digest: str = ""


@dataclass(frozen=True)
class CoverClosed(Fact):
    cover: str
    rental: str
    version: int
    digest: str = ""


@dataclass(frozen=True)
class CoverVoided(Fact):
    cover: str
    rental: str
    version: int
    digest: str = ""


@dataclass(frozen=True)
class CoverAcknowledged(Fact):
    cover: str
    version: int


@dataclass(frozen=True)
class WebhookChanged(Fact):
    """An insurer's endpoint was added, enabled, disabled, rotated or removed."""

    insurer: str
    webhook: str
    what: str


@dataclass(frozen=True)
class BordereauClosed(Fact):
    """A month was handed out as it will stay; `sha256` is that of its JSON form, as hex."""

    bordereau: str
    sha256: str


@dataclass(frozen=True)
class LogHeadSigned(Fact):
    """A head over all facts up to `last` was signed: the chain there, and the root of the tree over those since the
    head before; both hex.
    """

    number: int
    last: int
    chain: str
    root: str


@dataclass(frozen=True)
class DriverBlocked(Fact):
    """An insurer will not have this driver any more: it binds no further cover of theirs."""

    insurer: str
    person: str


@dataclass(frozen=True)
class CoverRefused(Fact):
    """The insurer refused after the bind: the cover given stands, future ones of this driver are blocked."""

    cover: str
    rental: str
    reason: str


@dataclass(frozen=True)
class MasterPolicyActivated(Fact):
    policy: str
    by: str


@dataclass(frozen=True)
class PartnerClientChanged(Fact):
    insurer: str
    client: str
    what: str


# -- billing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CardSaved(Fact):
    person: str
    card: str


@dataclass(frozen=True)
class PaymentHeld(Fact):
    payment: str
    rental: str


@dataclass(frozen=True)
class PaymentFailed(Fact):
    """Hold or charge failed; `code` is our own word for why."""

    payment: str
    rental: str
    code: str


@dataclass(frozen=True)
class PaymentActionRequired(Fact):
    payment: str
    rental: str


@dataclass(frozen=True)
class PaymentSucceeded(Fact):
    payment: str
    rental: str
    amount: int
    currency: str


@dataclass(frozen=True)
class PaymentReleased(Fact):
    payment: str
    rental: str


@dataclass(frozen=True)
class DepositLetGo(Fact):
    """Nobody decided for so long that it is given back while the hearing goes on; the card is charged instead."""

    payment: str
    rental: str


@dataclass(frozen=True)
class PaymentRefunded(Fact):
    payment: str
    rental: str
    amount: int
    currency: str


@dataclass(frozen=True)
class PaymentWrittenOff(Fact):
    """An operator gave up what a driver owes; the driver stays barred from priced rentals until it is paid."""

    payment: str
    rental: str
    amount: int
    currency: str


@dataclass(frozen=True)
class PaymentBarLifted(Fact):
    """The driver rents at a price again, although what was written off was never paid."""

    payment: str
    rental: str


@dataclass(frozen=True)
class OwnerPaid(Fact):
    """The owner's share of a payment is on their account at the provider, from where it goes to their bank."""

    person: str
    payment: str
    rental: str
    amount: int
    currency: str


@dataclass(frozen=True)
class OwnerGaveBack(Fact):
    """Part of what the owner was paid was taken back, since the driver got it back."""

    person: str
    payment: str
    rental: str
    amount: int
    currency: str


@dataclass(frozen=True)
class PayoutBlocked(Fact):
    """The owner has earned something and has no account that it could be paid into."""

    person: str
    payment: str
    rental: str
    amount: int
    currency: str


@dataclass(frozen=True)
class PayoutAccountAsks(Fact):
    """The provider wants to know more before it pays an owner, or goes on paying them."""

    person: str


@dataclass(frozen=True)
class BankPayoutFailed(Fact):
    """The owner's bank did not take what the provider sent."""

    person: str
    payout: str
    amount: int
    currency: str


@dataclass(frozen=True)
class PaymentDisputed(Fact):
    payment: str
    rental: str


@dataclass(frozen=True)
class EvidenceSent(Fact):
    payment: str
    rental: str
    dispute: str


@dataclass(frozen=True)
class DisputeDecided(Fact):
    """`outcome`: won, lost or dropped."""

    payment: str
    rental: str
    outcome: str


@dataclass(frozen=True)
class FraudWarned(Fact):
    """A bank says that a payment of this driver is probably fraud."""

    person: str
    payment: str
    rental: str


@dataclass(frozen=True)
class FraudCleared(Fact):
    person: str
    payment: str
    by: str


@dataclass(frozen=True)
class ReceiptReady(Fact):
    rental: str


@dataclass(frozen=True)
class TaxDetailsMissing(Fact):
    """Somebody earned this year and has not told all that the tax report needs of them."""

    person: str
    year: int


# -- charge requests -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChargeRequested(Fact):
    """The owner `by` asks the driver to pay; `what` is damage, fine, toll, cleaning, refuel or other."""

    charge_request: str
    rental: str
    by: str
    what: str
    amount: int
    currency: str
    answer_by: datetime


@dataclass(frozen=True)
class ChargeRequestAccepted(Fact):
    """Nothing is charged before `answer_by`: until then the driver may think again."""

    charge_request: str
    rental: str
    amount: int
    currency: str
    answer_by: datetime


@dataclass(frozen=True)
class ChargeRequestContested(Fact):
    charge_request: str
    rental: str
    amount: int
    currency: str


@dataclass(frozen=True)
class ChargeRequestUnanswered(Fact):
    """The driver was silent for the whole answer window: an operator decides."""

    charge_request: str
    rental: str
    amount: int
    currency: str


@dataclass(frozen=True)
class ChargeRequestWithdrawn(Fact):
    charge_request: str
    rental: str
    by: str
    amount: int
    currency: str


@dataclass(frozen=True)
class ChargeRequestDecided(Fact):
    """`amount` is what the driver owes, from 0; `final` after an appeal, else one may appeal until `appeal_by`."""

    charge_request: str
    rental: str
    by: str
    amount: int
    currency: str
    final: bool
    appeal_by: datetime | None


@dataclass(frozen=True)
class ChargeRequestAppealed(Fact):
    """`by` is driver or owner."""

    charge_request: str
    rental: str
    by: str
    amount: int
    currency: str


@dataclass(frozen=True)
class ChargeRequestClosed(Fact):
    """The hearing is over; `amount`, where there is any, is charged now."""

    charge_request: str
    rental: str
    amount: int
    currency: str


@dataclass(frozen=True)
class HandOverLetterRead(Fact):
    """The owner was given the driver's name and address for an authority, for what happened at `instant`."""

    rental: str
    by: str
    instant: datetime


@dataclass(frozen=True)
class ClaimNotified(Fact):
    """An insurer gave notice of a loss; `sha256`, here and below, is that of all that the version says, as hex."""

    claim: str
    cover: str
    rental: str
    version: int
    status: str
    sha256: str


@dataclass(frozen=True)
class ClaimChanged(Fact):
    """An insurer said how a claim stands; `before` is the status it had."""

    claim: str
    cover: str
    rental: str
    version: int
    status: str
    sha256: str
    before: str


# -- running the place -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OperatorActed(Fact):
    """An operator's change, with its reason: the audit log."""

    operator: str
    action: str
    subject: str
    reason: str


def kinds() -> dict[str, type[Fact]]:
    """Every fact by its name."""
    return {cls.kind: cls for cls in Fact.__subclasses__()}

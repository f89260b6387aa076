"""ONE table: fact -> what follows from it, each reaction in its own savepoint, run by workers. The chain of the product."""

from collections.abc import Callable
from typing import Any

from app import facts
from app.billing import capture, transfer
from app.cars import add, calendar_imports, windows
from app.claims import use
from app.coverage import log_head, report, webhooks
from app.kit.facts import Fact, Reactions
from app.messages import tell
from app.rentals import (
    abroad,
    damages,
    expire,
    extend,
    freed,
    grants_out,
    name_driver,
    offline_receipts,
    owe_premium,
    pickup,
    receipts,
    start_check,
)

OTHERS: dict[type[Fact], tuple[Callable[[Any], None], ...]] = {
    facts.PhoneRemoved: (grants_out.of_removed_phone,),
    facts.TermsChanged: (freed.on_terms,),
    facts.PersonSuspended: (
        grants_out.of_suspended,
        expire.cancel_of_member,
        extend.on_left,
        name_driver.take_off_former_member,
        freed.on_left,
        windows.of_owner,
    ),
    facts.PersonRestored: (freed.on_allowed, windows.of_owner),
    facts.LicenceRefused: (grants_out.of_refused_licence,),
    facts.CarBarred: (grants_out.of_barred_car, start_check.of_unsafe_car),
    facts.CarStolen: (grants_out.of_barred_car, start_check.of_unsafe_car),
    facts.DamageReported: (damages.on_reported, start_check.of_unsafe_car),
    facts.DamageChanged: (damages.on_reported, start_check.of_unsafe_car),
    facts.CoverRefused: (grants_out.of_refused_cover,),
    facts.DriverBlocked: (grants_out.of_blocked_driver,),
    facts.MembershipChanged: (
        grants_out.of_changed_membership,
        expire.cancel_of_member,
        extend.on_left,
        name_driver.take_off_former_member,
        freed.on_left,
        freed.on_allowed,
        calendar_imports.of_leaver,
    ),
    facts.CommunityEnded: (add.end_shares,),
    facts.MemberRemoved: (
        expire.cancel_of_member,
        extend.on_left,
        name_driver.take_off_former_member,
        add.end_shares_of_leaver,
        freed.on_left,
        calendar_imports.of_leaver,
    ),
    facts.RentalBooked: (start_check.booked,),
    facts.UnlockFailed: (expire.cancel_of_former_member,),
    facts.RentalStarted: (pickup.on_started, abroad.on_started),
    facts.RentalEnded: (capture.on_ended, receipts.on_ended),
    facts.RentalCancelled: (capture.on_cancelled,),
    facts.RentalNoShow: (capture.on_no_show,),
    facts.RentalDeclined: (capture.on_dropped,),
    facts.RentalWithdrawn: (capture.on_dropped,),
    facts.RentalLapsed: (capture.on_dropped,),
    facts.ConfirmationRefused: (extend.on_refused, expire.cancel_of_uninsured),
    facts.PaymentSucceeded: (receipts.on_paid, transfer.on_paid),
    facts.PaymentHeld: (extend.on_held,),
    facts.PaymentFailed: (extend.on_failed, receipts.on_moved),
    facts.PaymentRefunded: (receipts.on_moved,),
    facts.RentalSettled: (receipts.on_settled,),
    facts.CoverBound: (report.tell, webhooks.tell),
    facts.CoverActivated: (report.tell, webhooks.tell),
    facts.CoverExtended: (report.tell, webhooks.tell),
    facts.CoverEndorsed: (report.tell, webhooks.tell),
    facts.CoverLeftTerritory: (report.tell, webhooks.tell),
    facts.CoverOverrun: (report.tell, webhooks.tell),
    facts.CoverClosed: (
        report.tell,
        webhooks.tell,
        owe_premium.on_ended,
        offline_receipts.on_closed,
        use.on_closed,
    ),
    facts.CoverVoided: (report.tell, webhooks.tell, owe_premium.on_ended),
    facts.LogHeadSigned: (log_head.tell,),
}
TABLE: Reactions = {
    kind: (*OTHERS.get(kind, ()), *tell.REACTIONS.get(kind, ())) for kind in facts.kinds().values()
}
_THEIR_OWN_DOING = "whoever did it sees it in the answer; nobody else is concerned"
_READ_WHERE_ASKED = "rights and rules are read where they are used, so a change is in force at once"
_LOG = "kept for the log that operators and insurers read"
NOTHING_FOLLOWS: dict[type[Fact], str] = {
    facts.PersonRegistered: "the code by e-mail is a fact of its own",
    facts.EmailConfirmed: _THEIR_OWN_DOING,
    facts.PersonErased: "nobody is left to be told; memberships, phones and sessions end by facts of their own",
    facts.IdentityForgotten: _LOG,
    facts.IdentityShown: "the person reads it in their export",
    facts.LegalHoldPlaced: _LOG,
    facts.LegalHoldLifted: _LOG,
    facts.SessionRevoked: "its tokens are dead before the answer; an unknown sign-in is told by SignedIn",
    facts.LicenceRecorded: "readiness asks for a clearance; what becomes of it is told by the facts of licences",
    facts.ConditionsAccepted: _THEIR_OWN_DOING,
    facts.CommunityMade: _THEIR_OWN_DOING,
    facts.InvitationRevoked: "who was invited finds out only on trying; the revoked link says so",
    facts.CarAdded: _THEIR_OWN_DOING,
    facts.CarChanged: "booked rentals keep their terms; others read the car as it is",
    facts.CarRemoved: "a car with open rentals cannot be removed, so nobody waits for it",
    facts.CalendarImportAdded: "read a moment later by a job of its own",
    facts.CalendarImportRemoved: _THEIR_OWN_DOING,
    facts.BoxPaired: "the broker is told by boxlink, which the request waits for",
    facts.BoxRemoved: "the broker is told by boxlink, which cuts the box off",
    facts.OwnerCommandSettled: "the owner's request waits for it or asks for it",
    facts.UnlockAsked: "boxlink is woken in the same transaction",
    facts.LockAsked: "boxlink is woken in the same transaction",
    facts.CustodyRecorded: _LOG,
    facts.PhotoAdded: "both sides read it in the list of photos; its hash is in the chain from now on",
    facts.MeterStopped: "part of the rental's price, told with the receipt",
    facts.MeterRuns: "part of the rental's price, told with the receipt",
    facts.CoverAcknowledged: _LOG,
    facts.BordereauClosed: "insurers fetch it; its hash is in the chain from now on",
    facts.GrantIssued: "the phone has it in the answer",
    facts.GrantsRevoked: "phones that come to the car carry it to the box",
    facts.ReceiptsMissing: _LOG,
    facts.UsedAfterAll: _LOG,
    facts.MasterPolicyActivated: "read at each bind",
    facts.PartnerClientChanged: _LOG,
    facts.WebhookChanged: _LOG,
    facts.CardSaved: _THEIR_OWN_DOING,
    facts.EvidenceSent: _LOG,
    facts.DisputeDecided: "who has the money is in the books; operators read it in the list of disputes",
    facts.FraudWarned: "operators are alarmed; the driver is told when they unlock, and a thief not before",
    facts.FraudCleared: _LOG,
    facts.ChargeRequestClosed: "decision or acceptance were told before; the charge is told by the facts of payments",
    facts.OperatorActed: "the audit log itself; what an operator does to somebody is told by the fact of that deed",
}
"""Facts without a reaction, and why; a guard test wants one or the other."""

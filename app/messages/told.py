"""ONE table: which fact tells whom what, and when."""

from collections.abc import Callable
from dataclasses import dataclass

from app import facts
from app.kit.facts import Fact
from app.messages import params, when, whom
from app.messages.scene import Scene
from app.messages.whom import People


@dataclass(frozen=True, slots=True)
class Told:
    """These people are told this kind, when that holds."""

    whom: Callable[[Scene], People]
    kind: str
    when: Callable[[Scene], bool] = lambda _: True
    of: Callable[[Scene], Scene | None] = lambda here: here


_NOT_THEN = Told(whom.named, "driver_taken_off")
"""The rental is not to be, and so whoever is named in it does not drive."""
TABLE: dict[type[Fact], tuple[Told, ...]] = {
    facts.RegisteredAgain: (Told(whom.person, "account_exists_notice"),),
    facts.EmailCodeIssued: (
        Told(whom.person, "email_confirm", when.says("purpose", "confirm")),
        Told(whom.person, "password_reset", when.says("purpose", "reset")),
        Told(whom.person, "email_change", when.says("purpose", "change")),
        Told(whom.person, "phone_code", when.says("purpose", "phone")),
    ),
    facts.EmailChangeAsked: (Told(whom.person, "email_change_notice"),),
    facts.SignedIn: (Told(whom.person, "new_sign_in", when.is_news),),
    facts.PasswordChanged: (Told(whom.person, "password_changed"),),
    facts.PhoneAdded: (
        Told(whom.person, "phone_code", when.has("code")),
        Told(whom.person, "phone_confirm", when.has_no("code")),
    ),
    facts.LicenceCleared: (Told(whom.person, "licence_cleared.driver"),),
    facts.LicenceRefused: (Told(whom.person, "licence_refused.driver"),),
    facts.TaxDetailsMissing: (Told(whom.person, "tax_details_missing"),),
    facts.PersonSuspended: (Told(whom.person, "person_suspended"),),
    facts.PersonRestored: (Told(whom.person, "person_restored"),),
    facts.CostCovered: (Told(whom.owners, "cost_covered.owner"),),
    facts.CostNotStated: (Told(whom.owners, "cost_not_stated.owner"),),
    facts.CalendarImportFailing: (Told(whom.owners, "calendar_failing.owner"),),
    facts.CarBarred: (Told(whom.owners, "car_barred.owner"),),
    facts.CarStolen: (Told(whom.other_owners, "car_stolen.owner"),),
    facts.CarUnbarred: (Told(whom.owners, "car_unbarred.owner"),),
    facts.CustodyLookedUp: (Told(whom.driver, "custody_looked_up.driver"),),
    facts.Invited: (Told(whom.invited, "invited"),),
    facts.InvitationReminded: (Told(whom.invited, "invited_again"),),
    facts.InvitationAccepted: (Told(whom.inviters, "invitation_accepted"),),
    facts.InvitationDeclined: (Told(whom.inviters, "invitation_declined"),),
    facts.MembershipChanged: (
        Told(
            whom.other_than_actor(whom.person),
            "member_changed",
            when.either(when.has("role"), when.has("fare")),
        ),
        Told(whom.person, "member_blocked", when.both(when.is_true("blocked"), when.still_in)),
        Told(whom.person, "member_unblocked", when.both(when.is_false("blocked"), when.still_in)),
    ),
    facts.MemberRemoved: (
        Told(whom.person, "member_removed"),
        Told(whom.other_runners, "member_left.owner", when.by_themselves),
    ),
    facts.BoxOffline: (
        Told(whom.owners, "box_offline.owner"),
        Told(whom.driver, "box_offline.driver"),
    ),
    facts.ChargeLow: (Told(whom.holder, "charge_low"),),
    facts.ChargeShort: (Told(whom.holder, "charge_short"),),
    facts.NotPluggedIn: (Told(whom.owners, "not_plugged_in"),),
    facts.TwelveVoltLow: (Told(whom.holder, "battery_12v_low"),),
    facts.TwelveVoltFalling: (Told(whom.holder, "battery_12v_falling"),),
    facts.TyreSoft: (Told(whom.holder, "tyre_soft"),),
    facts.AlarmSounded: (Told(whom.holder, "alarm_sounded"),),
    facts.CarCarried: (Told(whom.holder, "car_carried"),),
    facts.DoorLeftOpen: (Told(whom.holder, "door_left_open"),),
    facts.AlertStands: (
        Told(whom.owners, "charge_low", when.says("cause", "charge_low")),
        Told(whom.owners, "charge_short", when.says("cause", "charge_short")),
        Told(whom.owners, "battery_12v_low", when.says("cause", "battery_12v_low")),
        Told(whom.owners, "battery_12v_falling", when.says("cause", "battery_12v_falling")),
        Told(whom.owners, "tyre_soft", when.says("cause", "tyre")),
        Told(whom.owners, "door_left_open", when.says("cause", "door_open")),
        Told(whom.owners, "alarm_sounded", when.says("cause", "alarm")),
        Told(whom.owners, "car_carried", when.says("cause", "carried")),
    ),
    facts.RentalAsked: (Told(whom.owners, "rental_asked.owner"),),
    facts.RentalBooked: (
        Told(whom.driver, "rental_approved.driver", when.has("approved_by")),
        Told(whom.driver, "rental_booked.driver", when.has_no("approved_by")),
        Told(whom.other_owners, "rental_booked.owner"),
    ),
    facts.RentalDeclined: (Told(whom.driver, "rental_declined.driver"), _NOT_THEN),
    facts.RentalWithdrawn: (Told(whom.owners, "rental_withdrawn.owner"), _NOT_THEN),
    facts.RentalLapsed: (
        Told(whom.driver, "rental_lapsed.driver"),
        Told(whom.owners, "rental_lapsed.owner"),
        _NOT_THEN,
    ),
    facts.RentalCancelled: (
        Told(whom.driver, "rental_cancelled.driver", when.driver_reads_app),
        Told(whom.owners, "rental_cancelled.owner"),
        _NOT_THEN,
    ),
    facts.RentalSwapped: (Told(whom.owners, "rental_swapped.owner"),),
    facts.TakenInstead: (
        Told(whom.driver, "rental_swapped.driver"),
        Told(whom.owners, "taken_instead.owner"),
        Told(whom.named, "driver_named"),
    ),
    facts.RentalNoShow: (
        Told(whom.driver, "rental_no_show.driver"),
        Told(whom.owners, "rental_no_show.owner"),
        _NOT_THEN,
    ),
    facts.RentalAboutToStart: (
        Told(whom.driver, "rental_about_to_start.driver"),
        Told(whom.owners, "rental_about_to_start.owner"),
    ),
    facts.StartAtRisk: (
        Told(whom.driver, "booked_at_risk.driver", when.has_no("ahead_min")),
        Told(whom.owners, "booked_at_risk.owner", when.seen_at_booking),
        Told(whom.driver, "start_at_risk.driver", when.has("ahead_min")),
        Told(whom.owners, "start_at_risk.owner", when.has("ahead_min")),
    ),
    facts.UnlockFailed: (
        Told(whom.driver, "unlock_failed.driver"),
        Told(whom.owners, "unlock_failed.owner"),
    ),
    facts.DoorUnknown: (
        Told(whom.driver, "unlock_unknown.driver", when.says("what", "unlock", "resume")),
        Told(whom.driver, "lock_unknown.driver", when.says("what", "lock", "pause")),
    ),
    facts.RentalStarted: (
        Told(whom.driver, "rental_unlocked.driver", when.opened_in_time),
        Told(whom.driver, "opened_late.driver", when.opened_late),
        Told(whom.owners, "rental_unlocked.owner"),
    ),
    facts.RentalPaused: (
        Told(whom.driver, "rental_paused.driver", when.seen_locked),
        Told(whom.driver, "rental_paused_weak.driver", when.by_the_boxs_word),
        Told(whom.owners, "rental_paused.owner"),
    ),
    facts.RentalResumed: (
        Told(whom.driver, "rental_resumed.driver"),
        Told(whom.owners, "rental_resumed.owner"),
    ),
    facts.LockRefused: (Told(whom.driver, "lock_refused.driver"),),
    facts.RentalEnded: (
        Told(whom.driver, "rental_ended.driver", when.both(when.by_lock, when.seen_locked)),
        Told(whom.driver, "rental_ended_weak.driver", when.both(when.by_lock, when.by_the_boxs_word)),
        Told(whom.owners, "rental_ended.owner", when.by_lock),
        Told(whom.driver, "rental_closed_by_hand.driver", when.by_hand),
        Told(whom.owners, "rental_closed_by_hand.owner", when.by_hand),
    ),
    facts.RentalLate: (
        Told(whom.driver, "rental_late.driver"),
        Told(whom.owners, "rental_late.owner"),
        Told(whom.driver, "rental_late.next_driver", when.late_for_next, of=when.next_driver),
        Told(
            whom.driver,
            "late_forecast.next_driver",
            when.both(when.has("back_at"), when.is_waited_for),
            of=when.next_driver,
        ),
    ),
    facts.LatenessTold: (
        Told(whom.owners, "late_forecast.owner"),
        Told(whom.driver, "late_forecast.next_driver", when.is_waited_for, of=when.next_driver),
    ),
    facts.CarFailed: (
        Told(whom.driver, "car_failed.driver"),
        Told(whom.owners, "car_failed.owner"),
    ),
    facts.LeftTerritory: (
        Told(whom.driver, "left_territory.driver"),
        Told(whom.owners, "left_territory.owner"),
    ),
    facts.StillHasCar: (Told(whom.owners, "still_has_car.owner"),),
    facts.DriverNamed: (
        Told(whom.person, "driver_named"),
        Told(whom.owners, "driver_named.owner"),
    ),
    facts.DriverTakenOff: (
        Told(whom.other_than_actor(whom.person), "driver_taken_off"),
        Told(whom.owners, "driver_taken_off.owner"),
        Told(whom.other_than_actor(whom.driver), "driver_taken_off.driver"),
    ),
    facts.DamageReported: (
        Told(
            whom.other_owners, "damage_reported.owner", when.both(when.has("rental"), when.is_false("unsafe"))
        ),
        Told(whom.other_owners, "damage_unsafe.owner", when.is_true("unsafe")),
        Told(whom.out_with_it, "damage_unsafe.driver", when.is_true("unsafe")),
    ),
    facts.DamageChanged: (
        Told(whom.other_owners, "damage_unsafe.owner", when.is_true("became_unsafe")),
        Told(whom.out_with_it, "damage_unsafe.driver", when.is_true("became_unsafe")),
    ),
    facts.WaitOffered: (Told(whom.person, "car_free_again"),),
    facts.NoteWritten: (Told(whom.other_side, "note_received"),),
    facts.ReviewsOpened: (
        Told(whom.driver, "review_opened", when.says_among("sides", "owner")),
        Told(whom.owners, "review_opened", when.says_among("sides", "driver")),
    ),
    facts.ExtensionAsked: (Told(whom.owners, "extension_asked.owner"),),
    facts.RentalExtended: (
        Told(whom.driver, "extension_approved.driver"),
        Told(whom.owners, "extension_approved.owner"),
    ),
    facts.ExtensionDeclined: (Told(whom.driver, "extension_declined.driver"),),
    facts.CoverLimitReached: (Told(whom.owners, "cover_limit.owner"),),
    facts.CoverUnconfirmed: (
        Told(whom.driver, "cover_unconfirmed.driver"),
        Told(whom.owners, "cover_unconfirmed.owner"),
    ),
    facts.CoverRefused: (
        Told(whom.driver, "cover_refused.driver"),
        Told(whom.owners, "cover_refused.owner"),
    ),
    facts.PaymentHeld: (Told(whom.driver, "deposit_held.driver", when.deposit_held_first),),
    facts.PaymentFailed: (Told(whom.driver, "payment_failed.driver"),),
    facts.PaymentActionRequired: (Told(whom.driver, "payment_action_required.driver"),),
    facts.PaymentSucceeded: (
        Told(whom.driver, "payment_done.driver"),
        Told(whom.payees, "payment_done.owner", params.has_share),
    ),
    facts.PaymentReleased: (
        Told(whom.driver, "payment_released.driver", when.no_deposit),
        Told(whom.driver, "deposit_released.driver", when.deposit),
    ),
    facts.DepositLetGo: (
        Told(whom.driver, "deposit_let_go.driver"),
        Told(whom.owners, "deposit_let_go.owner"),
    ),
    facts.PaymentRefunded: (Told(whom.driver, "payment_refunded.driver"),),
    facts.PaymentWrittenOff: (Told(whom.driver, "payment_written_off.driver"),),
    facts.PaymentBarLifted: (Told(whom.driver, "payment_bar_lifted.driver"),),
    facts.PaymentDisputed: (Told(whom.payees, "payment_disputed.owner", params.has_share),),
    facts.OwnerPaid: (Told(whom.earner, "owner_paid.owner"),),
    facts.OwnerGaveBack: (Told(whom.earner, "owner_gave_back.owner"),),
    facts.PayoutBlocked: (
        Told(whom.person, "payout_blocked.owner", when.of_a_person),
        Told(whom.community_owners, "payout_blocked.community", when.of_a_community),
    ),
    facts.PayoutAccountAsks: (
        Told(whom.person, "payout_account_asks", when.of_a_person),
        Told(whom.community_owners, "payout_account_asks.community", when.of_a_community),
    ),
    facts.BankPayoutFailed: (
        Told(whom.person, "bank_payout_failed", when.of_a_person),
        Told(whom.community_owners, "bank_payout_failed.community", when.of_a_community),
    ),
    facts.ChargeRequested: (Told(whom.driver, "charge_requested.driver"),),
    facts.ChargeRequestAccepted: (
        Told(whom.driver, "charge_accepted.driver"),
        Told(whom.owners, "charge_accepted.owner"),
    ),
    facts.ChargeRequestContested: (
        Told(whom.driver, "charge_contested.driver"),
        Told(whom.owners, "charge_contested.owner"),
    ),
    facts.ChargeRequestUnanswered: (
        Told(whom.driver, "charge_unanswered.driver"),
        Told(whom.owners, "charge_unanswered.owner"),
    ),
    facts.ChargeRequestWithdrawn: (
        Told(whom.driver, "charge_withdrawn.driver"),
        Told(whom.other_owners, "charge_withdrawn.owner"),
    ),
    facts.ChargeRequestDecided: (
        Told(whom.driver, "charge_decided.driver", when.has("appeal_by")),
        Told(whom.owners, "charge_decided.owner", when.has("appeal_by")),
        Told(whom.driver, "charge_decided_finally.driver", when.has_no("appeal_by")),
        Told(whom.owners, "charge_decided_finally.owner", when.has_no("appeal_by")),
    ),
    facts.ChargeRequestAppealed: (
        Told(whom.driver, "charge_appealed.driver"),
        Told(whom.owners, "charge_appealed.owner"),
    ),
    facts.ClaimNotified: (
        Told(whom.driver, "claim_notified.driver"),
        Told(whom.owners, "claim_notified.owner"),
    ),
    facts.ClaimChanged: (
        Told(whom.driver, "claim_over.driver", when.claim_is_over),
        Told(whom.owners, "claim_over.owner", when.claim_is_over),
        Told(whom.driver, "claim_reopened.driver", when.claim_is_reopened),
        Told(whom.owners, "claim_reopened.owner", when.claim_is_reopened),
    ),
    facts.HandOverLetterRead: (Told(whom.driver, "hand_over_letter.driver"),),
    facts.ReceiptReady: (Told(whom.driver, "receipt_ready"), Told(whom.owners, "receipt_ready")),
}

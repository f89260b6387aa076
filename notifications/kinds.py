"""What there is to say: every kind of message, what it must be given, and how it travels by default.

A kind with `.owner` or `.driver` is the event as told to that side; one without reads alike for whoever gets
it. The sentences are in `texts`, `catalogue.py` fills them in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal

Channel = Literal["push", "mail"]
Shape = Literal["text", "money", "instant", "percent", "count"]

# What a parameter looks like follows from its name, the same in every kind.
SHAPES: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "inviter": "text",
        "member": "text",
        "owner": "text",
        "driver": "text",
        "sender": "text",
        "community": "text",
        "car": "text",
        "reason": "text",
        "phone": "text",
        "email": "text",
        "country": "text",
        "code": "text",
        "link": "text",
        "price": "money",
        "amount": "money",
        "from": "instant",
        "to": "instant",
        "at": "instant",
        "since": "instant",
        "answer_by": "instant",
        "expires_at": "instant",
        "charge": "percent",
        "minutes": "count",
    }
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing we tell: the names it must be given, the channels and urgency it has by default."""

    params: tuple[str, ...]
    channels: frozenset[Channel] = frozenset({"push"})
    urgent: bool = False
    ttl: timedelta = timedelta(hours=24)
    mail_after: timedelta | None = None
    """So long after a push without a receipt it is mailed; None: never."""


_MAIL: Final[frozenset[Channel]] = frozenset({"mail"})
_BOTH: Final[frozenset[Channel]] = frozenset({"push", "mail"})
_NOW: Final = timedelta(minutes=10)
_SOON: Final = timedelta(minutes=5)
_UNSEEN: Final = timedelta(minutes=15)


def _kind(
    params: str,
    *,
    channels: frozenset[Channel] = frozenset({"push"}),
    urgent: bool = False,
    ttl: timedelta = timedelta(hours=24),
    mail_after: timedelta = _UNSEEN,
) -> Kind:
    """What is urgent, told by push alone and still true after a while is mailed where no phone shows that it came."""
    falls_back = urgent and "mail" not in channels and ttl > _NOW
    names = tuple(params.split())
    zone = ("zone",) if any(SHAPES[name] == "instant" for name in names) else ()
    return Kind(names + zone, channels, urgent, ttl, mail_after if falls_back else None)


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "invited": _kind("inviter community link expires_at", channels=_BOTH),
        "invited_again": _kind("inviter community link expires_at", channels=_BOTH),
        "invitation_accepted": _kind("member community"),
        "invitation_declined": _kind("member community"),
        "member_removed": _kind("community", channels=_BOTH),
        "member_changed": _kind("community"),
        "member_blocked": _kind("community", channels=_BOTH),
        "member_unblocked": _kind("community"),
        "member_left.owner": _kind("member community"),
        "rental_asked.owner": _kind("driver car from to", urgent=True),
        "rental_booked.owner": _kind("driver car from to"),
        "rental_booked.driver": _kind("car from to"),
        "rental_approved.driver": _kind("owner car from to", urgent=True),
        "rental_declined.driver": _kind("owner car from to"),
        "rental_withdrawn.owner": _kind("driver car from to"),
        "rental_lapsed.owner": _kind("driver car from to"),
        "rental_lapsed.driver": _kind("car from to"),
        "rental_cancelled.owner": _kind("driver car from to"),
        "rental_cancelled.driver": _kind("car from to", urgent=True),
        "rental_about_to_start.owner": _kind("driver car from"),
        "rental_about_to_start.driver": _kind("car from to"),
        "booked_at_risk.owner": _kind("driver car from reason"),
        "booked_at_risk.driver": _kind("car from reason"),
        "start_at_risk.owner": _kind("driver car from minutes reason", urgent=True, mail_after=_SOON),
        "start_at_risk.driver": _kind("car from minutes reason", urgent=True, mail_after=_SOON),
        "rental_unlocked.owner": _kind("driver car at", urgent=True),
        "rental_unlocked.driver": _kind("car to", urgent=True, ttl=_NOW),
        "unlock_failed.owner": _kind("driver car"),
        "unlock_failed.driver": _kind("car", urgent=True, ttl=_NOW),
        "rental_paused.owner": _kind("driver car at", ttl=_NOW),
        "rental_paused.driver": _kind("car", ttl=_NOW),
        "rental_paused_weak.driver": _kind("car", urgent=True, ttl=_NOW),
        "rental_resumed.owner": _kind("driver car at", ttl=_NOW),
        "rental_resumed.driver": _kind("car", ttl=_NOW),
        "lock_refused.driver": _kind("car reason", urgent=True, ttl=_NOW),
        "rental_ended.owner": _kind("driver car at price"),
        "rental_ended.driver": _kind("car at price", urgent=True),
        "rental_ended_weak.driver": _kind("car at price", urgent=True),
        "rental_closed_by_hand.owner": _kind("driver car at answer_by"),
        "rental_closed_by_hand.driver": _kind("car at answer_by", urgent=True),
        "rental_late.owner": _kind("driver car to", urgent=True),
        "rental_late.driver": _kind("car to", urgent=True),
        "rental_late.next_driver": _kind("car from", urgent=True, mail_after=_SOON),
        "late_forecast.owner": _kind("driver car at", urgent=True),
        "late_forecast.next_driver": _kind("car from at", urgent=True),
        "rental_swapped.driver": _kind("car from to", urgent=True),
        "rental_swapped.owner": _kind("driver car from reason"),
        "taken_instead.owner": _kind("driver car from to", urgent=True),
        "car_failed.driver": _kind("car at", urgent=True),
        "car_failed.owner": _kind("driver car at", urgent=True),
        "rental_no_show.owner": _kind("driver car from"),
        "rental_no_show.driver": _kind("car from"),
        "driver_named": _kind("driver car from to"),
        "driver_named.owner": _kind("member driver car"),
        "driver_taken_off": _kind("driver car", urgent=True),
        "driver_taken_off.owner": _kind("member driver car"),
        "driver_taken_off.driver": _kind("member car", urgent=True),
        "left_territory.driver": _kind("car country", urgent=True),
        "left_territory.owner": _kind("driver car country"),
        "extension_asked.owner": _kind("driver car to", urgent=True),
        "extension_approved.owner": _kind("driver car to"),
        "extension_approved.driver": _kind("car to", urgent=True),
        "extension_declined.driver": _kind("car to", urgent=True),
        "payment_failed.driver": _kind("car amount", channels=_BOTH, urgent=True),
        "payment_action_required.driver": _kind("car amount", urgent=True),
        "deposit_held.driver": _kind("car amount"),
        "deposit_released.driver": _kind("car amount"),
        "deposit_let_go.driver": _kind("car amount"),
        "deposit_let_go.owner": _kind("car amount"),
        "payment_done.owner": _kind("driver car amount"),
        "payment_done.driver": _kind("car amount"),
        "payment_refunded.driver": _kind("car amount"),
        "payment_written_off.driver": _kind("car amount", channels=_BOTH),
        "payment_bar_lifted.driver": _kind("car amount"),
        "payment_disputed.owner": _kind("car amount"),
        "owner_paid.owner": _kind("car amount"),
        "owner_gave_back.owner": _kind("car amount", channels=_BOTH),
        "payout_blocked.owner": _kind("car amount", channels=_BOTH),
        "payout_blocked.community": _kind("community car amount", channels=_BOTH),
        "payout_account_asks": _kind("", channels=_BOTH),
        "payout_account_asks.community": _kind("community", channels=_BOTH),
        "bank_payout_failed": _kind("amount", channels=_BOTH, urgent=True),
        "bank_payout_failed.community": _kind("community amount", channels=_BOTH, urgent=True),
        "receipt_ready": _kind("car link", channels=_MAIL),
        "box_offline.owner": _kind("car since"),
        "box_offline.driver": _kind("car since"),
        "charge_low": _kind("car charge"),
        "charge_short": _kind("car charge at", urgent=True),
        "not_plugged_in": _kind("car charge"),
        "battery_12v_low": _kind("car", urgent=True),
        "battery_12v_falling": _kind("car"),
        "tyre_soft": _kind("car"),
        "alarm_sounded": _kind("car", urgent=True, mail_after=_SOON),
        "car_carried": _kind("car", urgent=True, mail_after=_SOON),
        "door_left_open": _kind("car", urgent=True),
        "unlock_unknown.driver": _kind("car", urgent=True, ttl=_NOW),
        "opened_late.driver": _kind("car at", urgent=True),
        "note_received": _kind("sender car"),
        "damage_reported.owner": _kind("driver car"),
        "damage_unsafe.owner": _kind("sender car", channels=_BOTH, urgent=True),
        "damage_unsafe.driver": _kind("car", urgent=True),
        "review_opened": _kind("car"),
        "car_free_again": _kind(
            "car from to answer_by", channels=_BOTH, urgent=True, ttl=timedelta(minutes=30)
        ),
        "charge_requested.driver": _kind("owner car amount reason answer_by", channels=_BOTH),
        "charge_accepted.owner": _kind("driver car amount answer_by"),
        "charge_accepted.driver": _kind("owner car amount answer_by", channels=_BOTH),
        "charge_contested.owner": _kind("driver car amount reason"),
        "charge_contested.driver": _kind("owner car amount"),
        "charge_unanswered.owner": _kind("driver car amount"),
        "charge_unanswered.driver": _kind("owner car amount", channels=_BOTH),
        "charge_withdrawn.owner": _kind("car amount"),
        "charge_withdrawn.driver": _kind("owner car amount"),
        "charge_decided.owner": _kind("driver car amount reason answer_by", channels=_BOTH),
        "charge_decided.driver": _kind("owner car amount reason answer_by", channels=_BOTH),
        "charge_decided_finally.owner": _kind("driver car amount reason", channels=_BOTH),
        "charge_decided_finally.driver": _kind("owner car amount reason", channels=_BOTH),
        "charge_appealed.owner": _kind("driver car amount"),
        "charge_appealed.driver": _kind("owner car amount"),
        "hand_over_letter.driver": _kind("owner car at", channels=_BOTH),
        "claim_notified.owner": _kind("driver car at", channels=_BOTH),
        "claim_notified.driver": _kind("car at", channels=_BOTH),
        "claim_over.owner": _kind("driver car"),
        "claim_over.driver": _kind("car"),
        "claim_reopened.owner": _kind("driver car"),
        "claim_reopened.driver": _kind("car"),
        "cover_unconfirmed.owner": _kind("driver car from", urgent=True),
        "cover_unconfirmed.driver": _kind("car from", urgent=True),
        "licence_cleared.driver": _kind(""),
        "licence_refused.driver": _kind("reason", channels=_BOTH),
        "tax_details_missing": _kind("", channels=_BOTH),
        "person_suspended": _kind("", channels=_BOTH, urgent=True),
        "person_restored": _kind("", channels=_BOTH),
        "calendar_failing.owner": _kind("car since"),
        "cost_covered.owner": _kind("car amount", channels=_BOTH),
        "cost_not_stated.owner": _kind("car", channels=_BOTH),
        "car_barred.owner": _kind("car", channels=_BOTH, urgent=True),
        "car_stolen.owner": _kind("car", channels=_BOTH, urgent=True),
        "car_unbarred.owner": _kind("car", channels=_BOTH),
        "custody_looked_up.driver": _kind("owner car"),
        "cover_limit.owner": _kind("driver car from", urgent=True),
        "cover_refused.owner": _kind("driver car from"),
        "cover_refused.driver": _kind("car from", urgent=True),
        "new_sign_in": _kind("phone at", channels=_BOTH, urgent=True),
        "password_changed": _kind("at", channels=_BOTH, urgent=True),
        "phone_confirm": _kind("phone at"),
        "email_confirm": _kind("code minutes", channels=_MAIL, urgent=True),
        "password_reset": _kind("code minutes", channels=_MAIL, urgent=True),
        "email_change": _kind("code minutes", channels=_MAIL, urgent=True),
        "email_change_notice": _kind("email", channels=_MAIL, urgent=True),
        "account_exists_notice": _kind("", channels=_MAIL, urgent=True),
    }
)

URGENT: Final[frozenset[str]] = frozenset(name for name, kind in KINDS.items() if kind.urgent)

"""What there is to say: the kinds of the catalogue, and the few that are ours alone, worded in `app/kit/texts`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from notifications import kinds as catalogue
from notifications.kinds import Kind

OWN: Final[Mapping[str, Kind]] = {
    "phone_code": Kind(("code", "minutes"), frozenset({"mail"}), urgent=True),
    "payment_released.driver": Kind(("car",)),
    "lock_unknown.driver": Kind(("car",), urgent=True, ttl=timedelta(minutes=10)),
    "still_has_car.owner": Kind(("driver", "car"), urgent=True, mail_after=timedelta(minutes=15)),
}
KINDS: Final[Mapping[str, Kind]] = {**catalogue.KINDS, **OWN}
SECRET: Final = frozenset(name for name, kind in KINDS.items() if "code" in kind.params)
"""Told by mail alone: a code that the signed-in app could read would prove nothing."""
ALWAYS: Final = SECRET | {
    "invited",
    "invited_again",
    "new_sign_in",
    "password_changed",
    "phone_confirm",
    "email_change_notice",
    "account_exists_notice",
    "person_suspended",
    "person_restored",
}
"""Told by every channel of the kind, whatever the person prefers: they are about the account itself."""
EVERY: Final = timedelta(days=3)
"""How long a mail is worth sending; a push has its kind's own time."""
TOPICS: Final[Mapping[str, str]] = {
    "requests": (
        "rental_asked rental_approved rental_declined rental_withdrawn rental_lapsed extension_ car_free_again driver_named"
        " driver_taken_off"
    ),
    "rentals": (
        "rental_ booked_at_risk start_at_risk unlock_ lock_ opened_late still_has_car left_territory note_received"
        " review_opened damage_ custody_looked_up cover_ late_forecast taken_instead"
    ),
    "car": (
        "box_ charge_low charge_short not_plugged_in battery_ tyre_ alarm_ car_ door_ calendar_failing cost_"
    ),
    "money": "payment_ deposit_ owner_ payout_ bank_payout_ receipt_ready tax_details_missing charge_ hand_over_letter",
    "claims": "claim_",
    "communities": "invitation_ member_",
    "licence": "licence_",
}
"""What people choose channels for: the beginnings of their kinds, of which the longest that fits counts."""
_BY_LENGTH: Final = dict(
    sorted(
        ((begin, topic) for topic, begins in TOPICS.items() for begin in begins.split()),
        key=lambda one: -len(one[0]),
    )
)


def topic_of(kind: str) -> str | None:
    """The topic of a kind; None of those that are always told."""
    if kind in ALWAYS:
        return None
    return _BY_LENGTH[next(begin for begin in _BY_LENGTH if kind.startswith(begin))]

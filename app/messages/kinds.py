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
    "conditions_changed",
}
"""Told by every channel of the kind, whatever the person prefers: they are about the account itself."""
EVERY: Final = timedelta(days=3)
"""How long a mail is worth sending; a push has its kind's own time."""

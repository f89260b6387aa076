"""The evidence for a dispute, as text within the provider's limits: pure, from what our records say.

Limits: 20,000 characters a field and 150,000 in all (docs.stripe.com/api/disputes/update); banks read few pages, and more
than their limit is refused (dispute_evidence_page_limit_exceeded), so we stay far below.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from payments.money import Money

MOST_IN_ONE, MOST_IN_LOG = 6000, 8000
MOST_PHOTOS = 24
CUT = "[...]"


@dataclass(frozen=True, slots=True)
class Accepted:
    """Conditions by version, and when they were accepted."""

    version: str
    at: datetime | None
    words: str


@dataclass(frozen=True, slots=True)
class DoorEvent:
    """One door command: asked from which phone and when, sent, answered by the car how and when."""

    what: str
    phone: str
    asked_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Photographed:
    """A photo of the car: of which step and angle, by whom, when it reached us, and the SHA-256 of the picture."""

    step: str
    angle: str
    by: str
    at: datetime
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """A rental as our records have it."""

    rental: str
    car: str
    plate: str
    driver: str
    email: str
    booked_at: datetime
    from_at: datetime
    to_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    km: int | None
    quoted: Sequence[tuple[str, Money]]
    quoted_total: Money
    charged: Sequence[tuple[str, Money]]
    charged_total: Money | None
    accepted: Sequence[Accepted]
    doors: Sequence[DoorEvent]
    ladder: Sequence[tuple[int, int]]
    photos: Sequence[Photographed] = ()


def evidence(of: Record) -> Mapping[str, str]:
    """The provider's fields, each cut to what is read; none is empty."""
    fields = {
        "customer_name": of.driver,
        "customer_email_address": of.email,
        "service_date": (of.started_at or of.from_at).strftime("%Y-%m-%d"),
        "product_description": _product(of),
        "access_activity_log": _log(of),
        "refund_policy_disclosure": _policy(of),
        "uncategorized_text": _story(of),
    }
    most = {"access_activity_log": MOST_IN_LOG}
    return {name: _cut(text, most.get(name, MOST_IN_ONE)) for name, text in fields.items() if text}


def _product(of: Record) -> str:
    km = f", {of.km} km driven by the odometer" if of.km is not None else ""
    return (
        f"Rental {of.rental} of a car, {of.car}, number plate {of.plate}, without staff: the driver opens and locks it"
        f" with the app on a registered phone. Booked for {_at(of.from_at)} to {_at(of.to_at)},"
        f" used {_at(of.started_at)} to {_at(of.ended_at)}{km}."
    )


def _log(of: Record) -> str:
    lines = ["Door commands of this rental, as the car's box confirmed them (UTC):"]
    lines += [
        f"{_at(one.asked_at)} {one.what} asked from phone {one.phone}; sent {_at(one.sent_at)};"
        f" answered {_at(one.answered_at)}: {one.outcome}"
        for one in of.doors
    ]
    return "\n".join(lines) if of.doors else ""


def _policy(of: Record) -> str:
    lines = [f"Conditions {one.version}, accepted in the app on {_at(one.at)}." for one in of.accepted]
    lines += [
        f"Cancelled less than {hours} h before the start: {percent} % of the price is due."
        for hours, percent in of.ladder
    ]
    lines += [one.words for one in of.accepted]
    return "\n".join(lines)


def _story(of: Record) -> str:
    lines = [
        f"Price agreed before the booking on {_at(of.booked_at)}, shown line by line and frozen with it:"
    ]
    lines += [f"  {text}: {_money(amount)}" for text, amount in of.quoted]
    lines += [f"  Total: {_money(of.quoted_total)}"]
    if of.charged_total is not None:
        lines += ["Receipt after the rental, available to the driver in the app:"]
        lines += [f"  {text}: {_money(amount)}" for text, amount in of.charged]
        lines += [f"  Total: {_money(of.charged_total)}"]
    return "\n".join([*lines, *_photos(of)])


def _photos(of: Record) -> list[str]:
    if not of.photos:
        return []
    lines = ["Photos of the car, each with the instant it reached our server and the SHA-256 of its file:"]
    lines += [
        f"  {_at(one.at)} {one.step}, {one.angle}, by the {one.by}: {one.sha256}"
        for one in of.photos[:MOST_PHOTOS]
    ]
    more = len(of.photos) - MOST_PHOTOS
    return [*lines, f"  and {more} more"] if more > 0 else lines


def _money(money: Money) -> str:
    return (
        f"{money.amount // 100}.{money.amount % 100:02d} {money.currency}"
        if money.amount >= 0
        else (f"-{_money(-money)}")
    )


def _at(instant: datetime | None) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC") if instant else "not recorded"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - len(CUT)] + CUT

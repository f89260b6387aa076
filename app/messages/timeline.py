"""The timeline of a rental, read from its facts: the same for both sides, no place, no amount that is one side's alone.

Only that whoever drives next was told of the lateness is for the owner alone.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app import facts
from app.kit import i18n
from app.kit.db import session
from app.kit.facts import Fact, FactRow
from app.kit.http import Page, to_cursor, uncursor
from app.messages import delivery_log, door_commands, words
from app.messages.tell import snake
from app.rentals import access
from app.rentals.lifecycle import Role
from app.rentals.models import Rental

_DRIVER: tuple[type[Fact], ...] = (
    facts.RentalAsked,
    facts.RentalWithdrawn,
    facts.UnlockAsked,
    facts.RentalPaused,
    facts.RentalResumed,
    facts.LockAsked,
    facts.ExtensionAsked,
    facts.DriverNamed,
    facts.DriverTakenOff,
    facts.StillHasCar,
    facts.LatenessTold,
    facts.RentalSwapped,
    facts.TakenInstead,
    facts.DamageReported,
    facts.GrantIssued,
    facts.ChargeRequestAccepted,
    facts.ChargeRequestContested,
    facts.ChargeRequestAppealed,
)
_OWNER: tuple[type[Fact], ...] = (
    facts.RentalDeclined,
    facts.ExtensionDeclined,
    facts.CustodyLookedUp,
    facts.NoteWritten,
    facts.ChargeRequested,
    facts.ChargeRequestWithdrawn,
    facts.HandOverLetterRead,
)
_BOX: tuple[type[Fact], ...] = (
    facts.UnlockFailed,
    facts.RentalStarted,
    facts.LockRefused,
    facts.MeterRuns,
    facts.ChargeLow,
    facts.TyreSoft,
    facts.TwelveVoltLow,
    facts.TwelveVoltFalling,
    facts.DoorLeftOpen,
    facts.AlarmSounded,
    facts.CarCarried,
    facts.LeftTerritory,
    facts.UsedAfterAll,
)
_INSURER: tuple[type[Fact], ...] = (facts.CoverRefused, facts.ClaimNotified)
_SYSTEM: tuple[type[Fact], ...] = (
    facts.RentalBooked,
    facts.RentalLapsed,
    facts.RentalCancelled,
    facts.RentalNoShow,
    facts.RentalAboutToStart,
    facts.StartAtRisk,
    facts.CoverLimitReached,
    facts.CoverUnconfirmed,
    facts.DoorUnknown,
    facts.MeterStopped,
    facts.RentalEnded,
    facts.RentalLate,
    facts.CarFailed,
    facts.RentalSettled,
    facts.RentalExtended,
    facts.CoverBound,
    facts.CoverExtended,
    facts.CoverClosed,
    facts.CoverVoided,
    facts.PaymentHeld,
    facts.PaymentFailed,
    facts.PaymentActionRequired,
    facts.PaymentSucceeded,
    facts.PaymentReleased,
    facts.DepositLetGo,
    facts.PaymentRefunded,
    facts.PaymentDisputed,
    facts.ReceiptReady,
    facts.BoxOffline,
    facts.GrantsRevoked,
    facts.ChargeRequestUnanswered,
    facts.ChargeRequestDecided,
    facts.ChargeRequestClosed,
)
SHOWN: dict[str, str] = {
    fact.kind: by
    for by, some in (
        ("driver", _DRIVER),
        ("owner", _OWNER),
        ("box", _BOX),
        ("insurer", _INSURER),
        ("system", _SYSTEM),
    )
    for fact in some
}
"""Kind of fact -> who did it; a fact that names its actor says so itself."""
HIDDEN = {
    facts.PaymentWrittenOff.kind: "between us and the driver; the payment shows how it stands",
    facts.PaymentBarLifted.kind: "between us and the driver",
    facts.OwnerPaid.kind: "between us and the owner",
    facts.OwnerGaveBack.kind: "between us and the owner",
    facts.PayoutBlocked.kind: "between us and the owner",
    facts.CustodyRecorded.kind: "begin and end of the rental say it; a correction shows in them",
    facts.EvidenceSent.kind: "between us and the bank",
    facts.DisputeDecided.kind: "between us and the bank; the payment shows how it stands",
    facts.FraudWarned.kind: "for operators",
    facts.ChargeShort.kind: "it is about the rental that comes next, which is another's",
    facts.PhotoAdded.kind: "the list of photos says it",
    facts.ReviewsOpened.kind: "the reviews themselves are read",
    facts.AlertStands.kind: "the alert itself says it",
    facts.CoverActivated.kind: "the start says it",
    facts.CoverOverrun.kind: "the lateness says it",
    facts.CoverLeftTerritory.kind: "that the car was seen abroad says it",
    facts.CoverEndorsed.kind: "the driver who was named, or taken off, says it",
    facts.ReceiptsMissing.kind: "for operators: start and end are shown as they were taken",
    facts.ClaimChanged.kind: "amounts are the insurer's own; its end and its reopening are told",
    facts.ConfirmationRefused.kind: "the cancellation, or the end of the extension, says it",
}
"""Facts of a rental that its timeline leaves out, and why."""
BY = ("driver", "owner", "system", "box", "insurer", "operator")


def of(person: str, rental_id: str, *, limit: int, cursor: str | None) -> Page:
    """What happened, newest first. Raises NotFound for who is not of the rental."""
    rental = access.may_see(rental_id, person)
    statement = select(FactRow).where(FactRow.data["rental"].astext == rental_id, FactRow.kind.in_(SHOWN))
    if cursor:
        statement = statement.where(FactRow.seq < _seq(cursor))
    rows = session.scalars(statement.order_by(FactRow.seq.desc()).limit(limit + 1)).all()
    shown = rows[:limit]
    more = to_cursor(f"seq_{shown[-1].seq:032x}") if len(rows) > limit else None
    return Page(_events(rental, shown, to_owner=access.role_of(rental, person) is Role.OWNER), more)


def _seq(cursor: str) -> int:
    return int(uncursor(cursor, "seq").rpartition("_")[2], 16) % 2**63


def _events(rental: Rental, rows: Sequence[FactRow], *, to_owner: bool) -> list[dict[str, Any]]:
    language = i18n.reader()
    told = delivery_log.of(rental, [row.seq for row in rows], language, to_owner=to_owner)
    driver = words.first_name(rental.driver_id, language)
    commands = door_commands.shown([row.data["command"] for row in rows if row.data.get("command")], language)
    return [
        {
            "at": row.at,
            "kind": snake(row.kind),
            "by": _by(row, rental),
            "text": i18n.say(_key(row), language, driver=driver, member=_member(row, language)),
            "told_at": delivery_log.first(told[row.seq], "told_at"),
            "opened_at": delivery_log.first(told[row.seq], "opened_at"),
            "told": told[row.seq],
            "command": commands.get(row.data.get("command") or ""),
        }
        for row in rows
    ]


def _by(row: FactRow, rental: Rental) -> str:
    said = row.data.get("by")
    if said == rental.driver_id:
        return "driver"
    if row.kind == facts.RentalBooked.kind:
        return "owner" if row.data["approved_by"] else "system"
    return said if said in BY else SHOWN[row.kind]


def _member(row: FactRow, language: str) -> str | None:
    """Whom the fact is about beside the driver."""
    person = row.data.get("person")
    return words.first_name(person, language) if person else None


def _key(row: FactRow) -> str:
    if row.kind == facts.RentalEnded.kind and row.data["by"] in ("owner", "operator"):
        return "timeline.rental_ended.by_hand"
    return f"timeline.{snake(row.kind)}"

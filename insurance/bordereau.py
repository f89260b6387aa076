"""The lines of a monthly bordereau: headings of Lloyd's Coverholder Reporting Standards 5.2, then columns of our own.

Dates in the standard columns are on the clocks of the place of the risk; instants in ours are UTC. Amounts are units of
the currency with a decimal point. A column that the standard has and that we cannot know stays empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

OfCovers = Literal["risk", "premium"]
Kind = Literal["risk", "premium", "claims"]
OF_COVERS: Final[tuple[OfCovers, ...]] = ("risk", "premium")
KINDS: Final[tuple[Kind, ...]] = (*OF_COVERS, "claims")
Transaction = Literal["NB", "MTA", "CAN"]
"""New business, mid-term adjustment of what was reported before, cancellation of what turned out to be no cover."""
STANDARD: Final = (
    *(
        "Coverholder Name",
        "Unique Market Reference (UMR)",
        "Agreement Inception Date",
        "Agreement Expiry Date",
    ),
    *("Reporting Period (End Date)", "Class of Business", "Lloyd's Risk Code", "Certificate Reference"),
    *("Policy or Group Reference", "Risk, Transaction Type", "Risk Inception Date", "Risk Expiry Date"),
    *("Effective Date of Transaction", "Insured Full Name", "Insured Country", "Location of Risk - Country"),
    "Original Currency",
)
AMOUNTS: Final[Mapping[OfCovers, tuple[str, ...]]] = {
    "risk": ("Sum Insured",),
    "premium": (
        *("Total Gross Written Premium", "Coverholder Commission Amount", "Total Taxes Payable Locally"),
        "Net Written Premium to London in Original Currency",
    ),
}
OURS: Final = (
    *(
        "cover_id",
        "cover_version",
        "state",
        "cover_from_utc",
        "cover_to_utc",
        "own_damage_to_utc",
        "plate",
        "vin",
    ),
    *("driver_ref", "odometer_start_km", "odometer_end_km", "covered_minutes", "charged_minutes"),
    *("master_policy_version", "end_evidence", "recorded_at_utc", "log_position", "zone"),
)
LATER: Final[Mapping[OfCovers, tuple[str, ...]]] = {
    "risk": ("named_drivers",),
    "premium": ("charged_km", "km_from"),
}
"""Headings of ours that came later; a month that was closed before does not have them."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What a cover was reported as before, by its version; `premium` in minor units, None while it had none."""

    version: int
    premium: int | None
    voided: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One cover in one bordereau. `cover` is the version as insurers read it, `policy` the master policy's JSON."""

    cover: Mapping[str, Any]
    policy: Mapping[str, Any]
    sum_insured: int | None
    position: int
    zone: str
    coverholder: str
    month_end: date
    before: Reported | None = None

    @property
    def transaction(self) -> Transaction:
        if self.cover["state"] == "void":
            return "CAN"
        return "NB" if self.before is None or self.before.voided else "MTA"

    @property
    def premium(self) -> int | None:
        """What the cover costs by now, minor units; None while it is out."""
        told: Mapping[str, Any] | None = self.cover["premium"]
        return 0 if self.cover["state"] == "void" else None if told is None else int(told["amount"])

    @property
    def written(self) -> int:
        """What is to be added to the premium reported before."""
        return (self.premium or 0) - ((self.before.premium if self.before else None) or 0)

    def belongs(self, kind: OfCovers) -> bool:
        """A void cover that was not reported as one is no risk; what costs the same as before is no premium."""
        if self.cover["state"] == "void" and (self.before is None or self.before.voided):
            return False
        if kind == "risk":
            return True
        told = self.before is not None and self.before.premium is not None
        return self.premium is not None and (not told or self.written != 0)


def columns(kind: OfCovers) -> tuple[str, ...]:
    """The headings in their order; new ones are only ever added at the end."""
    return (*STANDARD, *AMOUNTS[kind], *OURS, *LATER[kind])


def row(line: Line, kind: OfCovers) -> dict[str, str | int | None]:
    """Heading to value."""
    cover, policy = line.cover, line.policy
    begin, end = local(cover["from"], line.zone), local(cover["to"], line.zone)
    standard = (
        line.coverholder,
        policy["number"],
        local(policy["valid_from"], line.zone),
        local(policy["valid_to"], line.zone),
        line.month_end.isoformat(),
        "Motor",
        None,
        cover["certificate"],
        policy["number"],
        line.transaction,
        begin,
        end,
        begin if line.transaction == "NB" else local(cover["recorded_at"], line.zone),
        policy["policyholder"],
        cover["car"]["country"],
        cover["car"]["country"],
        policy["currency"],
    )
    ours = (
        cover["id"],
        cover["version"],
        cover["state"],
        cover["from"],
        cover["to"],
        cover["own_damage"]["to"],
        cover["car"]["plate"],
        cover["car"]["vin"],
        cover["driver_ref"],
        cover["odometer_start_km"],
        cover["odometer_end_km"],
        cover["covered_minutes"],
        cover["charged_minutes"],
        cover["master_policy"]["version"],
        cover["end_evidence"],
        cover["recorded_at"],
        line.position,
        line.zone,
    )
    amounts: tuple[str | None, ...] = (units(line.sum_insured),)
    if kind == "premium":
        amounts = (units(line.written), units(0), None, units(line.written))
    return dict(zip(columns(kind), (*standard, *amounts, *ours, *_later(cover, kind)), strict=True))


def _later(cover: Mapping[str, Any], kind: OfCovers) -> tuple[str | int | None, ...]:
    """A version recorded before there were such things does not have them."""
    if kind == "risk":
        return (len({one["driver_ref"] for one in cover.get("named_drivers", ())}),)
    return (cover.get("charged_km"), cover.get("km_from"))


def local(at: str | None, zone: str) -> str | None:
    """The day of an instant on the clocks of a place."""
    return None if at is None else datetime.fromisoformat(at).astimezone(ZoneInfo(zone)).date().isoformat()


def units(minor: int | None) -> str | None:
    """1250 as 12.50: all three currencies have two decimals."""
    if minor is None:
        return None
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100}.{abs(minor) % 100:02d}"

"""The lines of a claims bordereau: the 32 columns of Lloyd's list as public code shows them, then columns of our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from insurance.bordereau import local, units
from insurance.claim import CLOSED_THIS_MONTH, STATUSES

STANDARD: Final = (
    *("Unique Claim Reference (UCR)", "Coverholder Name", "Unique Market Reference (UMR)"),
    *("Agreement Inception Date", "Agreement Expiry Date", "Reporting Period (End Date)"),
    *("Lloyd's Risk Code", "Original Currency", "Certificate Reference", "Claim Reference / Number"),
    *("Insured Full Name", "Insured Country", "Risk Inception Date", "Risk Expiry Date"),
    *("Location of Loss - Country", "Loss Description", "Date Claim First Advised", "Claim Status"),
    *("Refer to Underwriters", "Denial", "Claimant Name", "Amount Claimed"),
    *("Paid This Month - Indemnity", "Paid This Month - Fees"),
    *("Previously Paid - Indemnity", "Previously Paid - Fees", "Reserve - Indemnity", "Reserve - Fees"),
    *("Total Incurred - Indemnity", "Total Incurred - Fees", "Date Claim Opened", "Date Closed"),
)
OURS: Final = (
    *("claim_id", "claim_version", "cover_id", "Date of Loss (From)", "occurred_at_utc", "plate", "vin"),
    *("driver_ref", "master_policy_version", "recorded_at_utc", "log_position", "zone"),
)
COLUMNS: Final = (*STANDARD, *OURS)
"""In their order; new ones are only ever added at the end."""
_OF: Final = ("indemnity", "fees")


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """One claim in one bordereau: its version and the cover's as the insurer reads them.

    `told` is what all lines before have shown as paid, in minor units.
    """

    claim: Mapping[str, Any]
    cover: Mapping[str, Any]
    policy: Mapping[str, Any]
    position: int
    zone: str
    coverholder: str
    month_end: date
    told: Mapping[str, int]

    @property
    def status(self) -> str:
        """In Lloyd's words; what was closed in the month says so."""
        over = local(self.claim["over_at"], self.zone)
        if self.claim["status"] == "closed" and over and over[:7] == self.month_end.isoformat()[:7]:
            return CLOSED_THIS_MONTH
        return STATUSES[self.claim["status"]]


def row(line: ClaimLine) -> dict[str, str | int | None]:
    """Heading to value."""
    claim, cover, policy = line.claim, line.cover, line.policy
    advised = local(claim["notified_at"], line.zone)
    standard = (
        None,
        line.coverholder,
        policy["number"],
        local(policy["valid_from"], line.zone),
        local(policy["valid_to"], line.zone),
        line.month_end.isoformat(),
        None,
        claim["currency"],
        cover["certificate"],
        claim["reference"],
        policy["policyholder"],
        cover["car"]["country"],
        local(cover["from"], line.zone),
        local(cover["to"], line.zone),
        None,
        claim["text"],
        advised,
        line.status,
        None,
        "Y" if claim["denied"] else "N",
        None,
        None,
        *(units(claim["paid"][of] - line.told[of]) for of in _OF),
        *(units(line.told[of]) for of in _OF),
        *(units(claim["reserve"][of]) for of in _OF),
        *(units(claim["incurred"][of]) for of in _OF),
        advised,
        local(claim["over_at"], line.zone),
    )
    ours = (
        claim["id"],
        claim["version"],
        claim["cover"],
        local(claim["occurred_at"], line.zone),
        claim["occurred_at"],
        cover["car"]["plate"],
        cover["car"]["vin"],
        cover["driver_ref"],
        cover["master_policy"]["version"],
        claim["changed_at"],
        line.position,
        line.zone,
    )
    return dict(zip(COLUMNS, (*standard, *ours), strict=True))

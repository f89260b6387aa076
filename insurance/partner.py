"""What we ask of an insurer: take note of a cover, and tell whether it is confirmed.

InsurerError
├── InsurerUnavailable  down or busy: surely not taken, try again later
├── InsurerUnknown      no answer came: it may be taken, report the same again
├── InsurerRefused      it will not insure this: the given cover stands, future ones are blocked
├── InsurerMismatch     it holds something else under this cover and version: a person must look
└── InsurerRejected     our request or credentials are wrong: an operator must look
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, Protocol

from insurance.period import KmFrom, Span

CoverState = Literal["conditional", "bound", "active", "closed", "void"]
Decision = Literal["accepted", "pending"]


@dataclass(frozen=True, slots=True)
class InsuredCar:
    """The car as its insurer knows it; no position, no battery data."""

    plate: str
    country: str
    vin: str
    make: str
    model: str


@dataclass(frozen=True, slots=True)
class NamedDriver:
    """A driver insured besides who booked, by pseudonym, and from when to when."""

    driver_ref: str
    insured: Span


@dataclass(frozen=True, slots=True)
class SeenAbroad:
    """A country outside the policy's territory in which the car was seen, and when first; not where in it."""

    country: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Premium:
    """What the cover costs us, in minor units."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class CoverReport:
    """One version of one cover, complete: a later version replaces it, so order does not matter.

    A `conditional` report asks the insurer to confirm the planned span ahead (`confirm_first`). Drivers are
    pseudonyms. `recorded_at` is when we recorded this version; spans are UTC and half-open.
    """

    cover: str
    version: int
    state: CoverState
    policy_number: str
    country: str
    car: InsuredCar
    driver_ref: str
    planned: Span
    liability: Span
    own_damage: Span
    recorded_at: datetime
    covered_minutes: int | None = None
    charged_minutes: int | None = None
    charged_km: int | None = None
    km_from: KmFrom | None = None
    premium: Premium | None = None
    end_evidence: str | None = None
    named_drivers: tuple[NamedDriver, ...] = ()
    left_territory: tuple[SeenAbroad, ...] = ()


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The insurer holds this version; `accepted` is final, `pending` is to be read again."""

    cover: str
    version: int
    decision: Decision
    reference: str
    at: datetime


class InsurerError(Exception):
    """An insurer did not, or perhaps did not, take a report."""

    may_have_acted: ClassVar[bool] = False
    temporary: ClassVar[bool] = False


class InsurerUnavailable(InsurerError):
    """Down or busy; `retry_after` in seconds where it said so."""

    temporary: ClassVar[bool] = True

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class InsurerUnknown(InsurerError):
    """The report went out and no answer came back."""

    may_have_acted: ClassVar[bool] = True
    temporary: ClassVar[bool] = True


class InsurerRefused(InsurerError):
    """The insurer declines the risk; `code` is its reason."""

    def __init__(self, reason: str, *, code: str) -> None:
        super().__init__(reason)
        self.code = code


class InsurerMismatch(InsurerError):
    """What the insurer holds is not what we reported; `fields` names the difference."""

    may_have_acted: ClassVar[bool] = True

    def __init__(self, reason: str, *, fields: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.fields = fields


class InsurerRejected(InsurerError):
    """The insurer cannot read our request or does not know us."""


class Insurer(Protocol):
    """One insurer. Its time never sits inside a database transaction of ours."""

    def report(self, report: CoverReport) -> Acknowledgement:
        """Tell one version of a cover; the same again has one effect and the same answer."""
        ...

    def read(self, cover: str, version: int) -> Acknowledgement | None:
        """What became of a report; None when the insurer never got it."""
        ...

    def keep_head(self, number: int, signed: str) -> None:
        """Hand over a signed head of the log to keep; the same again has one effect."""
        ...

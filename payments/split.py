"""Who gets what of a captured amount: owner, insurer, platform and the tax inside the platform's fee."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any, Self

from payments.money import Money

WHOLE = 10_000
"""Shares are hundredths of a percent."""


@dataclass(frozen=True, slots=True)
class ShareTable:
    """Frozen with the quote: hundredths of a percent for insurer and platform, the owner has the rest.

    `vat_rate` is the rate (2000 is 20 %) of the tax that the platform's share contains.
    """

    insurer: int
    platform: int
    vat_rate: int = 0

    def __post_init__(self) -> None:
        if any(type(value) is not int or value < 0 for value in (self.insurer, self.platform, self.vat_rate)):
            raise ValueError("shares are whole numbers from 0")
        if self.insurer + self.platform > WHOLE:
            raise ValueError("insurer and platform cannot have more than all")

    def to_dict(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Shares:
    """The parts of one amount; they add up to it exactly."""

    owner: Money
    insurer: Money
    platform: Money
    vat: Money

    @property
    def total(self) -> Money:
        return self.owner + self.insurer + self.platform + self.vat

    def to_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name).to_dict() for field in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(*(Money.from_dict(data[field.name]) for field in fields(cls)))

    def __sub__(self, other: "Shares") -> "Shares":
        return Shares(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))


def split_captured(amount: Money, table: ShareTable, energy: Money | None = None) -> Shares:
    """Shares by largest remainder; the tax is taken out of the platform's part, half-up.

    As much of the amount as is `energy` is the owner's undivided: it makes good what the energy cost them.
    """
    undivided = min(energy, amount) if energy is not None else Money.zero(amount.currency)
    rest = WHOLE - table.insurer - table.platform
    owner, insurer, fee = (amount - undivided).split((rest, table.insurer, table.platform))
    vat = fee.share(Fraction(table.vat_rate, WHOLE + table.vat_rate))
    return Shares(owner + undivided, insurer, fee - vat, vat)


def split_refund(refund: Money, remaining: Shares) -> Shares:
    """Who gives back what of a refund, in proportion to what each still has.

    Nobody gives more than that, and the refund that empties the payment empties every share.
    """
    left = remaining.total
    if not 0 <= refund.amount <= left.amount:
        raise ValueError(f"a refund is between 0 and the {left.amount} that remain")
    if not refund:
        return Shares(*(Money.zero(refund.currency) for _ in fields(Shares)))
    weights = [getattr(remaining, field.name).amount for field in fields(Shares)]
    return Shares(*refund.split(weights))

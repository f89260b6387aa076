"""The words of a price: what a membership pays, the terms that touch the price, its lines and their sum."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Literal, Self, cast

from payments.money import Currency, Money

LineCode = Literal["time", "day_cap", "km", "minimum", "early_return", "late_fee", "cost_covered", "energy"]


class Fare(StrEnum):
    """What a membership pays."""

    FREE = "free"
    AT_COST = "at_cost"
    PRICED = "priced"


@dataclass(frozen=True, slots=True)
class CancellationStep:
    """Cancelled fewer than `hours_before` hours before the start: `percent` of the rent is owed."""

    hours_before: int
    percent: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """The terms that touch the price, in minor units of `currency` (None: free); a `day_cap` of None is
    none.
    """

    currency: Currency | None = None
    hour: int = 0
    day_cap: int | None = None
    km_included_per_day: int = 0
    per_km: int = 0
    minimum: int = 0
    late_fee: int = 0
    late_grace_min: int = 30
    deposit: int = 0
    cleaning: int = 0
    refuel: int = 0
    per_kwh: int = 0
    cancellation: tuple[CancellationStep, ...] = ()
    early_return_percent: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in {"currency", "cancellation"} or (field.name == "day_cap" and value is None):
                continue
            if type(value) is not int or value < 0:
                raise ValueError(f"{field.name} is a whole number from 0, not {value!r}")
        if any(not 0 <= step.percent <= 100 or step.hours_before < 0 for step in self.cancellation):
            raise ValueError("a cancellation step has hours from 0 and 0 to 100 percent")
        if self.early_return_percent > 100:
            raise ValueError("early_return_percent is at most 100")

    def money(self, amount: int) -> Money:
        """An amount of this tariff; where all is free a zero must still have a currency, and it is EUR."""
        return Money(amount, self.currency or "EUR")

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "cancellation": [asdict(step) for step in self.cancellation]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        steps = tuple(CancellationStep(**step) for step in data.get("cancellation", ()))
        return cls(**{**data, "cancellation": steps})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a price; `quantity` in `unit` ("min", "km", "Wh", "rental").

    Only `early_return` and `cost_covered` are negative.
    """

    code: LineCode
    quantity: int
    unit: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Price:
    """Lines and their sum."""

    lines: tuple[Line, ...]
    total: Money

    @classmethod
    def of(cls, tariff: Tariff, lines: tuple[Line, ...]) -> Self:
        return cls(lines, sum((line.amount for line in lines), tariff.money(0)))

    @property
    def energy(self) -> Money:
        """What is paid for energy, which is nobody's income: it is what the energy cost."""
        zero = Money.zero(self.total.currency)
        return sum((line.amount for line in self.lines if line.code == "energy"), zero)

    @property
    def rent(self) -> Money:
        """What is paid for the car: all but the energy."""
        return self.total - self.energy

    def to_dict(self) -> dict[str, Any]:
        lines = [{**asdict(line), "amount": line.amount.to_dict()} for line in self.lines]
        return {"lines": lines, "total": self.total.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        lines = tuple(
            Line(
                cast("LineCode", line["code"]),
                line["quantity"],
                line["unit"],
                Money.from_dict(line["amount"]),
            )
            for line in data["lines"]
        )
        price = cls(lines, Money.from_dict(data["total"]))
        if sum((line.amount for line in lines), Money.zero(price.total.currency)) != price.total:
            raise ValueError("the lines of a frozen price do not add up to its total")
        return price

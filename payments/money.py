"""An amount of money: whole minor units of one currency, never a float."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Literal, Self, cast, get_args

Currency = Literal["EUR", "GBP", "CHF"]
CURRENCIES: tuple[Currency, ...] = get_args(Currency)

CURRENCY_OF: Mapping[str, Currency] = MappingProxyType(
    {
        "FR": "EUR",
        "DE": "EUR",
        "BE": "EUR",
        "IT": "EUR",
        "ES": "EUR",
        "PT": "EUR",
        "NL": "EUR",
        "AT": "EUR",
        "GB": "GBP",
        "CH": "CHF",
    }
)
"""Country (ISO 3166-1 alpha-2) to the currency its cars are priced in."""

LEAST: Mapping[str, int] = MappingProxyType({"EUR": 50, "GBP": 30, "CHF": 50})
"""The least that a card can be asked for, in minor units: Stripe refuses to hold, charge or capture less (docs.stripe.com,
"Supported currencies", minimum charge amounts). Giving back and sending to an owner know no least.
"""


class CurrencyMismatchError(ValueError):
    """Two currencies met in one sum or comparison."""


def half_up(value: Fraction) -> int:
    """The nearest whole number; a half goes away from zero, so that -x mirrors x."""
    doubled = abs(value) * 2
    rounded = (doubled.numerator + doubled.denominator) // (2 * doubled.denominator)
    return rounded if value >= 0 else -rounded


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` in minor units (cents, pence, Rappen) of `currency`; all three have two decimals."""

    amount: int
    currency: Currency

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise TypeError(f"an amount is a whole number of minor units, not {self.amount!r}")
        if self.currency not in CURRENCIES:
            raise ValueError(f"unknown currency {self.currency!r}")

    @classmethod
    def zero(cls, currency: Currency) -> Self:
        return cls(0, currency)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(data["amount"], cast("Currency", data["currency"]))

    def to_dict(self) -> dict[str, Any]:
        return {"amount": self.amount, "currency": self.currency}

    @property
    def is_too_little(self) -> bool:
        """More than nothing, and less than a card can be asked for."""
        return 0 < self.amount < LEAST[self.currency]

    def to_hold(self) -> "Money":
        """What to hold for it: nothing for nothing, else at least what a card can be asked for."""
        return Money(LEAST[self.currency], self.currency) if self.is_too_little else self

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __mul__(self, times: int) -> "Money":
        if type(times) is not int:
            raise TypeError("money is multiplied by whole numbers; use percent or share for parts")
        return Money(self.amount * times, self.currency)

    __rmul__ = __mul__

    def __bool__(self) -> bool:
        return self.amount != 0

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.amount >= self._same(other)

    def percent(self, percent: int) -> "Money":
        """That many hundredths of it, rounded half-up."""
        return self.share(Fraction(percent, 100))

    def share(self, part: Fraction) -> "Money":
        """That part of it, rounded half-up to the minor unit."""
        return Money(half_up(self.amount * part), self.currency)

    def split(self, weights: Sequence[int]) -> tuple["Money", ...]:
        """Parts in proportion to `weights` that add up exactly; what is left over goes to the largest
        remainders.

        Equal remainders are served from the left: 10001 over 70, 15, 15 is 7001, 1500, 1500.
        """
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise ValueError("weights are not negative and one of them is above zero")
        sign = -1 if self.amount < 0 else 1
        shares = [divmod(abs(self.amount) * weight, total) for weight in weights]
        parts = [whole for whole, _ in shares]
        order = sorted(range(len(parts)), key=lambda index: -shares[index][1])
        for index in order[: abs(self.amount) - sum(parts)]:
            parts[index] += 1
        return tuple(Money(sign * part, self.currency) for part in parts)

    def _same(self, other: "Money") -> int:
        if not isinstance(other, Money):
            raise TypeError(f"money and {type(other).__name__} do not mix")
        if other.currency != self.currency:
            raise CurrencyMismatchError(f"{self.currency} and {other.currency} do not mix")
        return other.amount

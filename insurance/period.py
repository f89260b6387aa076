"""Which span of a rental counts for the insurer: half-open [from, to), UTC, milliseconds."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open [from_at, to_at), `to_at` None while it is open; UTC, cut to the millisecond."""

    from_at: datetime
    to_at: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "from_at", to_ms(self.from_at))
        if self.to_at is not None:
            object.__setattr__(self, "to_at", to_ms(self.to_at))
            if self.to_at < self.from_at:
                raise ValueError("a span cannot end before it begins")

    def holds(self, at: datetime) -> bool:
        """Whether the instant lies inside; the end itself does not."""
        return self.from_at <= at and (self.to_at is None or at < self.to_at)


def to_ms(at: datetime) -> datetime:
    """The same instant in UTC, cut to the millisecond; naive ones are refused."""
    if at.tzinfo is None:
        raise ValueError("an instant needs an offset")
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)

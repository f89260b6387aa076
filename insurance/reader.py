"""Read a JSON object field by field, so that a mistake in it is named where it stands."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

T = TypeVar("T")
_REQUIRED: Final = object()
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


class Invalid(ValueError):
    """What was read cannot be used; `errors` are (JSON pointer, reason)."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{pointer}: {reason}" for pointer, reason in errors))
        self.errors = tuple(errors)


class Fields:
    """One object; every `take` that fails is noted, and unknown fields too."""

    def __init__(self, value: Any, at: str, errors: list[tuple[str, str]]) -> None:
        self._at = at
        self._errors = errors
        self._rest: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {}
        if not isinstance(value, Mapping):
            errors.append((at or "/", "is to be an object"))

    def take(self, name: str, read: Callable[[Any], T], default: Any = _REQUIRED) -> T:
        """The field as `read` makes it; its default when absent. After an error the value is unusable."""
        if name not in self._rest:
            if default is _REQUIRED:
                self.note(name, "is missing")
            return default  # type: ignore[no-any-return]
        try:
            return read(self._rest.pop(name))
        except (TypeError, ValueError) as wrong:
            self.note(name, str(wrong))
            return default  # type: ignore[no-any-return]

    def object(self, name: str) -> "Fields":
        """A nested object."""
        if name not in self._rest:
            self.note(name, "is missing")
            return Fields({}, f"{self._at}/{name}", [])
        return Fields(self._rest.pop(name), f"{self._at}/{name}", self._errors)

    def note(self, name: str, reason: str) -> None:
        self._errors.append((f"{self._at}/{name}", reason))

    def end(self) -> None:
        """What is left was not asked for: a misspelt limit must not pass as no limit."""
        for name in self._rest:
            self.note(str(name), "is not known here")


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is to be a text")
    return value


def number(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"is to be a whole number from {least} to {most}")
        return value

    return read


def optional(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else read(value)


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("is to be true or false")
    return value


def word(*words: str) -> Callable[[Any], Any]:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"is to be one of {', '.join(words)}")
        return str(value)

    return read


def instant(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("is to be an RFC 3339 instant") from None
    if at.tzinfo is None:
        raise ValueError("needs an offset, like 2026-01-01T00:00:00Z")
    return at


def country(value: Any) -> str:
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise ValueError("is to be an ISO 3166-1 country of two capitals")
    return value


def currency(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise ValueError("is to be an ISO 4217 currency of three capitals")
    return value


def several(read: Callable[[Any], T]) -> Callable[[Any], frozenset[T]]:
    """A list of at least one, each different."""

    def read_all(value: Any) -> frozenset[T]:
        if not isinstance(value, list) or not value:
            raise ValueError("is to be a list of at least one")
        found = frozenset(read(item) for item in value)
        if len(found) != len(value):
            raise ValueError("names one thing twice")
        return found

    return read_all

"""The types of the contract as marshmallow fields; each writes its limits into openapi.yaml."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import available_timezones

from marshmallow import Schema, ValidationError, fields, validate

from app.kit.clock import z

PLAIN = r"^[^\x00-\x1f\x7f-\x9f]*$"
LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
COUNTRIES = ("FR", "DE", "BE", "IT", "ES", "PT", "NL", "AT", "GB", "CH")
CURRENCIES = ("EUR", "GBP", "CHF")


class Shape(validate.Regexp):
    """The whole text matches; Python's `$` alone would let a line feed through at the end."""

    def __call__(self, value: Any) -> Any:
        if self.regex.fullmatch(value) is None:
            raise ValidationError(self.error)
        return value


class Text(fields.String):
    """A string of limited length without control characters or lone surrogates, given back unchanged."""

    def __init__(
        self, longest: int, *, shortest: int = 1, lines: bool = False, pattern: str = "", **kwargs: Any
    ) -> None:
        checks: list[Any] = [validate.Length(min=shortest, max=longest)]
        checks.append(Shape(pattern or (LINES if lines else PLAIN), error="Has characters not allowed here."))
        kwargs["validate"] = [*checks, *([kwargs["validate"]] if "validate" in kwargs else [])]
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if any(unicodedata.category(char) == "Cs" for char in text):
            raise ValidationError("Has a lone surrogate.")
        return text


def line(longest: int, **kwargs: Any) -> Text:
    """s80 and its like: one line with something to read in it."""

    def not_blank(text: str) -> None:
        if not text.strip():
            raise ValidationError("Must not be blank.")

    return Text(longest, validate=not_blank, **kwargs)


class Whole(fields.Integer):
    """An integer within limits."""

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        kwargs.setdefault("strict", True)
        metadata = {"format": "int32" if most < 2**31 else "int64", **kwargs.pop("metadata", {})}
        super().__init__(validate=validate.Range(min=least, max=most), metadata=metadata, **kwargs)

    def _validated(self, value: Any) -> Any:
        if isinstance(value, bool):
            raise self.make_error("invalid")
        return super()._validated(value)


_DIGITS = re.compile(r"-?[0-9]{1,18}")


class Count(Whole):
    """An integer in a query string, in plain digits."""

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(least, most, strict=False, **kwargs)

    def _validated(self, value: Any) -> Any:
        if not _DIGITS.fullmatch(str(value)):
            raise self.make_error("invalid")
        return super()._validated(value)


class Query(dict[str, str]):
    """The parameters of a query string, each of which was given once."""


class Flag(fields.Boolean):
    """true or false, nothing that merely looks like it; in a query string the same two words."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        del attr, kwargs
        in_query = isinstance(data, Query)
        if value is True or (in_query and value == "true"):
            return True
        if value is False or (in_query and value == "false"):
            return False
        raise self.make_error("invalid", input=value)


class Number(fields.Float):
    """A finite decimal within limits."""

    def __init__(self, least: float, most: float, **kwargs: Any) -> None:
        super().__init__(
            validate=validate.Range(min=least, max=most), metadata={"format": "double"}, **kwargs
        )

    def _validated(self, value: Any) -> Any:
        if isinstance(value, bool | str):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class OneOf(fields.String):
    """One of a few words."""

    def __init__(self, words: Sequence[str], **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf(list(words)), **kwargs)


class Many(fields.List[Any]):
    """A list of limited length."""

    def __init__(self, inner: Any, most: int, **kwargs: Any) -> None:
        least = kwargs.pop("least", 0)
        super().__init__(inner, validate=validate.Length(min=least, max=most), **kwargs)


class PublicIdField(fields.String):
    """A public id of one kind."""

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        super().__init__(
            validate=[
                validate.Length(max=len(prefix) + 33),
                Shape(rf"^{prefix}_[0-9a-f]{{32}}$", error=f"Not an id of the form {prefix}_..."),
            ],
            **kwargs,
        )


_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")


class Instant(fields.String):
    """RFC 3339 with its offset; finer than a millisecond is cut; answered in Z."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            metadata={"format": "date-time", "maxLength": 40, "example": "2027-03-01T09:00:00.000Z"}, **kwargs
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not _INSTANT.fullmatch(text):
            raise ValidationError("Not an instant such as 2027-03-01T09:00:00+01:00; the offset is required.")
        try:
            found = datetime.fromisoformat(_cut(text.upper())).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise ValidationError("Not an instant that exists.") from error
        if not 2000 <= found.year <= 2200:
            raise ValidationError("Must lie between 2000 and 2200.")
        return found

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if isinstance(value, datetime):
            return z(value)
        return super()._serialize(value, attr, obj, **kwargs)


def _cut(text: str) -> str:
    return re.sub(r"\.(\d{1,3})\d*", lambda m: "." + m[1].ljust(3, "0"), text)


class Day(fields.Date):
    """A date, YYYY-MM-DD."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            format="iso", metadata={"format": "date", "maxLength": 10, "example": "2027-03-01"}, **kwargs
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ValidationError("Not a date such as 2027-03-01.")
        found: date = super()._deserialize(value, attr, data, **kwargs)
        if not 1900 <= found.year <= 2200:
            raise ValidationError("Must lie between 1900 and 2200.")
        return found


_LOCAL = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$"


class LocalTime(fields.String):
    """A wall time without offset, in the car's zone."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"maxLength": 19, "pattern": _LOCAL, "example": "2027-03-01T09:00"}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not re.fullmatch(_LOCAL, text):
            raise ValidationError("Not a wall time such as 2027-03-01T09:00, without offset.")
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValidationError("Not a time that exists.") from error
        if not 2000 <= found.year <= 2200:
            raise ValidationError("Must lie between 2000 and 2200.")
        return found

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat(timespec="seconds" if value.second else "minutes")
        return super()._serialize(value, attr, obj, **kwargs)


class Country(OneOf):
    """One of the ten countries we serve."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(COUNTRIES, **kwargs)


class AnyCountry(fields.String):
    """Any country, ISO 3166-1 alpha-2."""

    def __init__(self, **kwargs: Any) -> None:
        checks = [
            validate.Length(equal=2),
            Shape(r"^[A-Z]{2}$", error="Not an ISO 3166-1 code such as FR."),
        ]
        super().__init__(validate=checks, **kwargs)


def language(**kwargs: Any) -> Text:
    """A BCP 47 tag."""
    return Text(35, shortest=2, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}$", **kwargs)


def email(**kwargs: Any) -> Text:
    """An e-mail address."""
    return Text(
        254,
        shortest=3,
        pattern=r'^[^@\s\x00-\x1f\x7f-\x9f<>()\[\]\\,;:"]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$',
        **kwargs,
    )


class Zone(fields.String):
    """An IANA time zone."""

    def __init__(self, **kwargs: Any) -> None:
        checks: list[Any] = [validate.Length(max=40), Shape(r"^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$"), _known_zone]
        super().__init__(validate=checks, metadata={"example": "Europe/Paris"}, **kwargs)


def _known_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError("Not an IANA time zone such as Europe/Paris.")


class Strict(Schema):
    """Base of every schema: unknown fields are refused, order is kept."""

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """A field of a dict is its key alone: one named `keys` or `items` is never the dict's own method."""
        return obj.get(attr, default) if isinstance(obj, dict) else super().get_attribute(obj, attr, default)


class MoneySchema(Strict):
    """An amount in minor units."""

    amount = Whole(-(10**12), 10**12, required=True, metadata={"example": 1250})
    currency = OneOf(CURRENCIES, required=True)


class MoneyIn(Strict):
    """An amount in minor units, not negative."""

    amount = Whole(0, 10**10, required=True, metadata={"example": 1250})
    currency = OneOf(CURRENCIES, required=True)


class PlaceSchema(Strict):
    """A point; `exact` is false where it is rounded to about 500 m."""

    lat = Number(-90, 90, required=True)
    lon = Number(-180, 180, required=True)
    label = Text(120, shortest=0)
    exact = Flag(dump_only=True)


class SpanSchema(Strict):
    """A half-open span of instants [from, to)."""

    from_ = Instant(required=True, data_key="from")
    to = Instant(required=True)


class Paging(Strict):
    """The query of every list."""

    limit = Count(1, 100, load_default=50)
    cursor = Text(200, pattern=r"^[A-Za-z0-9_-]*$", load_default=None)

"""What we say: a kind of message put into the words, dates and money of its reader."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_skeleton, format_time
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision

from notifications.kinds import KINDS, SHAPES, URGENT, Channel, Kind, Shape
from notifications.sentences import LANGUAGES, sentence

__all__ = ["KINDS", "LANGUAGES", "URGENT", "Channel", "Kind", "MissingParam", "Text", "render", "template"]

FALLBACK: Final = "en"
# English without a country is written as in Great Britain: Glovebox lives in Europe, with a 24 hour clock.
_HOME: Final = {one: f"{one}-{one.upper()}" for one in LANGUAGES} | {"en": "en-GB"}


class MissingParam(KeyError):
    """A message was asked for without something its sentence needs."""


@dataclass(frozen=True, slots=True)
class Text:
    """A message in one language; the title is a mail's subject."""

    title: str
    body: str


def render(kind: str, language: str, params: Mapping[str, Any]) -> Text:
    """The message in the reader's language, dates in `params["zone"]` (the car's), money as read there.

    `language` is BCP 47: an unknown one falls back to English, `de-AT` reads German written the Austrian
    way. A sentence that counts has the form of its language for so many. Money is {"amount": minor units,
    "currency": code}, instants are aware, percents whole numbers.
    A missing parameter raises MissingParam, a wrongly shaped one TypeError, an unknown kind KeyError.
    """
    needed = KINDS[kind].params
    missing = [name for name in needed if name not in params]
    if missing:
        raise MissingParam(f"{kind} needs {', '.join(missing)}")
    locale = _locale(language)
    zone = _zone(params["zone"]) if "zone" in needed else None
    words = {
        name: _written(SHAPES[name], params[name], locale, zone, name) for name in needed if name != "zone"
    }
    count = next((params[name] for name in needed if SHAPES.get(name) == "count"), 2)
    open_ = template(kind, locale.language, count)
    return Text(open_.title.format_map(words), open_.body.format_map(words))


def template(kind: str, language: str, count: int = 2) -> Text:
    """The sentences of a kind with their gaps open, in the form for so many."""
    return Text(sentence(f"{kind}.title", language, count), sentence(f"{kind}.body", language, count))


@cache
def _locale(language: str) -> Locale:
    """The reader's locale; its language is always one we have texts in."""
    base = language.replace("_", "-").split("-")[0].lower()
    if base not in LANGUAGES:
        return _locale(FALLBACK)
    tag = _HOME[base] if language.lower() == base else language.replace("_", "-")
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(_HOME[base], sep="-")


def _written(shape: Shape, value: Any, locale: Locale, zone: ZoneInfo | None, name: str) -> str:
    match shape, value:
        case "text", str():
            # Names are free text: a line break in one must not become a line of ours, or a mail header.
            return " ".join(value.split())
        case "money", {"amount": int() as amount, "currency": str() as currency}:
            return money(amount, currency, locale)
        case "instant", datetime() if value.tzinfo is not None and zone is not None:
            return _instant(value, zone, locale)
        case "percent", int() if not isinstance(value, bool):
            return format_percent(Decimal(value) / 100, locale=locale)
        case "count", int() if not isinstance(value, bool):
            return format_decimal(value, locale=locale)
        case _:
            raise TypeError(f"{name} is to be a {shape}, not {type(value).__name__}")


def money(amount: int, currency: str, locale: Locale) -> str:
    """Minor units as the reader writes money, with that language's no-break spaces."""
    value = Decimal(amount).scaleb(-get_currency_precision(currency))
    return format_currency(value, currency, locale=locale)


def _instant(at: datetime, zone: ZoneInfo, locale: Locale) -> str:
    there = at.astimezone(zone)
    date = format_skeleton("MMMEd", there, tzinfo=zone, locale=locale)
    time = format_time(there, "short", tzinfo=zone, locale=locale)
    return sentence("instant", locale.language).format(date=date, time=time)


def _zone(name: Any) -> ZoneInfo:
    if not isinstance(name, str):
        raise TypeError(f"zone is to be an IANA name, not {type(name).__name__}")
    return ZoneInfo(name)

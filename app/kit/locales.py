"""How a reader writes amounts, numbers and dates: their language as it is written in their country."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision
from flask import has_request_context, request

LANGUAGES = ("en", "fr", "de", "nl", "it", "es", "pt")
"""The languages of everything a person reads."""
# English without a country is written as in Great Britain: Glovebox lives in Europe, with a 24 hour clock.
_HOME = {"en": "GB", "fr": "FR", "de": "DE", "nl": "NL", "it": "IT", "es": "ES", "pt": "PT"}


@lru_cache(maxsize=512)
def locale_of(language: str | None, country: str | None) -> Locale:
    """The locale of a person: `language` is BCP 47, its own region comes before `country`.

    German of a person in Switzerland is de-CH, French of one in Belgium fr-BE. Where Babel knows no such pair (Spanish
    in France) the language is written as at home, and a language we have no texts in is English.
    """
    base = known(language)
    if base is None:
        return locale_of("en", country)
    parts = (language or "").replace("_", "-").split("-")
    regions = [part.upper() for part in parts[1:] if len(part) == 2]
    for region in (*regions[:1], country, _HOME[base]):
        try:
            if region:
                return Locale(base, region)
        except UnknownLocaleError:
            continue
    raise AssertionError


def of_reader(language: str, country: str) -> Locale:
    """The first of Accept-Language that we have texts in, else the person's own language; in their country."""
    return locale_of(asked() or language, country)


def asked() -> str | None:
    """The tag of Accept-Language that is wanted most and that we have texts in, its region whatever it is."""
    if not has_request_context():
        return None
    wanted = (tag for tag, quality in request.accept_languages if quality > 0)
    return next((tag for tag in wanted if known(tag)), None)


def known(tag: str | None) -> str | None:
    """The language of a BCP 47 tag, if it is one of ours."""
    base = (tag or "").replace("_", "-").split("-")[0].lower()
    return base if base in LANGUAGES else None


def decimal_of(amount: int, currency: str) -> Decimal:
    """Minor units as a number of the currency."""
    return Decimal(amount).scaleb(-get_currency_precision(currency))


def money(given: Mapping[str, Any], locale: Locale) -> str:
    """{"amount": minor units, "currency"} as the reader writes it, with that language's no-break spaces."""
    return format_currency(decimal_of(given["amount"], given["currency"]), given["currency"], locale=locale)


def number(value: int | Decimal, locale: Locale) -> str:
    return str(format_decimal(value, locale=locale))


def in_percent(rate: int) -> str:
    """Hundredths of a percent for a program to read: 810 is 8.1."""
    return f"{Decimal(rate) / 100:f}"


def percent(rate: int, locale: Locale) -> str:
    """Hundredths of a percent as the reader writes them: 810 is 8.1 %."""
    return str(format_percent(Decimal(rate) / 10_000, locale=locale, decimal_quantization=False))


def day(value: date | datetime, locale: Locale, zone: str | None = None) -> str:
    """A date with its year, of an instant as it is in `zone`."""
    if isinstance(value, datetime):
        value = value.astimezone(ZoneInfo(zone or "UTC")).date()
    return str(format_date(value, "long", locale=locale))


def short_day(value: datetime, locale: Locale, zone: str) -> str:
    """A date as it stands in a column."""
    return str(format_date(value.astimezone(ZoneInfo(zone)).date(), "medium", locale=locale))


def moment(value: datetime, locale: Locale, zone: str) -> str:
    """Date and time on the clocks of `zone`, 24 hours."""
    there = value.astimezone(ZoneInfo(zone))
    return f"{format_date(there.date(), 'medium', locale=locale)}, {there:%H:%M}"


def month(value: date, locale: Locale) -> str:
    return str(format_skeleton("yMMMM", value, locale=locale))

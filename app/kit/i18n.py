"""Which language the reader wants, and the few words the API itself says in it, from the gettext catalogues in `texts`."""

import gettext
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.dates import format_skeleton
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import g, has_request_context

from app.kit import locales

LANGUAGES = locales.LANGUAGES
_TEXTS = Path(__file__).parent / "texts"


def pick(wanted: str | None) -> str:
    """The nearest of our languages to a BCP 47 tag."""
    return locales.known(wanted) or "en"


def reader() -> str:
    """Accept-Language, else the signed-in person's, else English."""
    if not has_request_context():
        return "en"
    return pick(locales.asked() or getattr(g.get("caller"), "language", None))


def title(slug: str, english: str) -> str:
    key = f"problem.{slug}"
    return sentence(key, reader()) if key in sentences() else english


def say(key: str, language: str | None = None, **values: object) -> str:
    """A text by its key in the reader's language, else in English; one that counts goes by its one whole number."""
    count = next((value for value in values.values() if isinstance(value, int)), 2)
    return sentence(key, language or reader(), count).format(**values)


def sentence(key: str, language: str, count: int = 2) -> str:
    """A text with its gaps open, in the form that `count` asks for."""
    said = sentences()[key]
    if isinstance(said, str):
        return _translations(language).pgettext(key, said)
    return _translations(language).npgettext(key, *said, count)


@cache
def sentences() -> Mapping[str, str | tuple[str, str]]:
    """Every text in English by its key; one that counts something in the singular and the plural."""
    every = [one for one in _file("messages.pot") if one.id]
    return {str(one.context): one.id if isinstance(one.id, str) else (one.id[0], one.id[1]) for one in every}


@cache
def _translations(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    # Compiled in memory: no step to forget, and what translators edit is what runs.
    compiled = BytesIO()
    write_mo(compiled, _file(f"{language}.po"))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _file(name: str) -> Catalog:
    with (_TEXTS / name).open("rb") as file:
        return read_po(file, abort_invalid=True)


def duration(minutes: int, language: str | None = None) -> str:
    """Minutes in the largest unit that says them whole: 90 minutes, 2 hours, 30 days."""
    if minutes and minutes % 1440 == 0:
        return say("duration.days", language, days=minutes // 1440)
    if minutes and minutes % 60 == 0:
        return hours(minutes // 60, language)
    return say("duration.minutes", language, minutes=minutes)


def hours(count: int, language: str | None = None) -> str:
    """Hours as such, for what is counted in them."""
    return say("duration.hours", language, hours=count)


def wall_time(local: datetime, language: str | None = None) -> str:
    """A time as clocks there show it, with its day."""
    locale = locales.locale_of(language or reader(), None)
    return f"{format_skeleton('MMMEd', local, tzinfo=local.tzinfo, locale=locale)}, {local:%H:%M}"

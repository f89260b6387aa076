"""Which language the reader wants, and the few words the API itself says in it."""

import json
from datetime import datetime
from functools import cache
from pathlib import Path

from babel.dates import format_skeleton
from flask import g, has_request_context, request

LANGUAGES = ("en", "fr", "de")
_TEXTS = Path(__file__).parent / "texts"


@cache
def _words(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((_TEXTS / f"{language}.json").read_text("utf-8"))
    return found


def pick(wanted: str | None) -> str:
    """The nearest of our languages to a BCP 47 tag."""
    base = (wanted or "").split("-")[0].lower()
    return base if base in LANGUAGES else "en"


def reader() -> str:
    """Accept-Language, else the signed-in person's, else English."""
    if not has_request_context():
        return "en"
    asked = request.accept_languages.best_match([*LANGUAGES])
    if asked:
        return asked
    caller = g.get("caller")
    return pick(getattr(caller, "language", None))


def title(slug: str, english: str) -> str:
    return _words(reader()).get(f"problem.{slug}", english)


def say(key: str, language: str | None = None, **values: object) -> str:
    """A text by its key in the reader's language, else in English."""
    words = _words(language or reader())
    text = words.get(key) or _words("en")[key]
    return text.format(**values)


def wall_time(local: datetime, language: str | None = None) -> str:
    """A time as clocks there show it, with its day."""
    locale = {"en": "en_GB"}.get(language or reader(), language or reader())
    return f"{format_skeleton('MMMEd', local, tzinfo=local.tzinfo, locale=locale)}, {local:%H:%M}"

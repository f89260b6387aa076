"""What receipts, statements and letters say, in the languages of `app.kit.locales`: one file per language in `texts`."""

import json
from functools import cache
from pathlib import Path

_TEXTS = Path(__file__).parent / "texts"


@cache
def words(language: str) -> dict[str, str]:
    """Every text of one language."""
    found: dict[str, str] = json.loads((_TEXTS / f"{language}.json").read_text("utf-8"))
    return found


def say(key: str, language: str, **values: object) -> str:
    """A text by its key."""
    return words(language)[key].format(**values)


def or_other(kind: str, code: str, other: str, language: str) -> str:
    """The text of a code that may be younger than the texts, else the more general one."""
    return words(language).get(f"{kind}.{code}") or words(language)[other]

"""What receipts, statements and letters say, in the languages of `app.kit.locales`: one file per language in `texts`."""

from pathlib import Path

from app.kit import wording

_TEXTS = Path(__file__).parent / "texts"


def words(language: str) -> dict[str, str]:
    """Every text of one language."""
    return wording.words(_TEXTS, language)


def say(key: str, language: str, **values: object) -> str:
    """A text by its key."""
    return words(language)[key].format(**values)


def or_other(kind: str, code: str, other: str, language: str) -> str:
    """The text of a code that may be younger than the texts, else the more general one."""
    return words(language).get(f"{kind}.{code}") or words(language)[other]

"""The sentences of every language, in gettext's form: English in `texts/messages.pot`, each other language beside it."""

import gettext
from collections.abc import Mapping
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES: Final = ("en", "fr", "de", "nl", "it", "es", "pt")


@cache
def english() -> Mapping[str, str | tuple[str, str]]:
    """Every sentence by its key; one that counts something in the singular and the plural."""
    every = [one for one in _file("messages.pot") if one.id]
    return {str(one.context): one.id if isinstance(one.id, str) else (one.id[0], one.id[1]) for one in every}


def sentence(key: str, language: str, count: int = 2) -> str:
    """A sentence with its gaps open, in the form that `count` asks for; English where a language lacks it."""
    said = english()[key]
    if isinstance(said, str):
        return _translations(language).pgettext(key, said)
    return _translations(language).npgettext(key, *said, count)


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
    with resources.files("notifications").joinpath("texts", name).open("rb") as file:
        return read_po(file, abort_invalid=True)

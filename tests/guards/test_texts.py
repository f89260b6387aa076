"""The gettext catalogues: whole in every language, with its plural forms, and written as its readers write."""

import re
import string
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po

from app.kit import i18n, locales
from app.people import conditions
from notifications import catalogue
from notifications.kinds import SHAPES
from notifications.sentences import english
from tools.texts import merged

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "notifications" / "texts", ROOT / "app" / "kit" / "texts")
OTHERS = tuple(one for one in locales.LANGUAGES if one != "en")
EVERY = [(folder, language) for folder in FOLDERS for language in OTHERS]
SAME = {
    ("nl", "rental_unlocked.driver.title"),  # "is open"
    ("nl", "unlock_unknown.driver.title"),
    ("fr", "duration.minutes"),
    *((language, "digest.line") for language in OTHERS),
}
"""Sentences that are rightly as in English."""
NBSP, NARROW = "\u00a0", "\u202f"
QUOTES = {"en": "“”", "fr": "«»", "de": "„“", "nl": "“”", "it": "«»", "es": "«»", "pt": "«»"}
FORMAL = {
    "fr": r"(?<!rendez-)\b(vous|votre|vos)\b|\b\w{3,}ez\b(?<!chez)(?<!assez)(?<!rendez)",
    "de": r"\b(Ihr|Ihre|Ihnen|Ihren|Ihrem)\b",
    "nl": r"\b(u|uw)\b",
    "it": r"\b(Lei|Suo|Sua|Suoi|Sue)\b",
    "es": r"\b(usted|ustedes|suyo)\b",
    "pt": r"\b(você|vocês|senhor|senhora)\b",
}
"""How strangers are addressed: never here."""


def read(folder: Path, name: str) -> Catalog:
    with (folder / name).open("rb") as file:
        return read_po(file, abort_invalid=True)


def entries(folder: Path, name: str) -> dict[str, Message]:
    return {str(one.context): one for one in read(folder, name) if one.id}


def forms(given: Any) -> tuple[str, ...]:
    """A sentence in each of its forms."""
    return (given,) if isinstance(given, str) else tuple(given)


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def said(language: str) -> list[tuple[str, str]]:
    """Every sentence of a language in each of its forms, with its key."""
    found: list[tuple[str, str]] = []
    for folder in FOLDERS:
        if language == "en":
            found += [
                (key, text) for key, one in entries(folder, "messages.pot").items() for text in forms(one.id)
            ]
        else:
            told = entries(folder, f"{language}.po").items()
            found += [(key, text) for key, one in told for text in forms(one.string)]
    return found


def test_both_doors_and_the_folders_name_the_same_languages() -> None:
    assert catalogue.LANGUAGES == i18n.LANGUAGES == locales.LANGUAGES
    for folder in FOLDERS:
        assert {one.stem for one in folder.glob("*.po")} == set(OTHERS)


@pytest.mark.parametrize(("folder", "language"), EVERY)
def test_every_language_has_every_sentence_as_it_is_in_english_now(folder: Path, language: str) -> None:
    english, theirs = entries(folder, "messages.pot"), entries(folder, f"{language}.po")
    assert list(theirs) == list(english)
    assert {key: one.id for key, one in theirs.items()} == {key: one.id for key, one in english.items()}
    assert [key for key, one in theirs.items() if not all(forms(one.string))] == []
    assert [key for key, one in theirs.items() if one.fuzzy] == []
    assert not read(folder, f"{language}.po").obsolete


@pytest.mark.parametrize(("folder", "language"), EVERY)
def test_every_form_fills_in_what_the_english_sentence_does(folder: Path, language: str) -> None:
    english = entries(folder, "messages.pot")
    for key, one in entries(folder, f"{language}.po").items():
        each = [names(text) for text in (*forms(english[key].id), *forms(one.string))]
        assert all(found == each[0] for found in each), key


@pytest.mark.parametrize(("folder", "language"), EVERY)
def test_the_files_are_as_make_texts_writes_them(folder: Path, language: str) -> None:
    """So that a new sentence changes nothing but its own lines."""
    written = merged(read(folder, "messages.pot"), read(folder, f"{language}.po"), language)
    assert written == (folder / f"{language}.po").read_text("utf-8")


def test_a_new_sentence_waits_for_its_translator_and_an_old_one_goes() -> None:
    english, theirs = Catalog(), Catalog()
    for sentence in ("stays", "is new", ("{n} thing", "{n} things")):
        english.add(sentence, context=f"key of {sentence}")
    theirs.add("stays", "bleibt", context="key of stays")
    theirs.add("was otherwise", "war anders", context="key of is new")
    theirs.add("is gone", "ist weg", context="key of is gone")
    found = read_po(BytesIO(merged(english, theirs, "de").encode()))
    assert [(one.id, one.string) for one in found if one.id] == [
        ("stays", "bleibt"),
        ("is new", ""),
        (("{n} thing", "{n} things"), ("", "")),
    ]


@pytest.mark.parametrize(("folder", "language"), EVERY)
def test_the_plural_forms_are_those_of_the_language(folder: Path, language: str) -> None:
    theirs = read(folder, f"{language}.po")
    babels = get_plural(language)
    assert (theirs.num_plurals, theirs.plural_expr) == (babels.num_plurals, babels.plural_expr)
    counting = [one for one in theirs if one.id and one.pluralizable]
    assert counting
    assert [one.context for one in counting if len(forms(one.string)) != babels.num_plurals] == []


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_a_count_takes_the_form_that_cldr_gives_it(language: str) -> None:
    rule = locales.locale_of(language, None).plural_form
    one = i18n.sentence("message.phone_code.body", language, 1)
    other = i18n.sentence("message.phone_code.body", language, 2)
    assert one != other
    for count in range(200):
        expected = one if rule(count) == "one" else other
        assert i18n.sentence("message.phone_code.body", language, count) == expected, count


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_what_counts_in_a_sentence_has_plural_forms(language: str) -> None:
    counts = {name for name, shape in SHAPES.items() if shape == "count"} | {
        "km",
        "seconds",
        "hours",
        "days",
        "count",
    }
    all_english = {**english(), **i18n.sentences()}
    for key, text in said(language):
        asked = counts & names(text)
        assert (not isinstance(all_english[key], str)) == bool(asked), key
        assert len(asked) < 2, key


@pytest.mark.parametrize(("folder", "language"), EVERY)
def test_no_sentence_is_left_in_english(folder: Path, language: str) -> None:
    left = [
        key
        for key, one in entries(folder, f"{language}.po").items()
        if set(forms(one.string)) & set(forms(one.id)) and (language, key) not in SAME
    ]
    assert left == []


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_marks_are_those_of_the_language(language: str) -> None:
    opening, closing = QUOTES[language][0], QUOTES[language][1]
    foreign = set("\"'„“”«»‘") - {opening, closing}  # noqa: RUF001
    for key, text in said(language):
        assert text.strip() == text, key
        assert not foreign & set(text), key
        assert text.count(opening) == text.count(closing), key
        assert "  " not in text, key


def test_french_sets_no_break_spaces_before_its_marks() -> None:
    for key, text in said("fr"):
        for place, sign in enumerate(text):
            before = text[place - 1] if place else ""
            assert not (sign in ";!?" and before != NARROW), key
            assert not (sign in ":»" and before != NBSP), key
            assert not (sign == "«" and text[place + 1] != NBSP), key


def test_spanish_opens_what_it_asks_and_exclaims() -> None:
    for key, text in said("es"):
        assert text.count("¿") == text.count("?"), key
        assert text.count("¡") == text.count("!"), key


@pytest.mark.parametrize("language", FORMAL)
def test_people_are_addressed_as_friends(language: str) -> None:
    # It speaks to both sides at once.
    both = {"message.still_has_car.owner.body"}
    formal = re.compile(FORMAL[language])
    assert [(key, text) for key, text in said(language) if formal.search(text) and key not in both] == []


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_every_version_of_the_conditions_can_be_read_in_the_language(language: str) -> None:
    for version in conditions.versions():
        text = conditions.text(version, language)
        assert text.startswith("# "), version
        assert (language == "en") == (text == conditions.text(version, "en")), version
        assert numbered(text) == numbered(conditions.text(version, "en")), version


def numbered(text: str) -> list[str]:
    return re.findall(r"^\d+\.", text, re.MULTILINE)


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_both_doors_write_dates_and_money_alike(language: str) -> None:
    assert catalogue._locale(language) == locales.locale_of(language, None)

"""Amounts, numbers and dates as a reader writes them: the language as it is written in the country."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from app.billing.words import words
from app.kit import i18n, locales, media
from app.kit.paper import legible
from tests.guards.test_texts import names

AT = datetime(2027, 3, 1, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "country", "tag"),
    [
        ("de", "CH", "de_CH"), ("de", "AT", "de_AT"), ("de", None, "de_DE"), ("de-CH", "DE", "de_CH"),
        ("de_AT", "DE", "de_AT"), ("fr", "BE", "fr_BE"), ("nl", "BE", "nl_BE"), ("it", "CH", "it_CH"),
        ("en", None, "en_GB"), ("en", "FR", "en_FR"), ("es", "FR", "es_ES"), ("pt", "GB", "pt_PT"),
        ("pl", "FR", "en_FR"), ("zh-Hant-TW", "DE", "en_DE"), ("", None, "en_GB"), (None, "CH", "en_CH"),
        ("de-XX", "AT", "de_AT"), ("FR", "FR", "fr_FR"),
    ],
)  # fmt: skip
def test_the_locale_is_the_language_as_written_in_the_country(
    language: str | None, country: str | None, tag: str
) -> None:
    assert str(locales.locale_of(language, country)) == tag


@pytest.mark.parametrize(
    ("tag", "money", "day", "moment"),
    [
        ("en-GB", "£1,234.50", "2 March 2027", "2 Mar 2027, 00:30"),
        ("de-CH", "£\u00a01\u2019234.50", "2. März 2027", "02.03.2027, 00:30"),
        ("de-AT", "£\u00a01.234,50", "2. März 2027", "02.03.2027, 00:30"),
        ("de-DE", "1.234,50\u00a0£", "2. März 2027", "02.03.2027, 00:30"),
        ("fr-FR", "1\u202f234,50\u00a0£GB", "2 mars 2027", "2 mars 2027, 00:30"),
        ("nl-NL", "£\u00a01.234,50", "2 maart 2027", "2 mrt 2027, 00:30"),
        ("it-IT", "1.234,50\u00a0£", "2 marzo 2027", "2 mar 2027, 00:30"),
        ("es-ES", "1.234,50\u00a0GBP", "2 de marzo de 2027", "2 mar 2027, 00:30"),
        ("pt-PT", "1\u00a0234,50\u00a0£", "2 de março de 2027", "02/03/2027, 00:30"),
    ],
)
def test_each_writes_money_and_days_their_own_way(tag: str, money: str, day: str, moment: str) -> None:
    locale = locales.locale_of(tag, None)
    assert locales.money({"amount": 123_450, "currency": "GBP"}, locale) == money
    assert locales.day(AT, locale, "Europe/Paris") == day
    assert locales.moment(AT, locale, "Europe/Paris") == moment


@pytest.mark.parametrize(
    ("asked", "tag"),
    [
        ("it", "it_CH"),
        ("ja, nl-BE;q=0.7, fr;q=0.9", "fr_CH"),
        ("fr;q=0, es-MX;q=0.5", "es_MX"),
        ("ja", "de_CH"),
        ("*", "de_CH"),
        ("en-GB", "en_GB"),
    ],
)
def test_a_request_may_ask_for_another_language(app: Flask, asked: str, tag: str) -> None:
    with app.test_request_context(headers={"Accept-Language": asked}):
        assert str(locales.of_reader("de", "CH")) == tag
    assert str(locales.of_reader("de", "CH")) == "de_CH"


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_receipts_and_statements_say_the_same_in_every_language(language: str) -> None:
    english, theirs = words("en"), words(language)
    assert list(theirs) == list(english)
    for key, said in theirs.items():
        assert said.strip() == said != "", key
        assert names(said) == names(english[key]), key
        on_one_line = said.replace("\n", " ")
        assert legible(on_one_line) == on_one_line, key


def test_the_font_has_every_letter_of_the_languages_and_what_it_lacks_is_still_legible() -> None:
    letters = "äöüÄÖÜß àâæçéèêëîïôœùûÿ ñáíóú¿¡ ãõ ìò €£ «»„“”‘’ – …"  # noqa: RUF001
    assert legible(letters) == letters
    assert legible("1\u202f234 Dvořák Нина") == "1\u00a0234 Dvorák ????"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "--1", "-", "@x", "\tx"])
def test_no_free_text_becomes_a_formula(text: str) -> None:
    assert media.harmless(text) == f"'{text}"
    assert media.harmless("Zoe") == "Zoe"


def test_an_amount_below_zero_stays_a_number() -> None:
    assert media.csv_lines([(media.harmless("-1.50"), None, 3)]) == "-1.50,,3\r\n"


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("de-AT", "de"),
        ("fr-BE, en;q=0.5", "fr"),
        ("nl-BE, en;q=0.9", "nl"),
        ("it-CH;q=0.8, de;q=0.7", "it"),
        ("es", "es"),
        ("pt-PT", "pt"),
        ("pt-BR, en;q=0.5", "pt"),
        ("ja, *;q=0.1", "en"),
        ("en;q=0, ja", "en"),
    ],
)
def test_a_region_comes_with_its_language(app: Flask, asked: str, language: str) -> None:
    """Somebody who reads Portuguese and some English is answered in Portuguese, whichever."""
    with app.test_request_context(headers={"Accept-Language": asked}):
        assert i18n.reader() == language


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("en", "Fri 3 Jul, 14:30"),
        ("fr", "ven. 3 juil., 14:30"),
        ("de-AT", "Fr., 3. Juli, 14:30"),
        ("nl", "vr 3 jul, 14:30"),
        ("it", "ven 3 lug, 14:30"),
        ("es", "vie, 3 jul, 14:30"),
        ("pt", "sexta, 3/07, 14:30"),
    ],
)
def test_a_time_on_the_wall_is_written_as_its_reader_does(language: str, written: str) -> None:
    local = datetime(2026, 7, 3, 14, 30, tzinfo=ZoneInfo("Europe/Paris"))
    assert i18n.wall_time(local, language) == written

"""The terms as their reader reads them: every rule that is set, in each language."""

import uuid
from typing import Any

import pytest
from flask import Flask

from app.cars import terms, terms_text
from app.kit import i18n, locales
from app.people import sign_in
from tests.factories import circle, person, shared

ALL: dict[str, Any] = {
    "currency": "EUR",
    "hour": 611,
    "day_cap": 4822,
    "km_included_per_day": 133,
    "per_km": 44,
    "minimum": 1555,
    "late_fee": 1666,
    "late_grace_min": 17,
    "deposit": 17700,
    "cleaning": 2888,
    "refuel": 1999,
    "per_kwh": 41,
    "cancellation": [{"hours_before": 48, "percent": 51}, {"hours_before": 0, "percent": 97}],
    "early_return_percent": 52,
    "no_show_min": 45,
    "min_min": 90,
    "max_min": 7200,
    "notice_min": 180,
    "buffer_min": 25,
    "extension": "auto",
    "note": "Never with muddy boots.",
}
IN_GERMAN = """\
Zeit, pro Stunde: 6,11 €
Zeit, höchstens pro Kalendertag: 48,22 €
Kilometer inbegriffen, pro 24 Stunden: 133
Jeder weitere Kilometer: 0,44 €
Energie, pro Kilowattstunde: 0,41 €
Mindestens, pro Ausleihe: 15,55 €
Zum Selbstkostenpreis kosten Zeit und Verspätung nichts, und es gibt keinen Mindestpreis.
Kaution, gehalten und zurückgegeben: 177,00 €
Reinigung, wenn nötig: 28,88 €
Tanken oder Laden, wenn nötig: 19,99 €
Zu spät zurück: die Zeit läuft zum selben Preis weiter.
Verspätungsgebühr, einmal: 16,66 €
Verspätung ohne Folgen: 17 Minuten
Früher zurück, Rückgabe für ungenutzte Zeit: 52 %
Storniert weniger als so lange vor dem Start: 48 Stunden; zu zahlen vom Preis: 51 %
Storniert nach dem Start; zu zahlen vom Preis: 97 %
Storniert von wem das Auto ist, oder weil es ausfiel: nichts ist zu zahlen.
Nicht gekommen, endet die Buchung so lange nach dem Start, wie storniert: 45 Minuten
Ein späteres Ende nimmst du vor dem geplanten ohne zu fragen, wenn das Auto frei ist.
Kürzeste Ausleihe: 90 Minuten
Längste Ausleihe: 5 Tage
Im Voraus zu fragen, mindestens: 3 Stunden
Frei gehalten nach jeder Ausleihe: 25 Minuten
Never with muddy boots."""


def read(app: Flask, language: str, data: dict[str, Any], fare: str | None = None) -> str:
    with app.test_request_context(headers={"Accept-Language": language}):
        return terms_text.of(data, fare).replace("\u00a0", " ").replace("\u202f", " ")


def test_the_terms_are_read_line_by_line(app: Flask) -> None:
    assert read(app, "de", ALL) == IN_GERMAN


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_whatever_is_set_is_named_in_every_language(app: Flask, language: str) -> None:
    every = read(app, language, ALL)
    for name, value in ALL.items():
        if name == "currency":
            continue
        said = set(every.splitlines()) - set(
            read(app, language, {**ALL, name: terms.DEFAULTS[name]}).splitlines()
        )
        assert said, f"{name} makes no difference"
        if isinstance(value, int):
            figures = {str(value), f"{value // 100}", str(value // 60), str(value // 1440)}
            assert any(figure in line for line in said for figure in figures), said


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_no_two_languages_read_alike_and_no_gap_is_left_open(app: Flask, language: str) -> None:
    found = read(app, language, ALL)
    others = [read(app, one, ALL) for one in locales.LANGUAGES if one != language]
    assert found not in others
    assert "{" not in found
    assert len(found.splitlines()) == len(IN_GERMAN.splitlines())


def test_money_is_written_as_the_reader_writes_it(app: Flask) -> None:
    swiss = {**ALL, "currency": "CHF", "deposit": 150000}
    assert "CHF 1\u2019500.00" in read(app, "de-CH", swiss)
    assert "1.500,00 CHF" in read(app, "es", swiss)


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_a_free_loan_says_so_and_names_no_price(app: Flask, language: str) -> None:
    with app.test_request_context(headers={"Accept-Language": language}):
        free = i18n.say("terms.free")
    for found in (read(app, language, terms.DEFAULTS), read(app, language, ALL, "free")):
        assert found.splitlines()[0] == free
        assert "€" not in found


def test_who_pays_at_cost_reads_no_price_of_time(app: Flask) -> None:
    found = read(app, "en", ALL, "at_cost")
    assert "Each kilometre: €0.44" in found
    assert "6.11" not in found
    assert "16.66" not in found


def test_terms_from_before_energy_was_metered_are_read_too(app: Flask) -> None:
    old = {name: value for name, value in ALL.items() if name not in ("per_kwh", "note")} | {"text": ""}
    assert "Deposit" in read(app, "en", old)


def test_the_text_is_answered_with_each_version_in_the_readers_language(app: Flask) -> None:
    olga = person("Olga Owner")
    mine = circle(olga)
    car = shared(olga, mine, powertrain="electric")
    path = f"/v1/cars/{car.id}/communities/{mine.id}/terms"
    tokens = sign_in.sign_in(olga.email, "correct horse battery", str(uuid.uuid4()), None)
    http, headers = app.test_client(), {"Authorization": f"Bearer {tokens['access_token']}"}
    made: Any = http.put(path, json=ALL, headers={**headers, "Accept-Language": "it"})
    assert made.status_code == 200, made.text
    assert made.json["text"].splitlines()[-1] == ALL["note"]
    assert "Cauzione, trattenuta e restituita" in made.json["text"]
    again: Any = http.get(f"{path}/{made.json['version']}", headers={**headers, "Accept-Language": "nl"})
    assert "Borg, vastgehouden en teruggegeven" in again.json["text"]
    assert http.put(path, json=ALL | {"text": "Mine."}, headers=headers).status_code == 422

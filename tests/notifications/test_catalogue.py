"""The catalogue of messages: complete in every language, and written as its readers write."""

import string
from datetime import UTC, datetime
from typing import Any

import pytest

from notifications.catalogue import KINDS, LANGUAGES, URGENT, MissingParam, render, template
from notifications.kinds import SHAPES
from notifications.sentences import english

NBSP, NARROW = "\u00a0", "\u202f"


def params_of(kind: str) -> dict[str, Any]:
    samples = {
        "text": "Zoé",
        "money": {"amount": 123450, "currency": "EUR"},
        "instant": datetime(2026, 7, 3, 12, 30, tzinfo=UTC),
        "percent": 12,
        "count": 15,
    }
    given = {name: samples[SHAPES[name]] for name in KINDS[kind].params if name != "zone"}
    return given | {"zone": "Europe/Paris"}


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_kind_is_said_and_nothing_else() -> None:
    assert list(english()) == ["instant", *(f"{kind}.{part}" for kind in KINDS for part in ("title", "body"))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_uses_exactly_what_its_kind_is_given(language: str) -> None:
    for count in (1, 2):
        said = {kind: template(kind, language, count) for kind in KINDS}
        used = {kind: names_in(one.title) | names_in(one.body) for kind, one in said.items()}
        assert used == {kind: set(KINDS[kind].params) - {"zone"} for kind in KINDS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_can_be_said(language: str) -> None:
    texts = {kind: render(kind, language, params_of(kind)) for kind in KINDS}
    assert {kind for kind, text in texts.items() if "{" in text.title + text.body} == set()
    assert {
        kind for kind, text in texts.items() if text.title != text.title.strip() or "\n" in text.title
    } == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_is_short_enough_for_a_phone(language: str) -> None:
    for count in (1, 2):
        said = {kind: template(kind, language, count) for kind in KINDS}
        assert {kind for kind, one in said.items() if len(one.title) >= 60 or len(one.body) >= 200} == set()


def test_a_missing_parameter_is_an_error_that_names_it() -> None:
    for kind in KINDS:
        given = params_of(kind)
        for name in KINDS[kind].params:
            with pytest.raises(MissingParam, match=name):
                render(kind, "en", {key: value for key, value in given.items() if key != name})


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("price", 1250),
        ("price", {"amount": 12.5, "currency": "EUR"}),
        ("at", datetime(2026, 7, 3, 12, 30)),  # noqa: DTZ001 -- the fault under test
        ("at", "2026-07-03T12:30:00Z"),
        ("car", None),
        ("zone", None),
    ],
)
def test_a_wrongly_shaped_parameter_is_an_error(name: str, wrong: object) -> None:
    with pytest.raises(TypeError, match=name):
        render("rental_ended.driver", "en", params_of("rental_ended.driver") | {name: wrong})


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        render("rental_vanished", "en", {})


@pytest.mark.parametrize(
    ("language", "price"),
    [
        ("en", "€1,234.50"),
        ("en-GB", "€1,234.50"),
        ("fr", f"1{NARROW}234,50{NBSP}€"),
        ("fr-BE", f"1{NARROW}234,50{NBSP}€"),
        ("de", f"1.234,50{NBSP}€"),
        ("de-AT", f"€{NBSP}1.234,50"),
        ("de_AT", f"€{NBSP}1.234,50"),
        ("nl", f"€{NBSP}1.234,50"),
        ("nl-BE", f"€{NBSP}1.234,50"),
        ("it", f"1.234,50{NBSP}€"),
        ("it-CH", f"€{NBSP}1\u2019234.50"),
        ("es", f"1.234,50{NBSP}€"),
        ("pt", f"1{NBSP}234,50{NBSP}€"),
        ("pt-PT", f"1{NBSP}234,50{NBSP}€"),
        ("pt-BR", f"€{NBSP}1.234,50"),
        ("xx-nonsense", "€1,234.50"),
        ("de-XX", f"1.234,50{NBSP}€"),
    ],
)
def test_money_is_written_as_the_reader_writes_it(language: str, price: str) -> None:
    assert price in render("rental_ended.driver", language, params_of("rental_ended.driver")).body


def test_swiss_francs_are_written_as_in_switzerland() -> None:
    params = params_of("payment_done.driver") | {"amount": {"amount": 123450, "currency": "CHF"}}
    assert render("payment_done.driver", "de-CH", params).title == f"Bezahlt: CHF{NBSP}1\u2019234.50"


def test_a_currency_without_cents_has_none() -> None:
    params = params_of("payment_done.driver") | {"amount": {"amount": 1200, "currency": "JPY"}}
    assert render("payment_done.driver", "en", params).title == "Paid: JP¥1,200"


@pytest.mark.parametrize(
    ("language", "zone", "written"),
    [
        ("en", "Europe/London", "Fri 3 Jul, 13:30"),
        ("fr", "Europe/Paris", "ven. 3 juil. à 14:30"),
        ("de", "Europe/Berlin", "Fr., 3. Juli, 14:30 Uhr"),
        ("nl", "Europe/Amsterdam", "vr 3 jul om 14:30"),
        ("it", "Europe/Rome", "ven 3 lug, ore 14:30"),
        ("es", "Europe/Madrid", "vie, 3 jul, 14:30 h"),
        ("pt", "Europe/Lisbon", "sexta, 3/07 às 13:30"),
        ("fr", "Atlantic/Azores", "ven. 3 juil. à 12:30"),
    ],
)
def test_a_time_is_the_wall_clock_where_the_car_stands(language: str, zone: str, written: str) -> None:
    params = params_of("rental_ended.driver") | {"zone": zone}
    assert written in render("rental_ended.driver", language, params).body


@pytest.mark.parametrize(("language", "written"), [("en", "12%"), ("fr", f"12{NBSP}%"), ("de", f"12{NBSP}%")])
def test_charge_is_a_percentage_as_the_reader_writes_it(language: str, written: str) -> None:
    assert written in render("charge_low", language, params_of("charge_low")).body


def test_a_name_with_braces_or_line_breaks_stays_a_name() -> None:
    params = params_of("payment_done.owner") | {"driver": "Max\r\nBcc: {car} all"}
    assert "Max Bcc: {car} all" in render("payment_done.owner", "en", params).body


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [
        ("en", "works for 1 minute.", "works for 10 minutes."),
        ("fr", "valable 1 minute.", "valable 10 minutes."),
        ("de", "gilt 1 Minute.", "gilt 10 Minuten."),
        ("nl", "werkt 1 minuut.", "werkt 10 minuten."),
        ("it", "Vale 1 minuto.", "Vale 10 minuti."),
        ("es", "Vale 1 minuto.", "Vale 10 minutos."),
        ("pt-BR", "durante 1 minuto.", "durante 10 minutos."),
    ],
)
def test_one_minute_is_said_otherwise_than_ten(language: str, one: str, many: str) -> None:
    given = {"code": "123456"}
    assert one in render("email_change", language, {**given, "minutes": 1}).body
    assert many in render("email_change", language, {**given, "minutes": 10}).body


def test_no_sentence_has_to_agree_with_a_name() -> None:
    french = {kind: f"{template(kind, 'fr').title} {template(kind, 'fr').body}" for kind in KINDS}
    names = [f" de {{{name}}}" for name in ("driver", "owner", "member", "inviter", "car")]
    assert {kind for kind, text in french.items() if any(name in text for name in names)} == set()


def test_what_cannot_wait_is_urgent_and_what_can_is_not() -> None:
    assert {"rental_asked.owner", "unlock_failed.driver", "lock_refused.driver"} <= URGENT
    assert not {"receipt_ready", "rental_booked.driver", "licence_refused.driver"} & URGENT


def test_every_kind_has_a_way_to_its_reader() -> None:
    assert all(kind.channels for kind in KINDS.values())


def test_codes_go_by_mail_alone() -> None:
    for name, kind in KINDS.items():
        if "code" in kind.params:
            assert kind.channels == {"mail"}, name

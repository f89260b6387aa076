"""The yearly tax report: what each owner earned by quarter, what is known of them, what is missing and who is told."""

import csv
import io
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyotp
import pytest
from flask import Flask
from sqlalchemy import text

from app.billing import tax_reminder, tax_report
from app.billing.tax_models import TaxDetails
from app.kit import clock
from app.kit.db import release, session, transactional
from app.operator import act
from app.people.models import Person
from tests import factories
from tests.billing.test_statement import paid_out
from tests.kit.asking import Signed, session_of
from tests.rentals.trips import Trip, give_back, pay, trip

WHOLE: dict[str, Any] = {
    "tin": "12 34 567 890",
    "tin_country": "FR",
    "birth_place": None,
    "vat_number": "FR40303265045",
    "iban": "FR76 3000 6000 0112 3456 7890 189",
}
NOTHING = dict.fromkeys(WHOLE)


def details(app: Flask, who: Signed, method: str = "GET", body: Any = None, **headers: str) -> Any:
    return app.test_client().open(
        "/v1/me/tax-details", method=method, json=body, headers={**who.headers, **headers}
    )


def quarters(one: Trip, year: int) -> list[tuple[int, int, int]]:
    found = [each for each in tax_report.of(year)["owners"] if each["owner"] == one.olga.id]
    return [
        (each["quarter"], each["activities"], each["consideration"]["amount"])
        for owner in found
        for each in owner["quarters"]
    ]


def this_year() -> int:
    """On the clocks of those who earn here."""
    return clock.now().astimezone(ZoneInfo("Europe/Paris")).year


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def complete(person: Person) -> None:
    row = session.get_one(Person, person.id)
    row.address, row.birth_date = "1 rue de la Paix, Paris", date(1980, 5, 1)
    session.commit()


@pytest.fixture
def opal(app: Flask) -> Signed:
    operator = factories.person("Opal Operator")
    secret = act.make_operator(operator.email, by=act.COMMAND_LINE, reason="tests")
    return session_of(operator, pyotp.TOTP(secret).now())


# -- what is collected -------------------------------------------------------------------------------------------------


def test_numbers_are_sealed_at_rest_and_shown_by_their_end(app: Flask) -> None:
    olga = session_of(factories.person("Olga Owner"))
    shown = details(app, olga, "PUT", WHOLE).json
    assert (shown["tin"], shown["iban"]) == ("********890", "********189")
    assert (shown["vat_number"], shown["missing"]) == ("FR40303265045", ["address", "birth_date"])
    row = session.get_one(TaxDetails, olga.id)
    assert row.tin_sealed is not None
    assert b"567" not in row.tin_sealed
    assert details(app, olga).json == shown


def test_what_is_sent_back_as_shown_stays_what_it_is(app: Flask) -> None:
    olga = session_of(factories.person("Olga Owner"))
    shown = details(app, olga, "PUT", WHOLE).json
    again = {name: shown[name] for name in WHOLE}
    details(app, olga, "PUT", {**again, "vat_number": None})
    release()
    row = session.get_one(TaxDetails, olga.id)
    from app.billing.tax_details import opened

    assert opened(row) == ("12 34 567 890", "FR7630006000011234567890189")
    assert row.vat_number is None


def test_nothing_told_is_all_missing_and_a_birth_place_stands_for_a_number(app: Flask) -> None:
    person = factories.person("Olga Owner")
    olga = session_of(person)
    assert details(app, olga).json["missing"] == ["address", "birth_date", "tin"]
    assert "tin" not in details(app, olga, "PUT", {**NOTHING, "birth_place": "Lyon"}).json["missing"]
    complete(person)
    assert details(app, olga).json["missing"] == []


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"tin_country": None}, "/tin_country"),
        ({"tin": None}, "/tin_country"),
        ({"tin": "********123"}, "/tin"),
        ({"tin": "x"}, "/tin"),
        ({"iban": "FR7630006000011234567890188"}, "/iban"),
        ({"iban": "********123"}, "/iban"),
        ({"iban": "Sparkasse"}, "/iban"),
        ({"vat_number": "none"}, "/vat_number"),
        ({"tin_country": "France"}, "/tin_country"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(app: Flask, wrong: dict[str, Any], pointer: str) -> None:
    answer = details(app, session_of(factories.person("Olga Owner")), "PUT", {**WHOLE, **wrong})
    assert answer.status_code == 422
    assert pointer in [one["pointer"] for one in answer.json["errors"]]


# -- what is reported --------------------------------------------------------------------------------------------------


def test_what_was_earned_is_told_by_quarter_of_the_owners_own_clocks(app: Flask) -> None:
    one = trip()
    pay(one, at=at("2025-12-31T23:30:00+00:00"))
    pay(one.again(), at=at("2026-02-01T12:00:00+00:00"))
    pay(one.again(), at=at("2026-03-31T22:30:00+00:00"))
    pay(one.again(), at=at("2026-12-31T23:30:00+00:00"))
    assert [(quarter, count) for quarter, count, _ in quarters(one, 2026)] == [(1, 2), (2, 1)]
    assert [(quarter, count) for quarter, count, _ in quarters(one, 2027)] == [(1, 1)]
    assert quarters(one, 2025) == []


def test_consideration_fees_taxes_and_premiums_are_all_that_drivers_paid(app: Flask) -> None:
    one = trip()
    payment = pay(one)
    give_back(payment, 700)
    paid_out(one, 300)
    year = this_year()
    [owner] = [each for each in tax_report.of(year)["owners"] if each["owner"] == one.olga.id]
    [quarter] = owner["quarters"]
    parts = ("consideration", "fees", "taxes", "premiums")
    assert sum(quarter[part]["amount"] for part in parts) == 2000
    assert quarter["activities"] == 1


def test_what_a_charge_request_brought_is_no_rent(app: Flask) -> None:
    one = trip()
    pay(one, 5000, purpose="charge_request")
    [owner] = [each for each in tax_report.of(this_year())["owners"] if each["owner"] == one.olga.id]
    [quarter] = owner["quarters"]
    assert (quarter["consideration"]["amount"], quarter["activities"]) == (0, 0)
    assert quarter["compensation"]["amount"] > 0


def test_an_operator_has_the_file_with_whole_numbers_and_that_is_kept(app: Flask, opal: Signed) -> None:
    one = trip()
    pay(one)
    complete(one.olga)
    details(app, session_of(one.olga), "PUT", WHOLE)
    year = this_year()
    asked = {**opal.headers, "Accept": "text/csv"}
    answer = app.test_client().get(f"/v1/operator/tax-reports/{year}", headers=asked)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    [row] = [each for each in csv.DictReader(io.StringIO(answer.text)) if each["owner"] == one.olga.id]
    assert (row["name"], row["birth_date"], row["missing"]) == ("Olga Owner", "1980-05-01", "")
    assert (row["tin"], row["tin_country"]) == ("12 34 567 890", "FR")
    assert row["account"] == "FR7630006000011234567890189"
    assert (row["activities"], row["currency"]) == ("1", "EUR")
    looked = "select count(*) from facts where kind = 'OperatorActed' and data ->> 'subject' = :person"
    assert session.execute(text(looked), {"person": one.olga.id}).scalar_one() == 1
    as_json: Any = app.test_client().get(f"/v1/operator/tax-reports/{year}", headers=opal.headers).json
    [owner] = [each for each in as_json["owners"] if each["owner"] == one.olga.id]
    assert (owner["tin"], owner["missing"]) == ("12 34 567 890", [])


@pytest.mark.parametrize("year", [0, 2019, 2199, 10**15])
def test_a_year_that_nobody_earned_in_is_not_found(app: Flask, opal: Signed, year: int) -> None:
    answer = app.test_client().get(f"/v1/operator/tax-reports/{year}", headers=opal.headers)
    assert answer.status_code == 404


def test_the_command_writes_the_same_and_wants_a_reason(app: Flask) -> None:
    one = trip()
    pay(one)
    year = str(this_year())
    run = app.test_cli_runner()
    assert one.olga.id in run.invoke(args=["export", "tax-report", year, "--reason", "31 January"]).output
    as_json = run.invoke(args=["export", "tax-report", year, "--reason", "x", "--format", "json"])
    assert one.olga.id in as_json.output
    assert run.invoke(args=["export", "tax-report", year]).exit_code == 2
    assert run.invoke(args=["export", "tax-report", "1999", "--reason", "x"]).exit_code == 2


# -- who is told -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("comes", ["2026-11-01T08:00:00+00:00", "2027-02-28T08:00:00+00:00"])
def test_once_a_year_who_earned_and_has_not_told_all_is_told_so(app: Flask, comes: str) -> None:
    one, whole = trip(), trip()
    for each in (one, whole):
        pay(each, at=at("2026-05-01T12:00:00+00:00"))
    complete(whole.olga)
    details(app, session_of(whole.olga), "PUT", WHOLE)

    @transactional
    def due() -> None:
        clock.told(at(comes))
        tax_reminder.due("owners")

    due()
    said = "select data ->> 'person' from facts where kind = 'TaxDetailsMissing' and (data ->> 'year')::int = 2026"
    told = set(session.execute(text(said)).scalars())
    assert one.olga.id in told
    assert whole.olga.id not in told
    following = "select due_at from deadlines where kind = 'tax_reminder'"
    [again] = session.execute(text(following)).scalars().all()
    assert again == at("2027-11-01T08:00:00+00:00")

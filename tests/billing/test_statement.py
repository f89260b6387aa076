"""A month as owner and as driver: what moved and what stands, as JSON, CSV and PDF."""

import csv
import io
import tempfile
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from pypdf import PdfReader

from app.billing import ledger, statement
from app.billing.ledger import Entry, Line
from app.kit.db import new_id, release, session, transactional
from payments.money import Money
from tests.billing.desk import this_month
from tests.kit.asking import session_of
from tests.rentals.trips import Trip, give_back, pay, told_paid, trip


def eur(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def ask(
    app: Flask, who: Any, accept: str = "application/json", month: str | None = None, **headers: str
) -> Any:
    return app.test_client().get(
        f"/v1/me/statements/{month or this_month()}",
        headers={**session_of(who).headers, "Accept": accept, **headers},
    )


@transactional
def paid_out(one: Trip, amount: int, kind: str = "transfer") -> None:
    money = Money(amount, "EUR")
    lines = (Line(ledger.OWNER_PAYABLE, money, one.olga.id), Line(ledger.STRIPE_CLEARING, -money))
    ledger.post(Entry(kind, "command", new_id("pcm"), lines, rental=one.rental))


@pytest.fixture
def busy(app: Flask) -> Trip:
    """Paid 27 €, given back 7 €, 5 € paid out, and an entry of a kind that nobody knows yet."""
    one = trip()
    payment = pay(one)
    told_paid(one)
    give_back(payment, 700)
    paid_out(one, 500)
    paid_out(one, 100, "goodwill_of_tomorrow")
    return one


def test_an_owner_sees_what_moved_the_balance(app: Flask, busy: Trip) -> None:
    seen = ask(app, busy.olga).json
    [balance] = seen["balances"]
    earned, back = balance["earned"]["amount"], balance["given_back"]["amount"]
    assert balance["opening"] == eur(0)
    assert balance["paid_out"] == eur(-500)
    assert balance["closing"] == eur(earned + back - 500)
    fees = sum(one["amount"] for one in balance["fees"].values())
    assert earned + back + fees == balance["drivers_paid"]["amount"] - 100 == 2000 - 100
    assert [one["what"] for one in seen["entries"]] == ["earned", "given_back", "paid_out", "given_back"]
    capture = seen["entries"][0]
    assert capture["amount"]["amount"] + sum(fee["amount"] for fee in capture["fees"].values()) == 2700
    assert capture["document"].startswith("GLV-FR-")
    assert capture["car"] == "smart EQ fortwo"
    assert (seen["paid"], seen["payments"]) == ([], [])


def test_a_driver_sees_what_they_paid(app: Flask, busy: Trip) -> None:
    seen = ask(app, busy.max).json
    assert (seen["balances"], seen["entries"]) == ([], [])
    assert seen["paid"] == [eur(2000)]
    assert [(one["kind"], one["amount"]) for one in seen["payments"]] == [
        ("capture", eur(2700)),
        ("refund", eur(-700)),
    ]


def test_what_stood_before_opens_the_month(app: Flask, busy: Trip) -> None:
    closing = ask(app, busy.olga).json["balances"][0]["closing"]
    [following] = ask(app, busy.olga, month="2099-01").json["balances"]
    assert following["opening"] == following["closing"] == closing
    assert following["earned"] == eur(0)


def test_a_month_is_cut_in_the_readers_own_zone(app: Flask) -> None:
    one = trip()
    pay(one, at=datetime.fromisoformat("2026-12-31T23:30:00+00:00"))
    assert len(ask(app, one.olga, month="2027-01").json["entries"]) == 1
    assert ask(app, one.olga, month="2026-12").json["entries"] == []


def test_it_takes_as_many_statements_for_one_rental_as_for_many(app: Flask) -> None:
    one = trip()
    asked = []
    for more in (1, 20):
        for _ in range(more):
            pay(one.again())
        release()
        asked.append(_counted(lambda: statement.of(one.olga.id, this_month(), "Europe/Paris")))
    assert asked[0] == asked[1]
    assert 4 <= asked[0] <= 6


def _counted(work: Callable[[], Any]) -> int:
    """How many statements go over the wire, by what libpq itself writes down."""
    wire = session().connection().connection.dbapi_connection.pgconn  # type: ignore[union-attr]
    with tempfile.TemporaryFile() as log:
        wire.trace(log.fileno())
        work()
        wire.untrace()
        log.seek(0)
        return sum(
            line.split(b"\t")[-2:][0].split()[0] in (b"Query", b"Bind") for line in log if b"\tF\t" in line
        )


def test_as_csv_every_line_is_there_and_adds_up(app: Flask, busy: Trip) -> None:
    answer = ask(app, busy.olga, "text/csv")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="statement-{this_month()}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["what"] for row in rows] == ["earned", "given_back", "paid_out", "given_back"]
    first = rows[0]
    parts = [first[name] for name in ("amount", "fee_platform", "fee_vat", "fee_insurer")]
    assert sum(round(float(part) * 100) for part in parts) == 2700
    assert first["rental"] == busy.rental
    [paid, back] = csv.DictReader(io.StringIO(ask(app, busy.max, "text/csv").text))
    assert (paid["list"], paid["amount"], back["amount"]) == ("payments", "27.00", "-7.00")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-GB", ("Statement", "Balance after", "-€5.00")),
        ("fr-CH", ("Relevé", "Solde après", "-5,00 €")),
        ("de-AT", ("Abrechnung", "Stand danach", "-€ 5,00")),
        ("de-CH", ("Abrechnung", "EUR-5.00")),
        ("nl", ("Afrekening", "Saldo erna", "€ -5,00")),
        ("it", ("Estratto conto", "Saldo successivo", "-5,00 €")),
        ("es", ("Extracto", "Saldo posterior", "-5,00 €")),
        ("pt", ("Extrato", "Saldo posterior", "-5,00 €")),
    ],
)
def test_on_paper_it_reads_in_the_readers_language(
    app: Flask, busy: Trip, language: str, said: tuple[str, ...]
) -> None:
    answer = ask(app, busy.olga, "application/pdf", **{"Accept-Language": language})
    pages = PdfReader(io.BytesIO(answer.data)).pages
    seen = "\n".join(page.extract_text() for page in pages).replace("\u00a0", " ")
    for part in (*said, "Olga Owner", "smart EQ fortwo"):
        assert part in seen, seen


def test_a_month_without_anything_is_a_paper_that_says_so(app: Flask) -> None:
    answer = ask(app, trip().olga, "application/pdf", month="2026-02")
    assert "Nothing this month." in PdfReader(io.BytesIO(answer.data)).pages[0].extract_text()


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "text/csv;q=0"])
def test_what_it_cannot_be_is_refused(app: Flask, accept: str) -> None:
    answer = ask(app, trip().olga, accept)
    assert (answer.status_code, answer.content_type) == (406, "application/problem+json")

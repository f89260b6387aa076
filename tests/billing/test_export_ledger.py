"""The ledger for accounting: every posting is there, accounts have valid names, and the real `bean-check` agrees."""

import csv
import io
import subprocess
import sys
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import text

from app.billing import export_ledger, ledger
from app.billing.export_ledger import COLUMNS, Span, path_of
from app.billing.ledger import Entry, Line
from app.kit import clock
from app.kit.db import new_id, session, transactional
from payments.money import CURRENCIES, Currency, Money
from tests.rentals.trips import give_back, pay, trip

UTC = ZoneInfo("UTC")
GUIDE = Path(__file__).parent.parent.parent / "docs" / "guides" / "accounting.md"


def today(zone: ZoneInfo = UTC) -> Span:
    day = clock.now().astimezone(zone).date()
    return Span(day - timedelta(days=1), day + timedelta(days=1), zone)


@transactional
def post(account: str, currency: Currency, source: str | None = None) -> None:
    money = Money(1234, currency)
    lines = (Line(account, money, new_id("per")), Line(ledger.STRIPE_CLEARING, -money))
    ledger.post(Entry("kind_of_tomorrow", "test", source or new_id("pcm"), lines))


@pytest.fixture
def books(app: Flask) -> None:
    """Rent in three currencies, a refund, a fee, and accounts that nobody has thought of yet."""
    for country, currency in (("FR", "EUR"), ("GB", "GBP"), ("CH", "CHF")):
        one = trip(country=country, currency=currency)
        payment = pay(one)
        give_back(payment, 701)
    for account in ("processor_fees", "member_receivable", "bad_debt", "dispute_suspense", "9 lives & more"):
        post(account, "CHF")
    post("bank", "EUR", 'says "hello"\\ and\nbreaks')


def rows(span: Span) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(export_ledger.csv(span)))))


def test_every_posting_is_a_line_and_each_entry_sums_to_zero(books: None) -> None:
    found = rows(today())
    begin, end = today().instants
    count = "select count(*) from postings p join ledger_entries e on e.id = p.entry_id where e.at >= :a and e.at < :b"
    assert len(found) == session.execute(text(count), {"a": begin, "b": end}).scalar_one()
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in found:
        sums[row["entry"], row["currency"]] += Decimal(row["amount"])
        assert Decimal(row["amount"]) * 100 == int(row["amount_minor"])
    assert set(sums.values()) == {Decimal(0)}
    assert {currency for _, currency in sums} == set(CURRENCIES)


def test_real_bean_check_accepts_the_export(books: None, tmp_path: Path) -> None:
    file = tmp_path / "books.beancount"
    file.write_text("".join(export_ledger.beancount(today())), "utf-8")
    checked = subprocess.run(
        [str(Path(sys.executable).parent / "bean-check"), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr, checked.stdout) == (0, "", "")
    assert file.read_text("utf-8").count(" * ") == len({row["entry"] for row in rows(today())})


def test_bean_check_would_have_said_that_a_cent_is_missing(books: None, tmp_path: Path) -> None:
    file = tmp_path / "books.beancount"
    file.write_text("".join(export_ledger.beancount(today())).replace(" 12.34 ", " 12.35 ", 1), "utf-8")
    bean_check = str(Path(sys.executable).parent / "bean-check")
    checked = subprocess.run([bean_check, str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode != 0
    assert "does not balance" in checked.stderr


@pytest.mark.parametrize(
    ("account", "path"),
    [
        ("stripe_clearing", "Assets:Stripe-Clearing"),
        ("owner_payable", "Liabilities:Owner-Payable"),
        ("insurer_payable", "Liabilities:Insurer-Payable"),
        ("premium_reserve", "Liabilities:Premium-Reserve"),
        ("platform_revenue", "Income:Platform-Revenue"),
        ("vat_payable", "Liabilities:Vat-Payable"),
        ("processor_fees", "Expenses:Processor-Fees"),
        ("dispute_suspense", "Assets:Dispute-Suspense"),
        ("bad_debt", "Expenses:Bad-Debt"),
        ("member_receivable", "Assets:Member-Receivable"),
        ("bank", "Assets:Bank"),
        ("something new", "Equity:Something-New"),
        ("9 lives & more", "Equity:9-Lives-More"),
        ("", "Equity:Unnamed"),
    ],
)
def test_an_account_has_its_name_in_beancount(account: str, path: str) -> None:
    assert path_of(account) == path


def test_no_account_of_ours_is_left_to_equity_and_no_two_share_a_name() -> None:
    paths = [path_of(account) for account in ledger.ACCOUNTS]
    assert not [path for path in paths if path.startswith("Equity")]
    assert len(set(paths)) == len(paths)


def test_days_begin_on_the_clocks_of_the_zone_that_is_asked_for(app: Flask) -> None:
    one = trip()
    pay(one, at=datetime.fromisoformat("2026-06-30T22:30:00+00:00"))
    july = Span(datetime(2026, 7, 1).date(), datetime(2026, 7, 31).date(), ZoneInfo("Europe/Paris"))  # noqa: DTZ001
    assert {row["date"] for row in rows(july) if row["rental"] == one.rental} == {"2026-07-01"}
    utc = Span(july.first, july.last, UTC)
    assert [row for row in rows(utc) if row["rental"] == one.rental] == []


def test_the_guide_names_every_column_and_every_account() -> None:
    said = GUIDE.read_text("utf-8")
    assert [name for name in COLUMNS if f"| `{name}` |" not in said] == []
    assert [name for name in ledger.ACCOUNTS if f"| `{name}` | `{path_of(name)}` |" not in said] == []


def test_the_command_writes_the_file_and_refuses_days_that_cannot_be(app: Flask, books: None) -> None:
    run = app.test_cli_runner()
    day = f"{clock.now():%Y-%m-%d}"
    asked = ["export", "ledger", "--from", day, "--to", day, "--format", "beancount"]
    assert "Liabilities:Owner-Payable" in run.invoke(args=asked).output
    assert run.invoke(args=[*asked[:-1], "csv"]).output.startswith("entry,posting,at,date,")
    for wrong in (["--zone", "Mars/Olympus"], ["--to", "2020-01-01"], ["--from", "yesterday"]):
        assert run.invoke(args=[*asked, *wrong]).exit_code == 2

"""Numbers without gaps: whoever issues at once or fails leaves none, and each document holds the one before it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.billing import document
from app.billing.document_models import Document
from app.kit import clock
from app.kit.db import new_id, release, session, transactional
from app.people.register import ZONE_OF
from payments.money import Money


def eur(amount: int) -> Money:
    return Money(amount, "EUR")


@transactional
def issue(country: str, *, rental: str | None = None, amount: int = 100, fails: bool = False) -> Document:
    made = document.issue(
        rental=rental or new_id("ren"),
        part="price",
        money=eur(amount),
        country=country,
        payload={"lines": []},
    )
    if fails:
        raise RuntimeError("what came after it failed")
    return made


def numbers(series: str) -> list[int]:
    release()
    rows = session.execute(
        text("select no from documents where series = :series order by no"), {"series": series}
    )
    return list(rows.scalars())


def beside(app: Flask, work: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        with app.app_context():
            try:
                return work()
            except RuntimeError:
                return None
            finally:
                release()

    return run


def test_many_at_once_of_which_some_fail_leave_no_gap(app: Flask) -> None:
    first = issue("AT").no
    series = document._series("AT", clock.now())
    calls = [beside(app, partial(issue, "AT", fails=n % 3 == 0)) for n in range(60)]
    with ThreadPoolExecutor(6) as pool:
        made = [one for one in pool.map(lambda call: call(), calls) if one is not None]
    assert len(made) == 40
    found = numbers(series)
    assert found == list(range(1, first + 41))
    assert document.broken(series) is None
    at = session.execute(text("select issued_at from documents where series = :s order by no"), {"s": series})
    instants = list(at.scalars())
    assert instants == sorted(instants)


def test_each_country_counts_for_itself(app: Flask) -> None:
    belgian, italian = issue("BE"), issue("IT")
    assert (issue("BE").no, issue("IT").no) == (belgian.no + 1, italian.no + 1)


@pytest.mark.parametrize("country", sorted(ZONE_OF))
def test_the_year_is_that_of_the_country(app: Flask, country: str) -> None:
    midnight = datetime(2027, 12, 31, 23, tzinfo=UTC)
    series = document._series(country, midnight)
    assert series == f"GLV-{country}-{2027 if country in ('GB', 'PT') else 2028}"
    assert document._series(country, midnight + timedelta(hours=1)) == f"GLV-{country}-2028"


def test_a_document_that_was_tampered_with_is_found(app: Flask) -> None:
    rows = [issue("ES", amount=amount) for amount in (100, 200, 300)]
    series = rows[0].series
    release()
    assert document.broken(series) is None
    session.execute(text("alter table documents disable trigger documents_never_change"))
    change = "update documents set amount = 1 where series = :series and no = :no"
    session.execute(text(change), {"series": series, "no": rows[1].no})
    assert document.broken(series) == rows[1].number
    session.rollback()
    session.execute(text("alter table documents disable trigger documents_never_change"))
    session.execute(
        text("delete from documents where series = :series and no = :no"),
        {"series": series, "no": rows[2].no},
    )
    assert document.broken(series) == rows[2].number
    session.rollback()


def test_an_operator_sees_that_every_series_is_whole(app: Flask) -> None:
    row = issue("DE")
    shown = json.loads(app.test_cli_runner().invoke(args=["operator", "documents"]).output)
    assert {"series": row.series, "last": row.no, "broken": None} in shown


def test_a_credit_note_needs_a_receipt(app: Flask) -> None:
    rental = new_id("ren")
    receipt = issue("NL", rental=rental, amount=500)
    note = issue("NL", rental=rental, amount=-500)
    assert (note.kind, note.corrects_id) == ("credit_note", receipt.id)
    with pytest.raises(IndexError):
        issue("NL", amount=-1)
    assert document.broken(note.series) is None

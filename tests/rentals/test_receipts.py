"""Receipts and credit notes: what was paid has its number, what was given back too, in the reader's words."""

import io
from typing import Any

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.billing import document
from app.billing.models import Payment
from app.facts import PaymentFailed, RentalEnded, RentalSettled
from app.kit.db import release, session
from app.rentals import receipts
from tests.kit.asking import session_of
from tests.rentals.trips import START, Trip, give_back, pay, price, told_given_back, told_paid, trip

PDF = {"Accept": "application/pdf"}


def issued(one: Trip) -> list[tuple[str, str, int]]:
    release()
    return [(row.kind, row.part, row.amount) for row in document.of(one.rental)]


def ask(app: Flask, one: Trip, who: Any = None, **headers: str) -> Any:
    signed = session_of(who or one.max)
    return app.test_client().get(
        f"/v1/rentals/{one.rental}/receipt",
        headers={**signed.headers, **{name.replace("_", "-"): said for name, said in headers.items()}},
    )


def words(answer: Any) -> str:
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf"), answer.text
    pages = PdfReader(io.BytesIO(answer.data)).pages
    return "\n".join(page.extract_text() for page in pages).replace("\u00a0", " ")


# -- when --------------------------------------------------------------------------------------------------------------


def test_what_was_paid_has_its_receipt_once(app: Flask) -> None:
    one = trip()
    pay(one)
    for _ in range(3):
        told_paid(one)
    assert issued(one) == [("receipt", "price", 2700)]
    [row] = document.of(one.rental)
    assert row.payload["lines"] == price()["lines"]
    assert row.number.startswith("GLV-FR-")


def test_money_given_back_is_a_credit_note_that_names_its_receipt(app: Flask) -> None:
    one = trip()
    payment = pay(one)
    told_paid(one)
    give_back(payment, 700)
    told_given_back(one)
    told_given_back(one)
    assert issued(one) == [("receipt", "price", 2700), ("credit_note", "price", -700)]
    receipt, note = document.of(one.rental)
    assert (note.corrects_id, note.payload["corrects"]) == (receipt.id, receipt.number)


def test_news_in_another_order_comes_to_the_same_sum(app: Flask) -> None:
    one = trip()
    payment = pay(one)
    give_back(payment, 700)
    told_given_back(one)
    told_paid(one)
    assert issued(one) == [("receipt", "price", 2000)]


def test_a_later_charge_is_a_receipt_of_the_difference(app: Flask) -> None:
    one = trip()
    pay(one)
    told_paid(one)
    pay(one, 300, purpose="extras")
    told_paid(one)
    assert issued(one) == [("receipt", "price", 2700), ("receipt", "price", 300)]
    assert [line["code"] for line in document.of(one.rental)[1].payload["lines"]] == ["difference"]


def test_a_charge_request_has_a_receipt_of_its_own(app: Flask) -> None:
    one = trip()
    pay(one)
    told_paid(one)
    pay(one, 5000, purpose="charge_request")
    told_paid(one)
    assert issued(one) == [("receipt", "price", 2700), ("receipt", "charge_request", 5000)]


def test_while_money_is_on_its_way_nothing_is_issued_until_the_last_look(app: Flask) -> None:
    one = trip()
    payment = pay(one)
    session.get_one(Payment, payment).state = "refunding"
    session.commit()
    told_paid(one)
    assert issued(one) == []
    receipts.on_settled(RentalSettled(one.rental))
    assert issued(one) == [("receipt", "price", 2700)]


def test_what_was_paid_is_receipted_although_the_rest_cannot_be_had(app: Flask) -> None:
    one = trip()
    pay(one)
    rest = pay(one, 300, purpose="extras")
    row = session.get_one(Payment, rest)
    row.state, row.captured = "arrears", 0
    session.commit()
    receipts.on_moved(PaymentFailed(rest, one.rental, "insufficient_funds"))
    assert issued(one) == [("receipt", "price", 2700)]


def test_a_rental_that_goes_on_has_no_receipt_yet(app: Flask) -> None:
    one = trip(state="active")
    pay(one)
    told_paid(one)
    assert issued(one) == []


def test_what_was_paid_before_the_end_is_receipted_and_told_at_the_end(app: Flask) -> None:
    one = trip()
    pay(one)
    receipts.on_ended(RentalEnded(rental=one.rental, at=START, total=2700, currency="EUR", by="driver"))
    assert issued(one) == [("receipt", "price", 2700)]
    told = "select count(*) from facts where kind = 'ReceiptReady' and data ->> 'rental' = :rental"
    assert session.execute(text(told), {"rental": one.rental}).scalar_one() == 1


def test_what_is_too_little_to_be_taken_needs_no_payment_for_its_receipt(app: Flask) -> None:
    one = trip()
    receipts.on_ended(RentalEnded(rental=one.rental, at=START, total=20, currency="EUR", by="driver"))
    assert issued(one) == []
    told = "select count(*) from facts where kind = 'ReceiptReady' and data ->> 'rental' = :rental"
    assert session.execute(text(told), {"rental": one.rental}).scalar_one() == 1


def test_the_share_of_a_cancellation_has_a_numbered_receipt(app: Flask) -> None:
    one = trip(state="cancelled", final_price=None, started_at=None, ended_at=None)
    pay(one, 900)
    told_paid(one)
    shown = ask(app, one).json
    assert [line["code"] for line in shown["lines"]] == ["cancellation"]
    assert (shown["total"]["amount"], shown["documents"][0]["total"]["amount"]) == (900, 900)


def test_a_cancellation_at_no_cost_has_none(app: Flask) -> None:
    one = trip(state="cancelled", final_price=None, started_at=None, ended_at=None)
    assert ask(app, one).status_code == 404


def test_a_document_never_changes(app: Flask) -> None:
    one = trip()
    pay(one)
    told_paid(one)
    [row] = document.of(one.rental)
    for change in ("update documents set amount = amount + 1", "delete from documents"):
        with pytest.raises(IntegrityError, match="never change"):
            session.execute(text(f"{change} where hash = :hash"), {"hash": row.hash})
        session.rollback()
    with pytest.raises(IntegrityError, match="never change"):
        session.execute(text("truncate documents"))
    session.rollback()


# -- how it is shown ---------------------------------------------------------------------------------------------------


def test_driver_and_owner_have_the_same_receipt_and_a_stranger_none(app: Flask) -> None:
    one = trip()
    pay(one)
    told_paid(one)
    mine, hers = ask(app, one), ask(app, one, one.olga)
    assert mine.json == hers.json
    [shown] = mine.json["documents"]
    assert (shown["kind"], shown["about"], shown["corrects"]) == ("receipt", "price", None)
    assert ask(app, one, trip().olga, **PDF).status_code == 404


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        ("application/pdf", "application/pdf"),
        ("application/json, application/pdf;q=0.5", "application/json"),
        ("application/*", "application/json"),
        ("*/*", "application/json"),
    ],
)
def test_it_comes_as_what_is_liked_best(app: Flask, accept: str, mimetype: str) -> None:
    assert ask(app, trip(), Accept=accept).mimetype == mimetype


@pytest.mark.parametrize("accept", ["text/csv", "text/html", "application/pdf;q=0"])
def test_what_it_cannot_be_is_refused(app: Flask, accept: str) -> None:
    answer = ask(app, trip(), Accept=accept)
    assert (answer.status_code, answer.content_type) == (406, "application/problem+json")


@pytest.mark.parametrize(
    ("language", "country", "currency", "said"),
    [
        ("en", "GB", "GBP", ("Receipt", "Owner", "£1,234.50", "1 Mar 2027, 10:00", "Time (180 min)")),
        ("fr", "FR", "EUR", ("Reçu", "Propriétaire", "1 234,50 €", "1 mars 2027, 10:00", "Durée (180 min)")),
        ("fr", "BE", "EUR", ("Reçu", "1 234,50 €")),
        ("fr", "CH", "CHF", ("Reçu", "1 234,50 CHF")),
        ("de", "DE", "EUR", ("Quittung", "Besitzer", "1.234,50 €", "01.03.2027, 10:00", "Zeit (180 min)")),
        ("de", "AT", "EUR", ("Quittung", "€ 1.234,50")),
        ("de", "CH", "CHF", ("Quittung", "CHF 1\u2019234.50")),
        ("nl", "NL", "EUR", ("Kwitantie", "Eigenaar", "€ 1.234,50", "1 mrt 2027, 10:00", "Tijd (180 min)")),
        ("nl", "BE", "EUR", ("Kwitantie", "€ 1.234,50")),
        (
            "it",
            "IT",
            "EUR",
            ("Ricevuta", "Proprietario", "1.234,50 €", "1 mar 2027, 10:00", "Durata (180 min)"),
        ),
        ("it", "CH", "CHF", ("Ricevuta", "CHF 1\u2019234.50")),
        ("es", "ES", "EUR", ("Recibo", "Propietario", "1.234,50 €", "1 mar 2027, 10:00", "Tiempo (180 min)")),
        ("pt", "PT", "EUR", ("Recibo", "Proprietário", "1 234,50 €", "01/03/2027, 10:00", "Tempo (180 min)")),
    ],
)
def test_the_paper_reads_in_the_drivers_language_and_country(
    app: Flask, language: str, country: str, currency: str, said: tuple[str, ...]
) -> None:
    dear = price(currency, [("time", 180, "min", 123_450)])
    one = trip(
        country=country,
        currency=currency,
        driver={"language": language, "country": country},
        final_price=dear,
    )
    pay(one, 123_450)
    told_paid(one)
    seen = words(ask(app, one, **PDF))
    for part in (*said, one.car.plate, document.of(one.rental)[0].number):
        assert part in seen


def test_who_asks_for_another_language_has_it_as_written_in_their_country(app: Flask) -> None:
    one = trip(country="CH", currency="CHF", driver={"language": "de", "country": "CH"})
    pay(one)
    told_paid(one)
    seen = words(ask(app, one, **PDF, Accept_Language="it, de;q=0.5"))
    assert "Ricevuta" in seen
    assert "CHF 27.00" in seen


def test_paper_says_who_has_what_of_the_total_and_a_credit_note_gives_back_in_proportion(app: Flask) -> None:
    one = trip(driver={"language": "en", "country": "GB"})
    payment = pay(one)
    told_paid(one)
    give_back(payment, 700)
    told_given_back(one)
    shares = [row.payload["shares"] for row in document.of(one.rental)]
    assert [shares[0][name]["amount"] for name in ("owner", "insurer", "platform", "vat")] == [
        2025,
        270,
        337,
        68,
    ]
    assert sum(shares[1][name]["amount"] for name in ("owner", "insurer", "platform", "vat")) == -700
    seen = words(ask(app, one, **PDF))
    for part in ("Of which", "Insurance share", "€20.25", "VAT in the fee (20%)", "€0.68"):
        assert part in seen


def test_each_document_is_a_page_and_the_same_bytes_at_each_reading(app: Flask) -> None:
    one = trip()
    payment = pay(one)
    told_paid(one)
    give_back(payment, 700)
    told_given_back(one)
    first, again = ask(app, one, **PDF), ask(app, one, **PDF)
    assert first.data == again.data
    receipt, note = (page.extract_text() for page in PdfReader(io.BytesIO(first.data)).pages)
    numbers = [row.number for row in document.of(one.rental)]
    assert numbers[0] in receipt
    assert "Credit note" in note
    assert all(number in note for number in numbers)


def test_a_free_rental_has_a_paper_without_a_number(app: Flask) -> None:
    one = trip(fare="free", final_price={"lines": [], "total": {"amount": 0, "currency": "EUR"}})
    seen = words(ask(app, one, **PDF))
    assert "Without a number" in seen
    assert "GLV-" not in seen


def test_letters_that_no_font_of_ours_has_are_written_without_their_accent(app: Flask) -> None:
    one = trip(driver={"name": "Jiří Dvořák"})
    assert "Jirí" in words(ask(app, one, **PDF))

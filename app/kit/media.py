"""What an answer can be besides JSON: which form the caller wants, and the answer in it."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response, current_app, request

JSON, PDF, CSV, JOSE = "application/json", "application/pdf", "text/csv", "application/jose"
HTML, CALENDAR = "text/html", "text/calendar"
JPEG, SVG, ZIP = "image/jpeg", "image/svg+xml", "application/zip"
DESCRIBED: dict[str, dict[str, Any]] = {
    PDF: {
        "schema": {
            "type": "string",
            "contentMediaType": PDF,
            "description": "A4, in the language of Accept-Language, else the person's, as written in their country.",
            "maxLength": 20_000_000,
            "pattern": "^%PDF-",
        },
        "example": "%PDF-1.4",
    },
    HTML: {
        "schema": {
            "type": "string",
            "contentMediaType": HTML,
            "description": "A page for a person, in the language of Accept-Language.",
            "maxLength": 100_000,
            "pattern": "^<!doctype html>",
        },
        "example": "<!doctype html>",
    },
    JPEG: {
        "schema": {
            "type": "string",
            "contentMediaType": JPEG,
            "format": "binary",
            "description": "A picture without metadata.",
            "maxLength": 50_000_000,
        },
        "example": "(a JPEG file)",
    },
    SVG: {
        "schema": {
            "type": "string",
            "contentMediaType": SVG,
            "description": "A drawing with a title and a description.",
            "maxLength": 10_000_000,
            "pattern": "^<svg ",
        },
        "example": '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    },
    ZIP: {
        "schema": {
            "type": "string",
            "contentMediaType": ZIP,
            "format": "binary",
            "description": "A ZIP file.",
            "maxLength": 2_000_000_000,
        },
        "example": "(a ZIP file)",
    },
    CSV: {
        "schema": {
            "type": "string",
            "contentMediaType": CSV,
            "description": "RFC 4180 in UTF-8: a header line, instants as in JSON, amounts with a decimal point.",
            "maxLength": 50_000_000,
            "pattern": r"^[A-Za-z][^\r]*\r\n",
        },
        "example": "at,amount,currency\r\n2027-03-01T09:00:00.000Z,12.50,EUR\r\n",
    },
    CALENDAR: {
        "schema": {
            "type": "string",
            "contentMediaType": CALENDAR,
            "description": "A calendar as RFC 5545 has it, with its time zones.",
            "maxLength": 5_000_000,
            "pattern": "^BEGIN:VCALENDAR",
        },
        "example": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Glovebox//Calendar 1//EN\r\nEND:VCALENDAR\r\n",
    },
    JOSE: {
        "schema": {
            "type": "string",
            "contentMediaType": JOSE,
            "description": "A compact JWS.",
            "maxLength": 4000,
            "pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$",
        },
        "example": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjb3YifQ.c2lnbmF0dXJl",
    },
}
"""How the contract describes each form besides JSON."""


def wanted(*offered: str) -> str:
    """The form that Accept likes best; the first where it likes all alike. What is not offered was refused with 406."""
    return request.accept_mimetypes.best_match(offered, offered[0]) or offered[0]


def file(data: bytes | str | Iterable[str] | Iterable[bytes], media: str, name: str) -> Response:
    """A file to be saved under that name: ASCII letters, digits, dots and dashes."""
    answer: Response = current_app.response_class(data, mimetype=media)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["Vary"] = "Accept, Accept-Language"
    return answer


PAGE_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""A page of our own with its style in it, and nothing that runs or is fetched."""


def html(body: str, status: int = 200) -> Response:
    """Such a page, in the reader's language."""
    answer: Response = current_app.response_class(body, status=status, mimetype=HTML)
    answer.headers["Content-Security-Policy"] = PAGE_CSP
    answer.headers["Vary"] = "Accept, Accept-Language"
    return answer


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180, with a header line; None is empty."""
    return csv_lines([columns, *rows])


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """Lines of `as_csv` alone, each with its end."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def harmless(text: str | None) -> str | None:
    """Text in a cell: what a spreadsheet would take for a formula gets a quotation mark in front; a number is none."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" and not _NUMBER.fullmatch(text) else text

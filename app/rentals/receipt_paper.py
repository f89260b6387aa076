"""The receipt of a rental on paper: each document on a page of its own, as issued, in the reader's language."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from babel import Locale

from app.billing import document
from app.billing.document_models import Document
from app.billing.words import or_other, say
from app.kit import locales
from app.kit.db import session
from app.kit.keys import settings
from app.kit.paper import Paper
from app.people.models import Person
from app.people.register import ZONE_OF
from app.rentals import receipts


def of(rental: str, person: str) -> bytes:
    """A PDF; raises as `receipts.of`."""
    shown = receipts.of(rental, person)
    me = session.get_one(Person, person)
    locale = locales.of_reader(me.language, me.country)
    paper = Paper(say("receipt", locale.language), str(locale).replace("_", "-"))
    issued = document.of(rental)
    for n, one in enumerate(issued):
        if n:
            paper.next_page()
        _draw(paper, one.payload, locale, one)
    if not issued:
        _draw(paper, receipts.unissued(rental, shown), locale, None)
    return paper.done()


def _draw(paper: Paper, payload: dict[str, Any], locale: Locale, issued: Document | None) -> None:
    language, zone = locale.language, payload["zone"]
    paper.heading(say(issued.kind if issued else "receipt", language))
    for line in payload.get("issuer", settings().issuer):
        paper.line(line)
    paper.space()
    if issued is None:
        paper.line(say("no_document", language))
    else:
        _about(paper, issued, locale)
    for name in ("car", "plate", "driver", "owner"):
        paper.pair(say(name, language), payload[name])
    for name in ("from", "to"):
        at = datetime.fromisoformat(payload[name])
        paper.pair(say(name, language), locales.moment(at, locale, zone))
    if payload["km"] is not None:
        paper.pair(say("distance", language), _quantity("km", payload["km"], locale))
    paper.rule()
    for line in payload["lines"]:
        paper.pair(_line(line, locale), locales.money(line["amount"], locale))
    paper.rule()
    paper.pair(say("total", language), locales.money(payload["total"], locale), bold=True)
    _draw_shares(paper, payload.get("shares"), locale)
    if issued is not None:
        paper.space()
        paper.line(f"{say('fingerprint', language)}: {issued.hash.hex()}", size=7)


def _draw_shares(paper: Paper, shares: dict[str, Any] | None, locale: Locale) -> None:
    """Who has what of the total; nothing where nothing was paid, or the document is older than that."""
    if shares is None or not any(shares[name]["amount"] for name in ("owner", "insurer", "platform")):
        return
    language = locale.language
    rate = locales.percent(shares["vat_rate"], locale)
    paper.space()
    paper.line(say("of_which", language))
    paper.pair(say("share.owner", language), locales.money(shares["owner"], locale))
    for name in ("insurer", "platform", "vat"):
        if shares[name]["amount"]:
            said = say("fee.vat_at", language, rates=rate) if name == "vat" else say(f"fee.{name}", language)
            paper.pair(said, locales.money(shares[name], locale))


def _about(paper: Paper, issued: Document, locale: Locale) -> None:
    language = locale.language
    paper.pair(say("number", language), issued.number, bold=True)
    zone = ZONE_OF[issued.payload["country"]]
    paper.pair(say("issued", language), locales.day(issued.issued_at, locale, zone))
    if issued.payload["corrects"]:
        paper.pair(say("corrects", language), issued.payload["corrects"])


def _line(line: dict[str, Any], locale: Locale) -> str:
    said = or_other("line", line["code"], "line.other", locale.language)
    if line["unit"] not in ("min", "km", "Wh"):
        return said
    return f"{said} ({_quantity(line['unit'], line['quantity'], locale)})"


def _quantity(unit: str, count: int, locale: Locale) -> str:
    if unit == "Wh":
        return say("unit.kWh", locale.language, count=locales.number(Decimal(count) / 1000, locale))
    return say(f"unit.{unit}", locale.language, count=locales.number(count, locale))

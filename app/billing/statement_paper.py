"""A month's statement as a file: CSV for programs, PDF for people."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from babel import Locale

from app.billing.words import or_other, say
from app.kit import locales, media
from app.kit.db import session
from app.kit.http import Answer
from app.kit.keys import settings
from app.kit.media import as_csv, harmless
from app.kit.paper import Paper
from app.people.models import Person

_WIDTHS = (75.0, 130.0, 110.0, 110.0)
FORMS = (media.JSON, media.CSV, media.PDF)
COLUMNS = (
    *("month", "list", "at", "kind", "what", "rental", "document", "car", "amount", "currency"),
    *("fee_platform", "fee_vat", "fee_insurer", "vat_rate"),
)


def csv(shown: dict[str, Any]) -> str:
    """One line for each entry and payment; `list` is `entries` or `payments`. Amounts with a decimal point."""
    return as_csv(COLUMNS, _rows(shown))


def _rows(shown: dict[str, Any]) -> Iterable[tuple[object, ...]]:
    for name in ("entries", "payments"):
        for one in shown[name]:
            fees = one.get("fees")
            yield (
                *(shown["month"], name, one["at"], one["kind"], one.get("what"), one["rental"]),
                *(one["document"], harmless(one["car"])),
                *(_plain(one["amount"]), one["amount"]["currency"]),
                *((_plain(fees[fee]) for fee in ("platform", "vat", "insurer")) if fees else (None,) * 3),
                locales.in_percent(rate) if (rate := one.get("vat_rate")) is not None else None,
            )


def _plain(money: dict[str, Any]) -> str:
    return str(locales.decimal_of(money["amount"], money["currency"]))


def answer(shown: dict[str, Any], reader: str, zone: str, name: str, of: str | None = None) -> Any:
    """In the form that is asked for, as file `name`; `of` whom it is, else of the reader (a person's id)."""
    form = media.wanted(*FORMS)
    if form == media.CSV:
        return media.file(csv(shown), form, f"{name}.csv")
    if form == media.PDF:
        return media.file(pdf(shown, session.get_one(Person, reader), zone, of), form, f"{name}.pdf")
    return Answer(shown, ready=True)


def pdf(shown: dict[str, Any], person: Person, zone: str, of: str | None = None) -> bytes:
    """In the reader's language, dates in the zone the month was cut in; `of` whom it is, else of the reader."""
    locale = locales.of_reader(person.language, person.country)
    language = locale.language
    month = locales.month(date.fromisoformat(f"{shown['month']}-01"), locale)
    paper = Paper(f"{say('statement', language)} {month}", str(locale).replace("_", "-"))
    paper.heading(say("statement", language))
    paper.line(say("statement.of", language, name=of or person.name, month=month), bold=True)
    for line in settings().issuer:
        paper.line(line)
    for balance in shown["balances"]:
        _draw_balance(paper, balance, locale)
    for total in shown["paid"]:
        paper.space()
        paper.pair(say("paid", language), locales.money(total, locale), bold=True)
    for name in ("entries", "payments"):
        if shown[name]:
            _draw_list(paper, name, shown[name], locale, zone)
    if not shown["balances"] and not shown["payments"]:
        paper.space()
        paper.line(say("nothing", language))
    return paper.done()


def _draw_balance(paper: Paper, balance: dict[str, Any], locale: Locale) -> None:
    language = locale.language
    paper.space()
    paper.pair(say("opening", language), locales.money(balance["opening"], locale))
    paper.rule()
    paper.pair(say("drivers_paid", language), locales.money(balance["drivers_paid"], locale))
    for fee, taken in balance["fees"].items():
        less = {**taken, "amount": -taken["amount"]}
        rates = ", ".join(locales.percent(rate, locale) for rate in balance["vat_rates"])
        said = (
            say("fee.vat_at", language, rates=rates)
            if fee == "vat" and rates
            else say(f"fee.{fee}", language)
        )
        paper.pair(said, locales.money(less, locale))
    paper.rule()
    for name in ("earned", "given_back", "paid_out"):
        paper.pair(say(name, language), locales.money(balance[name], locale))
    paper.pair(say("closing", language), locales.money(balance["closing"], locale), bold=True)


def _draw_list(paper: Paper, name: str, lines: list[dict[str, Any]], locale: Locale, zone: str) -> None:
    language = locale.language
    paper.heading(say(name, language), size=11)
    columns = [say(f"column.{column}", language) for column in ("date", "what", "document", "car", "amount")]
    paper.row(columns, _WIDTHS, bold=True)
    for one in lines:
        other = f"kind.{'earned' if one['amount']['amount'] > 0 else 'given_back'}"
        paper.row(
            (
                locales.short_day(datetime.fromisoformat(one["at"]), locale, zone),
                or_other("kind", one["kind"], other, language),
                one["document"] or "",
                one["car"] or "",
                locales.money(one["amount"], locale),
            ),
            _WIDTHS,
        )

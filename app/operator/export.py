"""`flask --app wsgi export ...`: files for accounting, tax office and auditors, on standard output."""

from collections.abc import Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import click
import orjson
from flask.cli import AppGroup

from app.billing import export_ledger, tax_report
from app.billing.export_ledger import Span
from app.coverage import log_export
from app.kit.db import end_reading
from app.kit.errors import NotFound
from app.operator import act, show
from app.operator.tax_schemas import TaxReport

FORMATS: dict[str, Callable[[Span], Iterator[str]]] = {
    "csv": export_ledger.csv,
    "beancount": export_ledger.beancount,
}
_DAY = click.DateTime(["%Y-%m-%d"])


@click.group("export", cls=AppGroup)
def export() -> None:
    """Files for accounting and for the tax office."""


@export.command("ledger")
@click.option("--from", "first", type=_DAY, required=True, help="The first day.")
@click.option("--to", "last", type=_DAY, required=True, help="The last day, included.")
@click.option("--format", "form", type=click.Choice(sorted(FORMATS)), default="csv", show_default=True)
@click.option("--zone", default="UTC", show_default=True, help="On whose clocks a day begins.")
def export_books(first: datetime, last: datetime, form: str, zone: str) -> None:
    """The entries of these days: docs/guides/accounting.md says what the columns are."""
    try:
        span = Span(first.date(), last.date(), ZoneInfo(zone))
    except (KeyError, ValueError, OSError) as error:
        raise click.BadParameter("not an IANA time zone such as Europe/Paris", param_hint="--zone") from error
    if span.last < span.first:
        raise click.BadParameter("lies before --from", param_hint="--to")
    for part in FORMATS[form](span):
        click.echo(part, nl=False)
    end_reading()


@export.command("tax-report")
@click.argument("year", type=int)
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def export_tax_report(year: int, form: str, reason: str) -> None:
    """What everybody earned in YEAR, with tax numbers in full: docs/guides/tax.md."""
    try:
        report = show.tax_report(year)
    except NotFound as error:
        raise click.BadParameter("a year from 2020 to this one", param_hint="YEAR") from error
    act.export_tax_report(year, by=act.COMMAND_LINE, reason=reason)
    if form == "csv":
        click.echo(tax_report.csv(report), nl=False)
    else:
        click.echo(orjson.dumps(TaxReport().dump(report), option=orjson.OPT_INDENT_2))


@export.command("log")
@click.option("--after", type=click.IntRange(0), default=0, help="The last position of a head that was kept.")
def export_log(after: int) -> None:
    """The log with its signed heads: what `verify-log` and docs/insurers.md take."""
    for line in log_export.lines(after):
        click.echo(line, nl=False)
    end_reading()

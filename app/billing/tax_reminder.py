"""Once a year, on 1 November: who earned and has not told what the tax report needs is told so."""

from datetime import UTC, datetime

from app.billing import tax_report
from app.facts import TaxDetailsMissing
from app.kit import clock, deadlines
from app.kit.facts import record

NOVEMBER = 11


def due(ref: str) -> None:
    """Deadline "tax_reminder": of the year whose November it was meant for, however late it comes; then a year later."""
    now = clock.now()
    year = now.year if now.month >= NOVEMBER else now.year - 1
    for person in tax_report.lacking(year):
        record(TaxDetailsMissing(person=person, year=year))
    deadlines.at("tax_reminder", ref, datetime(year + 1, NOVEMBER, 1, 8, tzinfo=UTC))

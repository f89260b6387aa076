"""What a rental of the bench costs."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.cars import terms
from payments.pricing import estimate
from payments.tariff import Fare

TERMS: dict[str, Any] = {
    **terms.DEFAULTS,
    "currency": "EUR",
    "hour": 600,
    "day_cap": 4800,
    "km_included_per_day": 100,
    "per_km": 30,
}


def price(begins: datetime, ends: datetime, fare: Fare = Fare.PRICED) -> dict[str, Any]:
    """The price of a span on these terms, as a quote keeps it."""
    return estimate(terms.tariff(TERMS), fare, begins, ends, ZoneInfo("Europe/Paris"), None).to_dict()

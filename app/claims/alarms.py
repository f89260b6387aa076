"""Hearings that wait for an operator's decision, for Prometheus beside the lags and for the doctor."""

from collections.abc import Iterator
from datetime import timedelta

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text

from app.kit.driver import read
from app.kit.metrics import LAGS

TOO_LONG = timedelta(days=7)
"""A deposit is kept for a hearing for 30 days, of which the two sides may take 17. A figure of the product."""
_WAITING = text("""
  select count(*) as hearings, coalesce(extract(epoch from business_now() - min(
    case state when 'appealed' then appealed_at else coalesce(answered_at, answer_by) end)), 0)::float as oldest_s
  from charge_requests where state in ('contested', 'appealed')
""")


def waiting() -> tuple[int, timedelta]:
    """How many wait for a decision, and since when the one that waits longest does."""
    row = read(_WAITING)[0]
    return row.hearings, timedelta(seconds=max(0.0, row.oldest_s))


class Alarms(Collector):
    """What waits for an operator."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        hearings, oldest = waiting()
        yield GaugeMetricFamily(
            "glovebox_hearings_waiting", "Charge requests that wait for a decision.", value=hearings
        )
        yield GaugeMetricFamily(
            "glovebox_hearing_oldest_seconds",
            "Since when the one that waits longest does.",
            value=oldest.total_seconds(),
        )


LAGS.register(Alarms())

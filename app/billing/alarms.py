"""Numbers about money that somebody must look at, for Prometheus beside the lags."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text

from app.kit.driver import read
from app.kit.metrics import LAGS

_OPEN = text(
    "select (select count(*) from disputes where state in ('inquiry', 'open') and evidence_sent_at is null)"
    " as disputes,"
    " (select count(*) from fraud_warnings where cleared_at is null) as warnings,"
    " (select count(*) from transfers where state = 'payable_blocked') as blocked,"
    " (select count(*) from payment_differences) as differences,"
    " (select count(*) from payment_commands where state = 'stuck') as stuck"
)


class Alarms(Collector):
    """What waits for an operator or an owner."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        row = read(_OPEN)[0]
        yield GaugeMetricFamily(
            "glovebox_disputes_open", "Disputes that wait for our evidence.", value=row.disputes
        )
        yield GaugeMetricFamily(
            "glovebox_fraud_warnings_open", "Warnings of banks nobody has looked at.", value=row.warnings
        )
        yield GaugeMetricFamily(
            "glovebox_payouts_blocked",
            "Earnings whose owner has no account to be paid into.",
            value=row.blocked,
        )
        yield GaugeMetricFamily(
            "glovebox_payment_differences_open",
            "What differs between our books and the provider.",
            value=row.differences,
        )
        yield GaugeMetricFamily(
            "glovebox_payment_steps_stuck",
            "Captures, releases and refunds that were refused time and again, or refunds sent back.",
            value=row.stuck,
        )


LAGS.register(Alarms())

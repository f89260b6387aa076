"""Bordereaux that should be there and are not, for Prometheus beside the lags."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.coverage import bordereaux
from app.kit.metrics import LAGS


class Alarms(Collector):
    """What insurers wait for."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(
            "glovebox_bordereaux_missing",
            "Master policies whose bordereaux of the last month are not made.",
            value=len(bordereaux.missing()[1]),
        )


LAGS.register(Alarms())

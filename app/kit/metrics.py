"""Numbers for Prometheus: requests as they pass, queue and sealing lag read when asked.

With `PROMETHEUS_MULTIPROC_DIR` set (prometheus_client's own variable) whichever process answers has the counts of all.
"""

import functools
import hmac
import os
import time
from collections.abc import Iterator

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import text

from app.kit import steady
from app.kit.driver import read
from app.kit.errors import NotFound

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REGISTRY, LAGS = CollectorRegistry(), CollectorRegistry()
REQUESTS = Counter(
    "glovebox_requests", "Requests answered.", ["method", "route", "status"], registry=REGISTRY
)
SECONDS = Histogram(
    "glovebox_request_seconds",
    "Time to answer.",
    ["route"],
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 20),
)


@functools.cache
def _count(method: str, route: str, status: int) -> Counter:
    """Of the few there are: looking one up with each request takes longer than counting."""
    return REQUESTS.labels(method, route, str(status))


@functools.cache
def _time(route: str) -> Histogram:
    return SECONDS.labels(route)


_LAGS = text(
    "select (select count(*) from procrastinate_jobs where status = 'todo' and scheduled_at <= now()) as waiting,"
    " (select coalesce(extract(epoch from now() - min(scheduled_at)), 0) from procrastinate_jobs"
    "   where status = 'todo' and scheduled_at <= now()) as queue_lag,"
    " (select count(*) from failed_jobs) as failed,"
    " (select coalesce(extract(epoch from clock_timestamp() - min(recorded_at)), 0) from facts where position is null)"
    "   as sealing_lag,"
    " (select count(*) from deadlines where due_at < (select business_now()) - interval '10 s') as overdue"
)


class Lags(Collector):
    """What the database knows of the work that waits."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        row = read(_LAGS)[0]
        yield GaugeMetricFamily("glovebox_jobs_waiting", "Jobs that could run now.", value=row.waiting)
        yield GaugeMetricFamily(
            "glovebox_queue_lag_seconds", "Age of the oldest waiting job.", value=float(row.queue_lag)
        )
        yield GaugeMetricFamily("glovebox_failed_jobs", "Jobs somebody must look at.", value=row.failed)
        yield GaugeMetricFamily(
            "glovebox_sealing_lag_seconds", "Age of the oldest unsealed fact.", value=float(row.sealing_lag)
        )
        yield GaugeMetricFamily("glovebox_deadlines_overdue", "Deadlines over 10 s late.", value=row.overdue)


class Clocks(Collector):
    """What the process that answers sees of the clocks."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        watch = steady.watch()
        yield GaugeMetricFamily(
            "glovebox_clock_unsteady",
            "1 while no unlock is let through for it.",
            value=0 if watch.steady else 1,
        )
        yield GaugeMetricFamily(
            "glovebox_clock_step_seconds",
            "By how much a clock was last put forward or back.",
            value=watch.moved,
        )
        yield GaugeMetricFamily(
            "glovebox_clock_apart_seconds",
            "How far this machine's clock is ahead of the database's.",
            value=watch.apart,
        )


LAGS.register(Lags())
LAGS.register(Clocks())


def counts() -> CollectorRegistry:
    """The counts of this process, or of all that share the folder."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    every = CollectorRegistry()
    MultiProcessCollector(every)  # type: ignore[no-untyped-call]
    return every


def lags() -> dict[str, float]:
    """The same for /readyz and doctor."""
    return {name: float(value) for name, value in read(_LAGS)[0]._asdict().items()}


def install(app: Flask) -> None:
    """Count every request, and answer /metrics to who holds the metrics token."""

    def begin() -> None:
        g.began = time.perf_counter()

    def end(answer: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in METHODS else "other"
        _count(method, route, answer.status_code).inc()
        _time(route).observe(time.perf_counter() - g.get("began", time.perf_counter()))
        return answer

    def show() -> Response:
        wanted = app.extensions["glovebox"].settings.metrics_token
        given = request.headers.get("Authorization", "")
        if not wanted or not hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode()):
            raise NotFound
        told = generate_latest(counts()) + generate_latest(LAGS)
        answer: Response = app.response_class(told, mimetype="text/plain; version=0.0.4")
        return answer

    app.before_request(begin)
    app.after_request(end)
    app.add_url_rule("/metrics", "metrics", show)

"""Jobs: deferred in the transaction that needs them, run by workers at least once, retried by what their errors say."""

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from flask import Flask
from procrastinate import App, JobContext, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.clock import real_now
from app.kit.db import Big, Model, session, transactional
from app.kit.driver import plain

log = structlog.get_logger(__name__)
FIRST_RETRY_S, LAST_RETRY_S = 1, 300
DATABASE_AWAY = (InterfaceError, OperationalError, PendingRollbackError, PoolTimeout)
"""The last but one: the connection broke inside a savepoint, and what came next in its transaction says so."""
_HANDLERS: dict[str, Callable[..., None]] = {}
_mine: set[int] = set()
_running: set[int] = set()
"""The workers of this process, as the queue numbers them, and the jobs they run now."""


class FailedJob(Model):
    """A job that will not be tried again by itself: somebody has to look."""

    __tablename__ = "failed_jobs"
    job_id: Mapped[Big] = mapped_column(primary_key=True)
    task: Mapped[str]
    args: Mapped[dict[str, Any]]
    error: Mapped[str]
    failed_at: Mapped[datetime]


def job(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register the function as the worker of `name`. It may run twice at any time."""

    def register(work: Callable[..., None]) -> Callable[..., None]:
        if _HANDLERS.setdefault(name, work) is not work:
            raise ValueError(f"job {name} has two workers")
        return work

    return register


def names() -> frozenset[str]:
    return frozenset(_HANDLERS)


_DEFER = text(
    "select procrastinate_defer_jobs_v1(array[row('default', :name, cast(:priority as integer), cast(:lock as text), null,"
    " cast(:args as jsonb),"
    " now() + make_interval(secs => cast(:after as double precision)))::procrastinate_job_to_defer_v1])"
)


def defer(name: str, *, lock: str | None = None, after_s: float = 0, last: bool = False, **args: Any) -> None:
    """Defer a job in the present transaction: a rollback leaves none. Jobs of one `lock` run one after the other.

    One that is to run `last` lets every other job go first: thousands of its kind come at once, and none is in a hurry.
    """
    how = {"lock": lock, "after": after_s, "priority": -1 if last else 0}
    plain(_DEFER, {"name": name, "args": json.dumps(args), **how}, flush=False)


_HURRY = text(
    "update procrastinate_jobs set scheduled_at = now()"
    " where lock = :lock and status = 'todo' and scheduled_at > now()"
)


def hurry(lock: str) -> None:
    """Have jobs of a lock that wait for their next try run now: they would hold up the one that comes behind them."""
    session.execute(_HURRY, {"lock": lock})


class ByError(BaseRetryStrategy):
    """Temporary errors come back from 1 s to 5 min without end, all others not at all."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if not is_temporary(exception):
            return None
        wait = getattr(exception, "retry_after", None) or min(FIRST_RETRY_S * 2**job.attempts, LAST_RETRY_S)
        return RetryDecision(retry_in={"seconds": int(max(FIRST_RETRY_S, min(wait, LAST_RETRY_S)))})


def is_temporary(error: BaseException) -> bool:
    """Our own errors say so themselves; a database that is away or in the way is temporary too."""
    said = getattr(error, "temporary", None)
    if said is not None:
        return bool(said)
    return isinstance(error, DATABASE_AWAY)


def worker_app(flask_app: Flask, conninfo: str) -> App:
    """The procrastinate app of a worker process: each handler runs in an application context of its own."""
    queue = App(connector=PsycopgConnector(conninfo=conninfo, min_size=1, max_size=4))
    for name, handler in _HANDLERS.items():
        queue.task(name=name, retry=ByError(), pass_context=True)(_run_in(flask_app, name, handler))
    return queue


def _run_in(flask_app: Flask, name: str, handler: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(handler)
    def run(context: JobContext, **args: Any) -> None:
        with (
            _at_work(context.job),
            flask_app.app_context(),
            structlog.contextvars.bound_contextvars(job=name, job_id=context.job.id),
        ):
            try:
                handler(**args)
            except Exception as error:
                if not is_temporary(error):
                    keep_failed(cast("int", context.job.id), name, args, repr(error))
                log.warning("job failed", temporary=is_temporary(error), error=repr(error))
                raise

    return run


@contextmanager
def _at_work(one: Job) -> Iterator[None]:
    """The job is in hand here, not lost."""
    if one.worker_id is not None:
        _mine.add(one.worker_id)
    number = cast("int", one.id)
    _running.add(number)
    try:
        yield
    finally:
        _running.discard(number)


@transactional
def keep_failed(job_id: int, name: str, args: dict[str, Any], error: str) -> None:
    """Write down a job that failed for good; the metric `glovebox_failed_jobs` alarms on it."""
    session.merge(
        FailedJob(job_id=Big(job_id), task=name, args=args, error=error[:2000], failed_at=real_now())
    )


@transactional
def again(failed: FailedJob) -> None:
    """Put a job that failed for good back into the queue, with its lock; one the queue has lost is deferred anew."""
    known = session.execute(_FAILED, {"id": failed.job_id}).first()
    if known is None:
        defer(failed.task, **failed.args)
    else:
        session.execute(_AGAIN, {"id": failed.job_id})
    session.delete(failed)


_FAILED = text("select 1 from procrastinate_jobs where id = :id and status = 'failed' for update")
_GONE = text(
    "select j.id from procrastinate_jobs j left join procrastinate_workers w on w.id = j.worker_id"
    " where j.status = 'doing' and (w.id is null or w.last_heartbeat < now() - :silent)"
    " for update of j skip locked"
)
_LOST = text(
    "select j.id from procrastinate_jobs j where j.status = 'doing'"
    " and j.worker_id = any(:mine) and not j.id = any(:running)"
    " and (select max(e.at) from procrastinate_events e where e.job_id = j.id and e.type = 'started') < now() - :silent"
    " for update of j skip locked"
)
_AGAIN = text("select procrastinate_retry_job_v2(:id, now(), null, null, null)")


@transactional
def rescue(silent_for: timedelta = timedelta(seconds=30)) -> int:
    """Put jobs that nobody runs back into the queue; returns how many.

    procrastinate has heartbeats but no lease: the jobs of a worker killed with -9 stay `doing` for good, and so do those
    whose taking or ending this process never heard of, because its connection broke just then.
    """
    mine, running = sorted(_mine), sorted(_running)
    found = [
        *session.execute(_GONE, {"silent": silent_for}).scalars(),
        *session.execute(_LOST, {"silent": silent_for, "mine": mine, "running": running}).scalars(),
    ]
    for job_id in found:
        session.execute(_AGAIN, {"id": job_id})
    return len(found)

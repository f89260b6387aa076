"""worker: runs jobs, seals facts, works off deadlines, pushes out, rescues jobs of killed workers. Any number of them."""

import asyncio
import contextlib
import signal
import threading

import psycopg
import structlog
from flask import Flask
from procrastinate.exceptions import ProcrastinateException

from app import due, sealer
from app.kit import jobs
from app.kit.db import release
from app.kit.listen import conninfo
from app.messages import push_out

log = structlog.get_logger(__name__)
CONCURRENCY, RESCUE_EVERY_S, BEGIN_AGAIN_S, LOOK_S = 6, 10, 1.0, 0.2


def run(app: Flask, *, concurrency: int = CONCURRENCY) -> None:
    """Until SIGTERM or SIGINT. A queue that ended because the database was away is begun again."""
    stop = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stop.set())
    loops = (_watch_clock, sealer.run, due.run, push_out.run, _rescue)
    threads = [threading.Thread(target=loop, args=(app, stop), name=loop.__module__) for loop in loops]
    for thread in threads:
        thread.start()
    try:
        while not stop.is_set():
            _until_it_ends(app, concurrency, stop)
            stop.wait(BEGIN_AGAIN_S)
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    log.info("worker stopped")


def _until_it_ends(app: Flask, concurrency: int, stop: threading.Event) -> None:
    try:
        asyncio.run(_work(app, concurrency, stop))
    except (ProcrastinateException, psycopg.Error) as error:
        log.warning("the queue ended", error=repr(error))


async def _work(app: Flask, concurrency: int, stop: threading.Event) -> None:
    """Run jobs until asked to stop, which lets the running ones end, or until the queue ends by itself."""
    queue = jobs.worker_app(app, conninfo(app.extensions["glovebox"].settings.listen_database_url))
    async with queue.open_async():
        working = asyncio.create_task(
            queue.run_worker_async(
                concurrency=concurrency,
                delete_jobs="successful",
                fetch_job_polling_interval=1.0,
                shutdown_graceful_timeout=20,
                install_signal_handlers=False,
            )
        )
        while not (stop.is_set() or working.done()):
            await asyncio.wait([working], timeout=LOOK_S)
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


def _watch_clock(app: Flask, stop: threading.Event) -> None:
    app.extensions["glovebox"].watch.keep_looking(app, stop, "worker")


def _rescue(app: Flask, stop: threading.Event) -> None:
    with app.app_context():
        while not stop.wait(RESCUE_EVERY_S):
            try:
                found = jobs.rescue()
                if found:
                    log.warning("rescued jobs of a worker that is gone", count=found)
            except Exception as error:
                log.exception("rescue", error=repr(error))
            release()

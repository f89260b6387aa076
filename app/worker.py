"""worker: runs jobs, seals facts, works off deadlines, rescues jobs of killed workers. Any number of them."""

import asyncio
import threading

import structlog
from flask import Flask

from app import due, sealer
from app.kit import jobs
from app.kit.db import release
from app.kit.listen import conninfo

log = structlog.get_logger(__name__)
CONCURRENCY, RESCUE_EVERY_S = 6, 10


def run(app: Flask, *, concurrency: int = CONCURRENCY) -> None:
    """Until SIGTERM or SIGINT."""
    stop = threading.Event()
    loops = (sealer.run, due.run, _rescue)
    threads = [threading.Thread(target=loop, args=(app, stop), name=loop.__module__) for loop in loops]
    for thread in threads:
        thread.start()
    try:
        asyncio.run(_work(app, concurrency))
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


async def _work(app: Flask, concurrency: int) -> None:
    queue = jobs.worker_app(app, conninfo(app.extensions["glovebox"].settings.database_url))
    async with queue.open_async():
        await queue.run_worker_async(
            concurrency=concurrency,
            delete_jobs="successful",
            fetch_job_polling_interval=1.0,
            shutdown_graceful_timeout=20,
        )
    log.info("worker stopped")


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

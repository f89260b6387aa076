"""Many messages at once, with an end: what hangs is left to itself, and what has not begun by then was surely not sent."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog

from notifications.push import PushCut, PushError, PushMessage, PushUnavailable

log = structlog.get_logger(__name__)
Came = str | PushError
_CUT = PushCut("its batch had to end")


def each(
    messages: Sequence[PushMessage], send: Callable[[PushMessage], Came], *, at_once: int, until: float
) -> list[Came]:
    """What came of each, in their order, `at_once` of them at a time; `until` as `time.monotonic` tells it."""
    if not messages:
        return []
    if time.monotonic() >= until:
        return [_CUT] * len(messages)
    threads = ThreadPoolExecutor(min(at_once, len(messages)), "push")
    asked = [threads.submit(send, one) for one in messages]
    wait(asked, timeout=max(0.0, until - time.monotonic()))
    threads.shutdown(wait=False, cancel_futures=True)
    return [_of(one) for one in asked]


def _of(asked: Future[Came]) -> Came:
    if asked.cancelled():
        return _CUT
    if not asked.done():
        return PushUnavailable("no answer in time")
    try:
        return asked.result()
    except Exception as error:  # what nobody has foreseen of one message leaves the others as they are
        log.exception("a push that came to something unforeseen", error=repr(error))
        return PushUnavailable(f"unforeseen: {type(error).__name__}")

"""Structured JSON logs: one line per event, request ids, never a secret, never a position."""

import logging
import sys
from typing import Any

import structlog

_NEVER = frozenset(
    {
        "password",
        "token",
        "refresh_token",
        "access_token",
        "authorization",
        "code",
        "secret",
        "lat",
        "lon",
        "latitude",
        "longitude",
        "client_secret",
        "pin",
        "totp",
    }
)


def _hide(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    """What must never be in a log is replaced, whoever put it there."""
    for key in event.keys() & _NEVER:
        event[key] = "[hidden]"
    return event


def configure(process: str, level: int = logging.INFO) -> None:
    """Log JSON lines to standard error, the standard library's logs included."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))

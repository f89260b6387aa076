"""A step of one of boxlink's threads, in an application context of its own; what goes wrong in it ends no thread."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog
from flask import Flask

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger(__name__)


def aside(app: Flask, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What it returns; None when it failed, which is logged."""
    with app.app_context():
        try:
            return work(*args, **kwargs)
        except Exception as error:
            log.exception("boxlink", work=getattr(work, "__name__", "?"), error=repr(error))
            return None

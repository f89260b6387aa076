"""The whole log as a file: facts, the versions of covers they bind, and signed heads, in the order of positions."""

from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import text

from app.coverage import log_head
from app.kit.db import session

_LINES = text(
    "select f.position, f.seq, f.kind, f.data::text as data, f.at, f.recorded_at, f.chain, x.data as version, h.signed"
    " from facts f left join cover_versions x on x.fact_seq = f.seq left join log_heads h on h.last = f.position"
    " where f.position > cast(:after as bigint) order by f.position"
)
_BATCH = 2000


def lines(after: int = 0) -> Iterator[str]:
    """One JSON object a line, as `insurance/verify_log.py` says, of what comes after a position; read in batches."""
    for row in session.execute(_LINES, {"after": after}, execution_options={"yield_per": _BATCH}):
        yield _line(fact=log_head.entry(row))
        if row.version is not None and "digest" in orjson.loads(row.data):
            yield _line(cover={"position": row.position, "version": row.version})
        if row.signed is not None:
            yield _line(head=row.signed)


def _line(**what: Any) -> str:
    return orjson.dumps(what).decode() + "\n"

"""The proof that a version of a cover lies in the log, under a head that was signed and handed out."""

from typing import Any

from sqlalchemy import text

from app.coverage import log_head, sealed
from app.coverage.log_head import CHUNK, HEIGHT
from app.coverage.models import COV, INS
from app.kit.db import bare
from app.kit.driver import read
from app.kit.errors import NotFound
from insurance import verify_log

_VERSION = text(
    "select f.position, x.data from cover_versions x join facts f on f.seq = x.fact_seq"
    " where x.cover_id = :cover and x.insurer_id = :insurer and f.position <= cast(:position as bigint)"
    " and x.version = coalesce(cast(:version as int), x.version) order by x.version desc limit 1"
)
_HEAD = text(
    "select first, last, nodes, signed from log_heads where last >= cast(:position as bigint) order by last limit 1"
)
_FACTS = text(log_head.ENTRY)


def proof(insurer: str, cover: str, version: int | None = None) -> dict[str, Any]:
    """Of one version, the newest unless named; without a head while none lies over it yet. Raises NotFound."""
    known = sealed.head()
    values = {"cover": bare(cover, COV), "insurer": bare(insurer, INS), "position": known.position}
    found = read(_VERSION, {**values, "version": version})
    if not found:
        raise NotFound
    position = found[0].position
    heads = read(_HEAD, {"position": position})
    head = heads[0] if heads else None
    first, last = (head.first, head.last) if head else (position, position)
    index = position - first
    start = first + index // CHUNK * CHUNK
    rows = read(_FACTS, {"first": start, "last": min(start + CHUNK - 1, last)})
    entries = [log_head.entry(row) for row in rows]
    return {
        "cover": found[0].data,
        "fact": entries[position - start],
        "head": head.signed if head else None,
        "path": [one.hex() for one in _path(entries, log_head.chunk_of(head.nodes), index)] if head else [],
        "as_of": known.as_of,
        "position": known.position,
    }


def _path(entries: list[dict[str, Any]], nodes: Any, index: int) -> list[bytes]:
    """From the leaf to its chunk's node, and on to the root."""
    leaves = [verify_log.leaf(one) for one in entries]
    return [*verify_log.path(leaves, index % CHUNK), *verify_log.path(nodes, index >> HEIGHT)]

"""Chain heads for insurers, and how far an answer to them reaches."""

from sqlalchemy import text

from app.kit.driver import read
from app.kit.sealed import LAST, Head, head, of

__all__ = ["LAST", "Head", "head", "heads", "of"]

_HEADS = text(
    "select position, sealed_at, chain from facts where position <= cast(:upto as bigint)"
    " order by position desc limit cast(:most as int)"
)


def heads(*, upto: int, most: int) -> list[dict[str, object]]:
    """Chain heads, newest first: what was handed out once must be found again."""
    rows = read(_HEADS, {"upto": upto, "most": most})
    return [
        {
            "position": row.position,
            "sealed_at": row.sealed_at,
            "chain": bytes(row.chain).hex() if row.chain is not None else None,
        }
        for row in rows
    ]

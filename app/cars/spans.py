"""Spans of instants, half-open. Pure: who reads strangers' calendars apart from all else needs nothing more."""

from collections.abc import Iterable
from datetime import datetime

Span = tuple[datetime, datetime]


def union(found: Iterable[Span]) -> list[Span]:
    """Spans merged where they touch or overlap, in order."""
    merged: list[Span] = []
    for begins, ends in sorted(found):
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ends))
        else:
            merged.append((begins, ends))
    return merged

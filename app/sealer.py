"""The sealer: gives facts their permanent position. One at a time, woken by NOTIFY; readers know only positions.

A fact may be sealed once every transaction that could still commit an earlier one is over: below
`pg_snapshot_xmin`. Sealed facts are numbered densely in the order (xid, seq) and chained by SHA-256.
"""

import threading
from collections.abc import Sequence
from typing import Any

from flask import Flask
from sqlalchemy import Row, text

from app.kit.db import release, session, transactional
from app.kit.facts import as_sealed
from app.kit.keys import settings
from app.kit.leader import lead
from insurance.verify_log import GENESIS, link

BATCH, LEADER, ONE_AT_A_TIME = 500, 7005, 7007
IDLE_S, WAIT_S = 1.0, 0.01
_READY = text(
    "select seq, kind, data::text as data, at, recorded_at from facts where position is null"
    " and xid < pg_snapshot_xmin(pg_current_snapshot()) order by xid, seq limit :batch"
)
_LEFT = text("select exists(select 1 from facts where position is null)")
_HEAD = text(
    "select position, chain, sealed_at + interval '1 ms' as sealed,"
    " sealed_at + (at - recorded_at) + interval '1 ms' as moved from facts"
    " where position is not null order by position desc limit 1"
)
# A clock that was put back must not seal a fact before an earlier one, nor in the same millisecond: `as_of` an instant
# between would change its answer. In demo and test `as_of` is in business time.
_SEAL = text(
    "update facts f set position = v.position, chain = v.chain, sealed_at = greatest(clock_timestamp(),"
    " cast(:floor as timestamptz) - case when :moves then f.at - f.recorded_at else interval '0' end)"
    " from unnest(cast(:seqs as bigint[]), cast(:positions as bigint[]), cast(:chains as bytea[]))"
    " as v(seq, position, chain) where f.seq = v.seq"
)


@transactional
def seal() -> int:
    """Seal what may be sealed; returns how many facts.

    A sealer that was cut off and has not seen it may still be at work: one waits here for the other, and then reads.
    """
    session.execute(text("select pg_advisory_xact_lock(:n)"), {"n": ONE_AT_A_TIME})
    rows: Sequence[Row[Any]] = session.execute(_READY, {"batch": BATCH}).all()
    if not rows:
        return 0
    head = session.execute(_HEAD).first()
    position, chain = (head.position, bytes(head.chain)) if head else (0, GENESIS)
    seqs, positions, chains = [], [], []
    for row in rows:
        position, chain = position + 1, link(chain, as_sealed(row))
        seqs.append(row.seq)
        positions.append(position)
        chains.append(chain)
    moves = settings().clock_may_move
    floor = None if head is None else head.moved if moves else head.sealed
    parameters = {"seqs": seqs, "positions": positions, "chains": chains, "floor": floor, "moves": moves}
    session.execute(_SEAL, parameters)
    return len(rows)


def run(app: Flask, stop: threading.Event) -> None:
    """Seal until stopped, while this process leads: asleep until facts are written, then until none is left."""

    def work() -> None:
        while not stop.is_set() and _left():
            if not seal():
                stop.wait(WAIT_S)

    with app.app_context():
        lead(LEADER, "facts", IDLE_S, stop, work)


def _left() -> bool:
    """Whether facts wait; one that cannot be sealed yet waits for an older transaction to end."""
    found: bool = session.execute(_LEFT).scalar_one()
    release()
    return found

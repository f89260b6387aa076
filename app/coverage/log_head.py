"""Once a day the log gets a signed head, which goes to the insurers: nothing under it can be changed unseen."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import select, text

from app.coverage import certificate, doors
from app.coverage.models import LogHeadRow
from app.facts import LogHeadSigned
from app.kit import clock, deadlines, facts
from app.kit.db import session, transactional
from app.kit.jobs import defer, job
from app.kit.keys import settings
from insurance import verify_log
from insurance.log_head import LogHead, sign

HEIGHT = 8
CHUNK = 2**HEIGHT
"""Of so many leaves each the tree's node is kept: a proof reads these facts alone."""
ENTRY = (
    "select position, seq, kind, data::text as data, at, recorded_at, chain from facts"
    " where position between cast(:first as bigint) and cast(:last as bigint) order by position"
)
_FACTS = text(ENTRY)
_LAST = text("select position from facts where position is not null order by position desc limit 1")
_ONE_AT_A_TIME = 7010


def due(ref: str) -> None:
    """Deadline "log_head": have the day's head signed, and the next at the beginning of the next day, UTC."""
    defer("sign_log_head", lock="sign_log_head")
    deadlines.at("log_head", ref, next_at(clock.now()))


def next_at(now: datetime) -> datetime:
    return datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)


@job("sign_log_head")
@transactional
def sign_log_head() -> None:
    """Sign a head over all facts sealed since the last; nothing where none were."""
    session.execute(text("select pg_advisory_xact_lock(:n)"), {"n": _ONE_AT_A_TIME})
    before = session.scalars(select(LogHeadRow).order_by(LogHeadRow.number.desc()).limit(1)).first()
    first = before.last + 1 if before else 1
    last = session.execute(_LAST).scalar() or 0
    if last < first:
        return
    nodes, chain = _nodes(first, last)
    now = clock.now()
    head = LogHead(
        issuer=settings().public_url,
        number=before.number + 1 if before else 1,
        first=first,
        last=last,
        chain=chain,
        root=verify_log.root(nodes),
        signed_at=now,
    )
    signed = sign(certificate.signing_key(), head)
    session.add(
        LogHeadRow(
            number=head.number,
            first=first,
            last=last,
            chain=chain,
            nodes=b"".join(nodes),
            signed=signed,
            signed_at=now,
        )
    )
    facts.record(LogHeadSigned(number=head.number, last=last, root=head.root.hex(), chain=chain.hex()))


def _nodes(first: int, last: int) -> tuple[list[bytes], bytes]:
    """The tree's nodes over each CHUNK of leaves, and the chain at the last; facts come in batches."""
    found, leaves, chain = list[bytes](), list[bytes](), b""
    for row in session.execute(
        _FACTS, {"first": first, "last": last}, execution_options={"yield_per": 10 * CHUNK}
    ):
        leaves.append(verify_log.leaf(entry(row)))
        chain = bytes(row.chain)
        if len(leaves) == CHUNK:
            found.append(verify_log.root(leaves))
            leaves = []
    return [*found, verify_log.root(leaves)] if leaves else found, chain


def entry(row: Any) -> dict[str, Any]:
    """A sealed fact as it is proved and exported."""
    return {"position": row.position, **facts.as_sealed(row), "chain": bytes(row.chain).hex()}


def tell(fact: LogHeadSigned) -> None:
    """Reaction to a signed head: each insurer with an API of its own is to have it."""
    for name in doors.each():
        defer("tell_log_head", lock=f"log_head.{name}", number=fact.number, country=name)


@job("tell_log_head")
def tell_log_head(number: int, country: str) -> None:
    """Hand a head over at the door of that name; temporary errors come back by themselves, and nothing is lost meanwhile."""
    door, signed = doors.each().get(country), _signed(number)
    if door is not None and signed is not None:
        door.keep_head(number, signed)


@transactional
def _signed(number: int) -> str | None:
    row = session.get(LogHeadRow, number)
    return None if row is None else row.signed


def chunk_of(nodes: bytes) -> Sequence[bytes]:
    """The kept nodes, one by one."""
    return [nodes[i : i + 32] for i in range(0, len(nodes), 32)]

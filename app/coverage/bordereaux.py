"""Monthly bordereaux: made once when the month is over, each line kept as it was handed out, corrected by later lines alone.

A cover is in the bordereau of the month in which it begins, on the clocks of the place where it was given. What changed
after it was reported, or became known too late, is a line of the next one. So the premiums of all lines sum to those of the
covers, and what claims bordereaux show as paid in the month to what was paid.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

import structlog
from flask import Flask, current_app
from sqlalchemy import select, text

from app.coverage import bordereau_book, bordereau_covers, claims_reported
from app.coverage.bordereau_book import JSON_END, Book, json_between, json_head
from app.coverage.bordereau_covers import MONTH, Policies, month_end
from app.coverage.bordereau_models import BDX, Bordereau
from app.coverage.models import INS
from app.kit import clock, deadlines
from app.kit.db import bare, session, transactional
from app.kit.driver import long_read, plain, read
from app.kit.errors import NotFound, Validation
from app.kit.http import Page, page
from app.kit.jobs import defer, is_temporary, job
from app.kit.media import CSV
from insurance import bordereau, claims_bordereau
from insurance.bordereau import OF_COVERS, Kind

log = structlog.get_logger(__name__)
CLOSED_ON, HOUR = 6, 3
"""The day of the next month, and its hour UTC: by then boxes that were out of reach have mostly reported."""
WITHIN = timedelta(hours=1)
"""So long after that hour bordereaux are there, or something is wrong with them."""
BATCH = 1000
"""So many covers are read, and written, at a time."""
_POLICIES = text(
    "select distinct insurer_id, number from master_policies"
    " where insurer_id = coalesce(cast(:insurer as uuid), insurer_id) order by 1, 2"
)
_MISSING = text(
    "select insurer_id, number from master_policies p group by 1, 2 having min(made_at) < :due and not exists ("
    "select 1 from bordereaux b where b.insurer_id = p.insurer_id and b.number = p.number and b.month = :month and b.whole)"
    " order by 1, 2"
)
_LOCK = text(
    "select pg_advisory_xact_lock(hashtextextended(cast(:insurer as uuid) || cast(:number as text), 7011))"
)
_MADE = text(
    "select bool_or(month = :month) as already, max(month) as last from bordereaux"
    " where insurer_id = :insurer and number = :number and whole"
)
_LINES = text(
    "select no, csv, json from bordereau_rows where bordereau_id = :of and no > cast(:after as bigint)"
    " order by no limit cast(:most as int)"
)
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
Tell = Callable[[str, int], None]
"""Hears a policy's number, and how many of its covers were looked at so far: at each batch, and at the end."""


class NotMadeError(Exception):
    """Bordereaux of policies could not be made; those of all others were. Jobs try again until somebody has mended it."""

    temporary = True


def due(ref: str) -> None:
    """Deadline "bordereaux": have last month's made, and the next in a month."""
    now = clock.now()
    defer("close_bordereaux", lock="close_bordereaux", month=(now - MONTH).isoformat()[:7])
    deadlines.at("bordereaux", ref, next_at(now))


def next_at(now: datetime) -> datetime:
    """The sixth of a month at three o'clock, UTC, after `now`."""
    this = datetime(now.year, now.month, CLOSED_ON, HOUR, tzinfo=UTC)
    return this if this > now else this + MONTH


@job("close_bordereaux")
@transactional
def close_bordereaux(month: str) -> None:
    """A job for each policy, so that none waits for another. Those of one policy run month after month."""
    for row in plain(_POLICIES, {"insurer": None}):
        one = Policies(row.insurer_id, row.number)
        lock = f"bordereau {one.of} {one.number}"
        defer("close_bordereau", lock=lock, insurer=one.of, number=one.number, month=month)


@job("close_bordereau")
def close_bordereau(insurer: str, number: str, month: str) -> None:
    """One that fails is tried again without end, whatever the reason: it is missing until somebody mends what is wrong."""
    try:
        _close(Policies(bare(insurer, INS), number), month, None, BATCH)
    except Exception as error:
        if is_temporary(error):
            raise
        raise NotMadeError(f"{number} {month}: {error!r}") from error


def missing() -> tuple[str, list[Policies]]:
    """The month that was to be closed last, and the policies of which it is not made."""
    due_at = next_at(clock.now() - WITHIN) - MONTH
    month = (due_at - MONTH).isoformat()[:7]
    rows = read(_MISSING, {"due": due_at, "month": month})
    return month, [Policies(row.insurer_id, row.number) for row in rows]


def close(month: str, tell: Tell | None = None, *, insurer: str | None = None, batch: int = BATCH) -> int:
    """Make what is missing of a month that is over everywhere; returns how many lines.

    `insurer`: its policies alone. What was broken off is made anew; what was made before is left as it is. One that
    fails keeps none of the others from being made.
    Raises Validation, NotFound, NotMadeError.
    """
    if month_end(month) + timedelta(days=1) >= clock.now().date():
        raise Validation(
            errors=[{"parameter": "month", "code": "future", "detail": "It is not over everywhere."}]
        )
    count, failed = 0, list[str]()
    for row in read(_POLICIES, {"insurer": None if insurer is None else bare(insurer, INS)}):
        try:
            count += _close(Policies(row.insurer_id, row.number), month, tell, batch)
        except Exception as error:
            log.exception("bordereau not made", number=row.number, month=month, error=repr(error))
            failed.append(f"{row.number}: {error!r}")
    if failed:
        raise NotMadeError("; ".join(failed))
    return count


def _close(policies: Policies, month: str, tell: Tell | None, batch: int) -> int:
    """One policy's, by one process at a time: the transaction that reads lasts to the end, and holds the lock."""
    with long_read() as reading:
        reading.execute(_LOCK, policies.names)
        made = reading.execute(_MADE, {**policies.names, "month": month}).one()
        if made.already:
            return 0
        bordereau_book.remove_broken_off(policies.names)
        headings = {kind: bordereau.columns(kind) for kind in OF_COVERS}
        now = clock.now()
        of_covers = [
            Book(kind, of, policies.of, policies.number, month, now) for kind, of in headings.items()
        ]
        claims = Book("claims", claims_bordereau.COLUMNS, policies.of, policies.number, month, now)
        bordereau_book.begin([*of_covers, claims])
        with closing(bordereau_covers.lines(reading, policies, month, made.last, batch)) as lines:
            _write_covers(of_covers, lines, batch, partial(tell or _untold, policies.number))
        told = claims_reported.Told()
        upto = month_end(month)
        with closing(
            claims_reported.lines(reading, policies.insurer, policies.number, upto, batch, told)
        ) as found:
            _write_claims(claims, found, batch)
        return _finish([*of_covers, claims], told)


def _untold(_policy: str, _covers: int) -> None:
    """Nobody listens."""


def _write_covers(
    books: list[Book], lines: Iterator[tuple[bordereau.Line, Any]], batch: int, tell: Callable[[int], None]
) -> None:
    count = 0
    while some := list(islice(lines, batch)):
        reported = []
        for line, row in some:
            told = {kind for kind in OF_COVERS if line.belongs(kind)}
            for kind, book in zip(OF_COVERS, books, strict=True):
                if kind in told:
                    book.take(bordereau.row(line, kind))
            reported.append(bordereau_covers.reported(row, line, told))
        bordereau_book.write(books, reported)
        count += len(some)
        tell(count)


def _write_claims(book: Book, lines: Iterator[claims_bordereau.ClaimLine], batch: int) -> None:
    while some := list(islice(lines, batch)):
        for line in some:
            book.take(claims_bordereau.row(line))
        bordereau_book.write([book])


@transactional
def _finish(books: list[Book], claims: claims_reported.Told) -> int:
    """From this commit on they are handed out, and what they told counts as told."""
    claims.remember()
    for book in books:
        book.close()
    return sum(book.lines for book in books)


# -- reading


def find(insurer: str, month: str, kind: Kind, number: str | None) -> Bordereau:
    """One that was made. Raises NotFound, and Validation where a policy must be named."""
    if not _MONTH.fullmatch(month):
        raise NotFound
    wanted = select(Bordereau).filter_by(insurer_id=insurer, month=month, kind=kind, whole=True)
    if number is not None:
        wanted = wanted.filter_by(number=number)
    found = session.scalars(wanted.order_by(Bordereau.number).limit(2)).all()
    if not found:
        raise NotFound
    if len(found) > 1:
        detail = "There are several policies: name one, as in the list of bordereaux."
        raise Validation(errors=[{"parameter": "policy_number", "code": "required", "detail": detail}])
    return found[0]


def listed(insurer: str, *, limit: int, cursor: str | None) -> Page:
    """Those that were made, the last one first."""
    return page(
        select(Bordereau).filter_by(insurer_id=insurer, whole=True), Bordereau.id, limit=limit, cursor=cursor
    )


def lines(made: Bordereau, form: str) -> Iterator[str]:
    """The file as it was closed, piece by piece, whatever its length: CSV or JSON. Goes on when the request is over."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's own way
    head = made.csv_head if form == CSV else json_head(made)
    return _pieces(app, head, bare(made.id, BDX), as_csv=form == CSV)


def _pieces(app: Flask, head: str, of: UUID, *, as_csv: bool) -> Iterator[str]:
    yield head
    after = 0
    while rows := _batch(app, of, after):
        after = rows[-1].no
        yield "".join(row.csv if as_csv else json_between(row.no) + row.json for row in rows)
    if not as_csv:
        yield JSON_END


def _batch(app: Flask, of: UUID, after: int) -> Sequence[Any]:
    with app.app_context():
        return read(_LINES, {"of": of, "after": after, "most": BATCH})

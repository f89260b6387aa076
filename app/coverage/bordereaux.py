"""Monthly bordereaux: made once when the month is over, each line kept as it was handed out, corrected by later lines alone.

A cover is in the bordereau of the month in which it begins, on the clocks of the car's place. What changed after it was
reported, or became known too late, is a line of the next one. So the premiums of all lines sum to those of the covers,
and what claims bordereaux show as paid in the month to what was paid.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta
from flask import Flask, current_app
from sqlalchemy import select, text

from app.coverage import claims_reported
from app.coverage.bordereau_book import BATCH, JSON_END, Book, Spool, json_between, json_head
from app.coverage.bordereau_models import BDX, Bordereau
from app.coverage.models import INS
from app.kit import clock, deadlines
from app.kit.db import bare, session, transactional
from app.kit.driver import read
from app.kit.errors import NotFound, Validation
from app.kit.http import Page, page
from app.kit.jobs import defer, job
from app.kit.keys import settings
from app.kit.media import CSV
from insurance import bordereau, claims_bordereau
from insurance.bordereau import OF_COVERS, Kind, Line, OfCovers, Reported

CLOSED_ON, HOUR = 6, 3
"""The day of the next month, and its hour UTC: by then boxes that were out of reach have mostly reported."""
MONTH = relativedelta(months=1)
_POLICIES = text(
    "select distinct insurer_id, number from master_policies"
    " where insurer_id = coalesce(cast(:insurer as uuid), insurer_id) order by 1, 2"
)
_LOCK = text("select pg_advisory_xact_lock(7011)")
_COVERS = text(
    "select c.id, x.data, x.version, f.position, c.declared_value, k.time_zone, p.data as policy,"
    " r.version as told, r.premium as told_premium, r.voided as told_void"
    " from covers c join master_policies p on p.id = c.policy_id join cars k on k.no = c.car_no"
    " cross join lateral (select v.version, v.data, v.fact_seq from cover_versions v where v.cover_id = c.id"
    " order by v.version desc limit 1) x join facts f on f.seq = x.fact_seq and f.position is not null"
    " left join covers_reported r on r.cover_id = c.id"
    " where c.insurer_id = :insurer and p.number = :number and x.version > coalesce(r.version, 0)"
    " and c.state <> 'conditional' and c.recorded_at >= coalesce(cast(:since as timestamptz), '-infinity')"
    " and (c.from_at at time zone k.time_zone)::date <= cast(:upto as date) order by c.from_at, c.id"
)
_MADE = text(
    "select bool_or(month = :month) as already, max(month) as last from bordereaux"
    " where insurer_id = :insurer and number = :number"
)
_REMEMBER = text(
    "insert into covers_reported (cover_id, version, premium, voided)"
    " values (cast(:cover as uuid), :version, :premium, :voided)"
    " on conflict (cover_id) do update set version = excluded.version, premium = excluded.premium,"
    " voided = excluded.voided"
)
_LINES = text(
    "select no, csv, json from bordereau_rows where bordereau_id = :of and no > cast(:after as bigint)"
    " order by no limit cast(:most as int)"
)
Tell = Callable[[str, int], None]
"""Hears a policy's number, and how many of its covers were looked at so far: at each batch, and at the end."""


def due(ref: str) -> None:
    """Deadline "bordereaux": have last month's made, and the next in a month."""
    now = clock.now()
    defer("close_bordereaux", lock="close_bordereaux", month=(now - MONTH).isoformat()[:7])
    deadlines.at("bordereaux", ref, next_at(now))


def next_at(now: datetime) -> datetime:
    """The sixth of a month at three o'clock, UTC, after `now`."""
    this = datetime(now.year, now.month, CLOSED_ON, HOUR, tzinfo=UTC)
    return this if this > now else this + MONTH


def month_end(month: str) -> date:
    """The last day of YYYY-MM. Raises ValueError."""
    return date.fromisoformat(f"{month}-01") + MONTH - timedelta(days=1)


@job("close_bordereaux")
def close_bordereaux(month: str) -> None:
    close(month)


def close(month: str, tell: Tell | None = None, *, insurer: str | None = None) -> int:
    """Make what is missing of a month that is over everywhere; returns how many lines.

    `insurer`: its policies alone. Each policy's in a transaction of its own, so that what is broken off is made anew;
    what was made before is left as it is.
    Raises Validation, NotFound.
    """
    if month_end(month) + timedelta(days=1) >= clock.now().date():
        raise Validation(
            errors=[{"parameter": "month", "code": "future", "detail": "It is not over everywhere."}]
        )
    policies = read(_POLICIES, {"insurer": None if insurer is None else bare(insurer, INS)})
    return sum(_close(Policies(row.insurer_id, row.number), month, tell) for row in policies)


@dataclass(frozen=True, slots=True)
class Policies:
    """All versions of one master policy: a bordereau is made of what was bound under any of them."""

    insurer: UUID
    number: str

    @property
    def of(self) -> str:
        """Whose they are."""
        return f"{INS}_{self.insurer.hex}"


@transactional
def _close(policies: Policies, month: str, tell: Tell | None) -> int:
    """All is read and formatted before the first line is written: facts are not sealed past a transaction that writes."""
    session.execute(_LOCK)
    names = {"insurer": policies.insurer, "number": policies.number}
    made = session.execute(_MADE, {**names, "month": month}).one()
    if made.already:
        return 0
    asked = {**names, "upto": month_end(month), "since": _since(made.last)}
    rows = session.execute(_COVERS, asked, execution_options={"yield_per": BATCH})
    with ExitStack() as files:
        books = [
            Book(kind, bordereau.columns(kind), policies.of, policies.number, month, Spool(files))
            for kind in OF_COVERS
        ]
        reported = Spool(files)
        for line, row in _told(rows, policies, month, tell):
            told = {kind for kind in OF_COVERS if line.belongs(kind)}
            for kind, book in zip(OF_COVERS, books, strict=True):
                if kind in told:
                    book.take(bordereau.row(line, kind))
            reported.put(_reported(row, line, told))
        books.append(_claims(policies, month, Spool(files)))
        for batch in reported.batches():
            session.execute(_REMEMBER, batch)
        return sum(book.close() for book in books)


def _told(
    rows: Iterable[Any], policies: Policies, month: str, tell: Tell | None
) -> Iterator[tuple[Line, Any]]:
    count = 0
    for count, row in enumerate(rows, 1):
        yield _line(row, month), row
        if tell is not None and count % BATCH == 0:
            tell(policies.number, count)
    if tell is not None and count % BATCH:
        tell(policies.number, count)


def _since(last: str | None) -> datetime | None:
    """The month made last told of all that was recorded before, but for what began after it, which was recorded since.

    A day less, for it ended on each car's own clocks.
    """
    return None if last is None else datetime.combine(month_end(last), time(), UTC) - timedelta(days=1)


def _claims(policies: Policies, month: str, spool: Spool) -> Book:
    book = Book("claims", claims_bordereau.COLUMNS, policies.of, policies.number, month, spool)
    for line in claims_reported.lines(policies.insurer, policies.number, month_end(month), BATCH):
        book.take(claims_bordereau.row(line))
    return book


def _line(row: Any, month: str) -> Line:
    before = None if row.told is None else Reported(row.told, row.told_premium, row.told_void)
    return Line(
        cover=row.data,
        policy=row.policy,
        sum_insured=row.declared_value,
        position=row.position,
        zone=row.time_zone,
        coverholder=settings().issuer[0],
        month_end=month_end(month),
        before=before,
    )


def _reported(row: Any, line: Line, told: set[OfCovers]) -> dict[str, Any]:
    premium = line.premium if "premium" in told else row.told_premium
    return {
        "cover": row.id,
        "version": row.version,
        "premium": premium,
        "voided": row.data["state"] == "void",
    }


# -- reading


def find(insurer: str, month: str, kind: Kind, number: str | None) -> Bordereau:
    """One that was made. Raises NotFound, and Validation where a policy must be named."""
    wanted = select(Bordereau).filter_by(insurer_id=insurer, month=month, kind=kind)
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
    return page(select(Bordereau).filter_by(insurer_id=insurer), Bordereau.id, limit=limit, cursor=cursor)


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

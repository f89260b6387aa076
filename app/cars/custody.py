"""Custody: who holds the car at an instant, taken after the car row is locked and never before the last.

The steps here change what is known now. For each of them the database writes what we came to know into a ledger that
nobody can change, with a fact `CustodyRecorded`, so that what was known at an earlier instant stays the answer to it.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Select, func, or_, select, text

from app.cars.models import Car, Custody, CustodyEntry
from app.kit import clock
from app.kit.db import public, session
from app.kit.facts import FactRow
from app.kit.sealed import Head

# The newest entry that holds the instant says who; entries after it may have taken a part of its span, on either side.
_AS_OF = text(
    "with known as materialized (select e.* from custody_entries e join facts f on f.seq = e.fact_seq"
    " where e.car_no = cast(:car as int) and f.position <= cast(:position as bigint)),"
    " said as (select * from known where from_at <= :at and (to_at is null or to_at > :at)"
    " order by sequence desc limit 1)"
    " select s.holder, s.person_id, s.rental_id,"
    " greatest(s.from_at, max(k.to_at) filter (where k.to_at <= :at)) as from_at,"
    " least(s.to_at, min(k.from_at) filter (where k.from_at > :at)) as to_at"
    " from said s left join known k on k.sequence > s.sequence"
    " group by s.holder, s.person_id, s.rental_id, s.from_at, s.to_at"
)


class Held(NamedTuple):
    """Who held the car, and from when to when; `to_at` is None while that is open."""

    holder: str
    person_id: str | None
    rental_id: str | None
    from_at: datetime
    to_at: datetime | None


def next_instant(car: Car) -> datetime:
    """`greatest(business time, last instant of this car + 1 ms)`; the caller holds the car row's lock."""
    last: datetime | None = session.execute(
        text(
            "select max(greatest(from_at, coalesce(to_at, from_at))) from custody where car_no = cast(:car as int)"
        ),
        {"car": car.no},
    ).scalar_one()
    now = clock.again()
    return now if last is None else max(now, last + timedelta(milliseconds=1))


def take(car: Car, *, holder: str, person: str | None, rental: str | None, at: datetime) -> None:
    """The car changes hands at `at`: whoever held it no longer does."""
    for row in session.scalars(
        select(Custody).where(Custody.car_no == car.no, Custody.to_at.is_(None)).with_for_update()
    ):
        row.to_at = at
    session.flush()
    session.add(Custody(car_no=car.no, holder=holder, person_id=person, rental_id=rental, from_at=at))
    session.flush()


def void(car: Car, rental: str) -> None:
    """The doors never opened: the custody of a rental is closed where it began, and the owner's goes on from there."""
    row = current(car.no)
    if row is None or row.rental_id != rental:
        return
    row.to_at = row.from_at
    session.flush()
    session.add(Custody(car_no=car.no, holder="owner", person_id=car.owner_id, from_at=row.from_at))
    session.flush()


def record(car: Car, *, person: str, rental: str, from_at: datetime, to_at: datetime | None) -> None:
    """A driver's custody that we hear of afterwards, in a span that was the owner's as far as we knew.

    The caller holds the car row's lock and has looked that no other driver's custody lies in the span.
    """
    for row in _owners(car, from_at, to_at):
        begins, ends, ended = max(row.from_at, from_at), row.to_at, row.to_at
        if to_at is not None and (ends is None or to_at < ends):
            ends = to_at
        row.to_at = begins
        session.flush()
        held = {"car_no": car.no, "holder": "driver", "person_id": person, "rental_id": rental}
        session.add(Custody(**held, from_at=begins, to_at=ends))
        session.flush()
        if ends is not None and ends != ended:
            session.add(
                Custody(car_no=car.no, holder="owner", person_id=car.owner_id, from_at=ends, to_at=ended)
            )
            session.flush()


def _owners(car: Car, from_at: datetime, to_at: datetime | None) -> list[Custody]:
    """What the owner held of a span; an unlock that failed in it has cut it into pieces."""
    statement = select(Custody).where(
        Custody.car_no == car.no,
        Custody.holder == "owner",
        or_(Custody.to_at.is_(None), (Custody.to_at > from_at) & (Custody.to_at > Custody.from_at)),
    )
    if to_at is not None:
        statement = statement.where(Custody.from_at < to_at)
    return list(session.scalars(statement.order_by(Custody.from_at)))


def begin_earlier(car: Car, *, person: str, rental: str, at: datetime) -> None:
    """The first custody of a rental began before we thought; one that was voided is none."""
    mine = select(Custody).where(
        Custody.car_no == car.no,
        Custody.rental_id == rental,
        or_(Custody.to_at.is_(None), Custody.to_at > Custody.from_at),
    )
    first = session.scalars(mine.order_by(Custody.from_at).limit(1)).first()
    if first is not None and at < first.from_at:
        record(car, person=person, rental=rental, from_at=at, to_at=first.from_at)


def give_back(car: Car, rental: str, at: datetime) -> None:
    """The owner holds the car again; also where the rental's custody is in pieces, and ended before the last of them."""
    held = current(car.no)
    if held is not None and held.rental_id == rental and at < held.from_at:
        end_earlier(car, rental, at)
    else:
        take(car, holder="owner", person=car.owner_id, rental=None, at=at)


def end_earlier(car: Car, rental: str, at: datetime) -> None:
    """The custody of a rental ended before we thought: what came after is the owner's, also where it is in pieces."""
    pieces = session.scalars(
        select(Custody)
        .where(Custody.car_no == car.no, Custody.rental_id == rental)
        .where(or_(Custody.to_at.is_(None), (Custody.to_at > at) & (Custody.to_at > Custody.from_at)))
        .order_by(Custody.from_at)
    ).all()
    for piece in pieces:
        _give_back(car, piece, max(piece.from_at, at))


def _give_back(car: Car, piece: Custody, at: datetime) -> None:
    """From then on the owner held it; what the owner held next begins there."""
    following = session.scalars(
        select(Custody)
        .where(Custody.car_no == car.no, Custody.from_at == piece.to_at, Custody.holder == "owner")
        .where(or_(Custody.to_at.is_(None), Custody.to_at > Custody.from_at))
    ).first()
    until, piece.to_at = piece.to_at, at
    session.flush()
    if following is not None:
        following.from_at = at
    else:
        session.add(Custody(car_no=car.no, holder="owner", person_id=car.owner_id, from_at=at, to_at=until))
    session.flush()


def ended_after(car_no: int, rental: str, at: datetime, following: Custody | None) -> bool:
    """Whether a custody of the rental ended after an instant, and before the next driver's began."""
    ended: datetime | None = session.execute(
        select(func.max(Custody.to_at)).where(
            Custody.car_no == car_no,
            Custody.rental_id == rental,
            Custody.to_at > at,
            Custody.to_at > Custody.from_at,
        )
    ).scalar_one()
    return ended is not None and (following is None or ended <= following.from_at)


def driver_before(car_no: int, instant: datetime, *, but: str) -> Custody | None:
    """The last custody of another rental's driver that began by then."""
    return _of_a_driver(
        select(Custody).where(Custody.from_at <= instant).order_by(Custody.from_at.desc()), car_no, but
    )


def driver_after(car_no: int, instant: datetime, *, but: str) -> Custody | None:
    """The next custody of another rental's driver that began later."""
    return _of_a_driver(
        select(Custody).where(Custody.from_at > instant).order_by(Custody.from_at), car_no, but
    )


def _of_a_driver(statement: Select[Custody], car_no: int, but: str) -> Custody | None:
    """One that was voided is not among them."""
    found: Custody | None = session.scalars(
        statement.where(
            Custody.car_no == car_no,
            Custody.holder == "driver",
            Custody.rental_id != but,
            or_(Custody.to_at.is_(None), Custody.to_at > Custody.from_at),
        ).limit(1)
    ).first()
    return found


def current(car_no: int) -> Custody | None:
    found: Custody | None = session.scalars(
        select(Custody).where(Custody.car_no == car_no, Custody.to_at.is_(None))
    ).first()
    return found


def at(car_no: int, instant: datetime, as_of: Head | None = None) -> Held | None:
    """Who held the car at an instant, as known now or as of a head of the log; None before it was ours to know."""
    if as_of is not None:
        return _known(car_no, instant, as_of)
    row = session.scalars(
        select(Custody)
        .where(Custody.car_no == car_no, Custody.from_at <= instant)
        .order_by(Custody.from_at.desc(), Custody.id.desc())
        .limit(1)
    ).first()
    if row is None or (row.to_at is not None and row.to_at <= instant):
        return None
    return Held(row.holder, row.person_id, row.rental_id, row.from_at, row.to_at)


def _known(car_no: int, instant: datetime, as_of: Head) -> Held | None:
    row = session.execute(_AS_OF, {"car": car_no, "at": instant, "position": as_of.position}).first()
    if row is None:
        return None
    person = None if row.person_id is None else public(row.person_id, "per")
    rental = None if row.rental_id is None else public(row.rental_id, "ren")
    return Held(row.holder, person, rental, row.from_at, row.to_at)


def recorded(car_no: int, rental: str) -> list[tuple[CustodyEntry, int | None]]:
    """What we came to know of a rental's custody and of the owner's after it, in that order, each with its place in the
    log.
    """
    mine = (CustodyEntry.car_no == car_no) & (CustodyEntry.rental_id == rental)
    first = session.scalars(select(CustodyEntry).where(mine).order_by(CustodyEntry.sequence).limit(1)).first()
    if first is None:
        return []
    begun, last = session.execute(
        select(func.min(CustodyEntry.from_at), func.max(CustodyEntry.from_at)).where(mine)
    ).one()
    owners = (CustodyEntry.holder == "owner") & (CustodyEntry.from_at >= begun)
    following = driver_after(car_no, last, but=rental)
    if following is not None:
        owners &= CustodyEntry.from_at < following.from_at
    rows = (
        select(CustodyEntry, FactRow.position)
        .join(FactRow, FactRow.seq == CustodyEntry.fact_seq)
        .where(CustodyEntry.car_no == car_no, CustodyEntry.sequence >= first.sequence, mine | owners)
        .order_by(CustodyEntry.sequence)
    )
    return [(entry, position) for entry, position in session.execute(rows)]


def lent_to(car_no: int) -> Custody | None:
    """The custody of a driver, if the car is out."""
    row = current(car_no)
    return row if row is not None and row.holder == "driver" else None

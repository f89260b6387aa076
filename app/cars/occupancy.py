"""Never two at once: one table of all that occupies a car, one constraint; code writes, and reads the refusal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.cars.models import Car
from app.kit import clock, deadlines
from app.kit.clock import z
from app.kit.db import constraint, session
from app.kit.driver import plain
from app.kit.errors import CarTaken

NEARBY, NOTHING = timedelta(days=2), timedelta(0)
_IN_SPAN = (
    "int4range(car_no, car_no, '[]') && int4range(cast(:car as int), cast(:car as int), '[]')"
    " and during && tstzrange(:a, :b, '[)')"
)
"""As the constraint's index has both: of `car_no = :car` it would look through every car's bookings of that time."""
_INSERT = text(
    "insert into occupancy (car_no, kind, ref, from_at, to_at) values (cast(:car as int), :kind, :ref, :from_at, :to_at)"
)
_FREED = (
    "exists (select from deadlines where kind = 'freed' and ref = cast(:freed_of as text) and attempts = 0)"
)
"""Something of the car was freed, and nobody has looked yet who waits for it."""
_INSERT_RENTAL = text(
    f"with freed as (select {_FREED} as it),"  # noqa: S608 a constant of ours
    " rental as (insert into occupancy (car_no, kind, ref, from_at, to_at)"
    " select cast(:car as int), 'rental', :ref, :from_at, :to_at from freed where not it"
    " on conflict do nothing returning ref),"
    " ends as (select least(cast(:to_at as timestamptz) + cast(:buffer as interval), (select min(from_at) from occupancy"
    " where car_no = cast(:car as int) and kind = 'block' and from_at >= :to_at)) as until),"
    " buffer as (insert into occupancy (car_no, kind, ref, from_at, to_at)"
    " select cast(:car as int), 'buffer', ref, :to_at, until from rental, ends where until > :to_at"
    " on conflict do nothing returning ref)"
    " select exists(select from rental) and (until <= :to_at or exists(select from buffer)) as taken, it as freed"
    " from ends, freed"
)
_NEXT = text(
    "select min(from_at) from occupancy where car_no = cast(:car as int) and from_at >= :at and ref <> :ref"
)
_FOLLOWING = text(
    "select kind, from_at from occupancy where car_no = cast(:car as int) and from_at >= :at and ref <> :ref"
    " order by from_at limit 1"
)
_END = text("select to_at from occupancy where ref = :ref and kind = 'rental'")
_GROW = text(
    "update occupancy set to_at = greatest(to_at, :end) where ref = :ref and kind = 'rental' returning to_at"
)
_NEXT_AFTER = text(
    "select min(from_at) from occupancy where car_no = cast(:car as int) and to_at > :at and ref <> :ref"
)
"""What comes after a rental that may end inside the next one's time: late, it leaves no room for a buffer."""


@contextmanager
def _taken(
    car: Car, from_at: datetime, to_at: datetime, ref: str, buffer: timedelta = NOTHING
) -> Iterator[None]:
    """Turn the constraint's refusal into the 409 that says what is free nearby."""
    try:
        with session.begin_nested():
            yield
    except IntegrityError as error:
        if constraint(error) != "occupancy_never_two_at_once":
            raise
        raise taken(car, from_at, to_at, ref, buffer) from error


def taken(
    car: Car, from_at: datetime, to_at: datetime, ref: str = "", buffer: timedelta = NOTHING
) -> CarTaken:
    """The refusal, with what is free nearby and how long one could have the car from `from_at`."""
    gaps, longest = free_nearby(car, from_at, to_at, buffer=buffer), _longest(car, from_at, ref, buffer)
    return CarTaken(
        f"Free until {z(longest)}." if longest else "Taken for part of that span.",
        free_nearby=[{"from": z(a), "to": z(b)} for a, b in gaps],
        longest_to=z(longest) if longest else None,
    )


def _longest(car: Car, at: datetime, ref: str, buffer: timedelta) -> datetime | None:
    """The end that leaves whoever comes next their buffer; None where something other than `ref` has the car at `at`."""
    if not any(a <= at < b for a, b in free_nearby(car, at, at, ref)):
        return None
    following = session.execute(_FOLLOWING, {"car": car.no, "at": at, "ref": ref}).first()
    if following is None:
        return None
    ends: datetime = following.from_at - (NOTHING if following.kind == "block" else buffer)
    return ends if ends > at else None


def require_free(car: Car, from_at: datetime, to_at: datetime, buffer: timedelta, ref: str = "") -> None:
    """Look, without taking it, at the span and the buffer behind it, which ends where a block begins. Raises CarTaken."""
    others = (one for one in spans(car, from_at, to_at + buffer) if one[1] != ref)
    kind, _, begins, _ = next(others, ("block", "", to_at, to_at))
    if begins < to_at or kind != "block":
        raise taken(car, from_at, to_at, ref, buffer)


def occupy(car: Car, kind: str, ref: str, from_at: datetime, to_at: datetime) -> None:
    """Take the span; the car row is locked by the caller. Raises CarTaken."""
    with _taken(car, from_at, to_at, ref):
        session.execute(
            _INSERT, {"car": car.no, "kind": kind, "ref": ref, "from_at": from_at, "to_at": to_at}
        )


def occupy_rental(
    car: Car,
    rental: str,
    from_at: datetime,
    to_at: datetime,
    buffer: timedelta,
    *,
    first: Callable[[Car], None] | None = None,
) -> None:
    """Take the span of a new rental and, behind it, the buffer for the next driver; a buffer ends where a block begins.

    `first` is done before, where something of the car was freed and nobody has looked yet who waits for it. Raises
    CarTaken: the caller's transaction must not go on then.
    """
    values = {"car": car.no, "ref": rental, "from_at": from_at, "to_at": to_at, "buffer": buffer}
    asked = {**values, "freed_of": car.id if first is not None else None}
    found = plain(_INSERT_RENTAL, asked, flush=False)[0]
    if found.freed and first is not None:
        first(car)
        found = plain(_INSERT_RENTAL, {**values, "freed_of": None}, flush=False)[0]
    if not found.taken:
        raise taken(car, from_at, to_at, rental, buffer)


def is_freed(car: Car) -> bool:
    """Whether something of the car was freed and nobody has looked yet who waits for it."""
    return bool(session.execute(text(f"select {_FREED}"), {"freed_of": car.id}).scalar_one())


OFFER = "offer"
"""What is held for somebody who waited for it."""


def occupy_offer(car: Car, ref: str, from_at: datetime, to_at: datetime, buffer: timedelta) -> None:
    """Hold the span with the buffer that its rental will have, so that it can be booked. Raises CarTaken."""
    occupy(car, OFFER, ref, from_at, to_at)
    _set_buffer(car, ref, to_at, buffer)


def _set_buffer(car: Car, rental: str, to_at: datetime, buffer: timedelta) -> None:
    session.execute(text("delete from occupancy where ref = :ref and kind = 'buffer'"), {"ref": rental})
    if not buffer:
        return
    ends = _next_block(car, to_at)
    until = min(to_at + buffer, ends) if ends else to_at + buffer
    if until > to_at:
        occupy(car, "buffer", rental, to_at, until)


def _next_block(car: Car, at: datetime) -> datetime | None:
    statement = text(
        "select min(from_at) from occupancy where car_no = cast(:car as int) and kind = 'block' and from_at >= :at"
    )
    found: datetime | None = session.execute(statement, {"car": car.no, "at": at}).scalar_one()
    return found


def stretch(car: Car, rental: str, to_at: datetime, buffer: timedelta) -> None:
    """Move the end of a rental's span, its buffer with it. Raises CarTaken."""
    ends = session.execute(_END, {"ref": rental}).scalar() or to_at
    with _taken(car, ends, to_at, rental, buffer):
        session.execute(text("delete from occupancy where ref = :ref and kind = 'buffer'"), {"ref": rental})
        session.execute(
            text("update occupancy set to_at = :to_at where ref = :ref and kind = 'rental'"),
            {"to_at": to_at, "ref": rental},
        )
        _set_buffer(car, rental, to_at, buffer)
    deadlines.at("freed", car.id, clock.now())


def grow(car: Car, rental: str, to_at: datetime, buffer: timedelta) -> None:
    """A rental that is out keeps growing, as far as whatever comes next; it never takes less than it has."""
    limit = next_start(car, to_at - timedelta(days=400), rental, after_ref=rental)
    end = min(to_at, limit) if limit else to_at
    session.execute(text("delete from occupancy where ref = :ref and kind = 'buffer'"), {"ref": rental})
    held: datetime = session.execute(_GROW, {"end": end, "ref": rental}).scalar() or end
    room = min(buffer, limit - held) if limit else buffer
    if room > NOTHING:
        _set_buffer(car, rental, held, room)


def vacate(ref: str) -> None:
    """Give the whole span back."""
    freed = session.execute(text("delete from occupancy where ref = :ref returning car_no"), {"ref": ref})
    for car_no in set(freed.scalars()):
        deadlines.at("freed", session.scalars(select(Car.id).where(Car.no == car_no)).one(), clock.now())


def shrink_buffers(car: Car, from_at: datetime, to_at: datetime) -> None:
    """A block takes what buffers had: the buffer is for the next driver alone."""
    session.execute(
        text(
            "update occupancy set to_at = greatest(from_at, least(to_at, :a))"  # noqa: S608 a constant of ours
            f" where kind = 'buffer' and {_IN_SPAN}"
        ),
        {"car": car.no, "a": from_at, "b": to_at},
    )


def next_start(car: Car, at: datetime, ref: str, *, after_ref: str | None = None) -> datetime | None:
    """When the next thing begins that is not `ref`: after `at`, or after the start of `after_ref`'s rental."""
    if after_ref is not None:
        begun = session.execute(
            text("select from_at from occupancy where ref = :ref and kind = 'rental'"), {"ref": after_ref}
        ).scalar()
        at = begun or at
    found: datetime | None = session.execute(_NEXT, {"car": car.no, "at": at, "ref": ref}).scalar_one()
    return found


IN_THE_WAY = (
    "(select count(*) from (select 1 from occupancy x"
    " where int4range(x.car_no, x.car_no, '[]') && int4range({car}, {car}, '[]')"
    " and x.during && tstzrange({begin}, {end} + {buffer}, '[)') and (x.from_at < {end} or x.kind <> 'block'"
    " and not exists (select from occupancy b where int4range(b.car_no, b.car_no, '[]') && int4range({car}, {car}, '[]')"
    " and b.during && tstzrange({end}, x.from_at, '[)') and b.kind = 'block')) limit 1) as busy)"
)
"""In a statement: 1 where something is in a rental's way, or begins within its buffer, which ends where a block begins."""
KEPT_FREE = (
    "tstzrange(case kind when 'block' then from_at else greatest(from_at - {buffer}, (select max(b.to_at) from occupancy b"
    " where int4range(b.car_no, b.car_no, '[]') && int4range(x.car_no, x.car_no, '[]') and b.kind = 'block'"
    " and b.during && tstzrange(x.from_at - {buffer}, x.from_at, '[)'))) end, x.to_at, '[)')"
)
"""Where no rental may lie for the sake of what occupies the car, `x`: before it its buffer, as far back as a block's end."""
_GAPS = text(
    "with span as (select tstzrange(:a, :b, '[)') as s),"  # noqa: S608 a constant of ours
    f" busy as (select coalesce(range_agg({KEPT_FREE.format(buffer='cast(:buffer as interval)')}),"
    " '{}'::tstzmultirange) as m from occupancy x, span"
    "  where int4range(car_no, car_no, '[]') && int4range(cast(:car as int), cast(:car as int), '[]')"
    "  and during && tstzrange(lower(s), upper(s) + cast(:buffer as interval), '[)')"
    "  and not isempty(during) and ref <> :ref)"
    " select lower(gap), upper(gap) from (select unnest((tstzmultirange(s) * coalesce((select spans from offers"
    "  where car_no = cast(:car as int)), '{}'::tstzmultirange)) - m) as gap from span, busy) as gaps"
    " order by lower(gap) limit 20"
)


def free_nearby(
    car: Car, from_at: datetime, to_at: datetime, ref: str = "", *, buffer: timedelta = NOTHING
) -> list[tuple[datetime, datetime]]:
    """The offered spans within two days around that nothing occupies, or nothing but `ref`; each ends where whoever comes
    next still has their buffer.
    """
    around = {"car": car.no, "a": from_at - NEARBY, "b": to_at + NEARBY, "ref": ref, "buffer": buffer}
    rows = session.execute(_GAPS, around).all()
    return [(row[0], row[1]) for row in rows]


_SPANS = text(f"select kind, ref, from_at, to_at from occupancy where {_IN_SPAN} order by from_at")  # noqa: S608 a constant of ours


def spans(car: Car, from_at: datetime, to_at: datetime) -> list[tuple[str, str, datetime, datetime]]:
    """What occupies the car in a span: kind, ref, from, to."""
    rows = session.execute(_SPANS, {"car": car.no, "a": from_at, "b": to_at}).all()
    return [(row.kind, row.ref, row.from_at, row.to_at) for row in rows]


def shrink(car: Car, rental: str, at: datetime, buffer: timedelta) -> None:
    """A rental that ends early gives the rest back: its span ends at `at`, the buffer follows."""
    session.execute(text("delete from occupancy where ref = :ref and kind = 'buffer'"), {"ref": rental})
    session.execute(
        text(
            "update occupancy set from_at = least(from_at, :at), to_at = least(to_at, :at)"
            " where ref = :ref and kind = 'rental'"
        ),
        {"at": at, "ref": rental},
    )
    limit = session.execute(_NEXT_AFTER, {"car": car.no, "at": at, "ref": rental}).scalar_one()
    room = min(buffer, limit - at) if limit else buffer
    if room > timedelta(0):
        _set_buffer(car, rental, at, room)
    deadlines.at("freed", car.id, clock.now())


def begin_early(rental: str, at: datetime) -> None:
    """A rental that begins in the free minutes before its start holds the car from then on."""
    session.execute(
        text("update occupancy set from_at = least(from_at, :at) where ref = :ref and kind = 'rental'"),
        {"at": at, "ref": rental},
    )

"""Windows: rules in the car's wall time become spans of instants, one date at a time. The first half is pure.

A wall time that does not exist that day moves forward by the gap; one that exists twice means the first. Both are what
`zoneinfo` makes of fold 0 (PEP 495).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import DateTime, Integer, bindparam, exists, func, select, text

from app.cars import access
from app.cars.calendar_models import Offer, Window
from app.cars.models import CAR, Car
from app.cars.spans import Span, union
from app.facts import PersonRestored, PersonSuspended
from app.kit import clock, deadlines
from app.kit.db import bare, new_id, session, transactional
from app.kit.driver import plain
from app.kit.errors import InUse, NotFound, Validation
from app.people.models import Person

HORIZON, BEHIND, REFRESH = timedelta(days=400), timedelta(days=2), timedelta(days=7)
LONGEST = timedelta(days=366)
MOST = 100
"""Windows of a car that are not over: all are worked out whenever one changes."""
_PARTS = re.compile(r"(FREQ|BYDAY|INTERVAL|UNTIL)=([A-Z0-9,]+)")
_DAYS = re.compile(r"(MO|TU|WE|TH|FR|SA|SU)(,(MO|TU|WE|TH|FR|SA|SU)){0,6}")
_WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True)
class Rule:
    """A window as its owner wrote it: wall times, perhaps repeated."""

    from_local: datetime
    to_local: datetime
    rrule: str | None = None
    exdates: tuple[date, ...] = ()
    rdates: tuple[date, ...] = ()


def check_rrule(rule: str) -> str | None:
    """What is wrong with an RRULE: FREQ=DAILY or WEEKLY with BYDAY, INTERVAL, UNTIL; None when nothing is."""
    parts = _parts(rule)
    if not all(_PARTS.fullmatch(part) for part in rule.split(";")) or len(parts) != rule.count(";") + 1:
        return "Only FREQ, BYDAY, INTERVAL and UNTIL, each once, joined by semicolons."
    if parts.get("FREQ") not in ("DAILY", "WEEKLY"):
        return "FREQ must be DAILY or WEEKLY."
    if "BYDAY" in parts and not _DAYS.fullmatch(parts["BYDAY"]):
        return "BYDAY is a list of MO, TU, WE, TH, FR, SA, SU."
    if "INTERVAL" in parts and not (parts["INTERVAL"].isdigit() and 1 <= int(parts["INTERVAL"]) <= 53):
        return "INTERVAL is 1 to 53."
    if "UNTIL" in parts and not re.fullmatch(r"\d{8}(T\d{6})?", parts["UNTIL"]):
        return "UNTIL is a local date such as 20270331."
    try:
        _until(parts)
    except ValueError:
        return "UNTIL is no date that exists."
    return None


def _parts(rrule: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in rrule.split(";"))


def _until(parts: dict[str, str]) -> datetime:
    """The last wall time at which a repetition may begin; a bare date means that whole day, as people read it."""
    written = parts.get("UNTIL", "99991231")
    return datetime.fromisoformat(written if "T" in written else f"{written}T235959")


def spans(rule: Rule, zone: ZoneInfo, start: datetime, end: datetime) -> list[Span]:
    """The spans of a rule that touch [start, end), as UTC instants."""
    length = rule.to_local - rule.from_local
    found = []
    for begins in _occurrences(rule, zone, start - length - timedelta(days=1), end + timedelta(days=1)):
        span = instant(begins, zone), instant(begins + length, zone)
        if span[0] < span[1] and span[0] < end and span[1] > start:
            found.append(span)
    return found


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a wall time."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _occurrences(rule: Rule, zone: ZoneInfo, start: datetime, end: datetime) -> Iterable[datetime]:
    """The wall times at which the rule begins: those of its repetition between two instants, and its single dates."""
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    dates = {rule.from_local.date()} if rule.rrule is None else set(_repeated(rule, rule.rrule, first, last))
    time = rule.from_local.time()
    return [datetime.combine(one, time) for one in sorted((dates | set(rule.rdates)) - set(rule.exdates))]


def _repeated(rule: Rule, rrule: str, first: date, last: date) -> Iterator[date]:
    """The days of an RRULE from first to last. A day is looked at by itself: a rule that never comes true ends too."""
    parts = _parts(rrule)
    begins, every, until = rule.from_local.date(), int(parts.get("INTERVAL", "1")), _until(parts)
    weekly = parts["FREQ"] == "WEEKLY"
    days = parts.get("BYDAY") or (_WEEK[begins.weekday()] if weekly else ",".join(_WEEK))
    since = begins - timedelta(days=begins.weekday()) if weekly else begins
    length = 7 if weekly else 1
    for number in range(max(first, begins).toordinal(), last.toordinal() + 1):
        day = date.fromordinal(number)
        due = (day - since).days // length % every == 0 and _WEEK[day.weekday()] in days
        if due and datetime.combine(day, rule.from_local.time()) <= until:
            yield day


def is_over(rule: Rule, wall: datetime) -> bool:
    """Whether the rule offers nothing more from this wall time on."""
    begins = [rule.from_local, *(datetime.combine(one, rule.from_local.time()) for one in rule.rdates)]
    if rule.rrule is not None:
        begins.append(_until(_parts(rule.rrule)))
    return max(begins) <= wall - (rule.to_local - rule.from_local)


def rule_of(row: Window) -> Rule:
    return Rule(
        row.from_local,
        row.to_local,
        row.rrule,
        tuple(date.fromisoformat(one) for one in row.exdates),
        tuple(date.fromisoformat(one) for one in row.rdates),
    )


# -- use cases -------------------------------------------------------------------------------------------------------


def _refuse(body: dict[str, Any]) -> None:
    errors = []
    if not body["from_"] < body["to"] <= body["from_"] + LONGEST:
        errors.append({"pointer": "/to", "code": "invalid", "detail": "After `from`, at most a year later."})
    if body.get("rrule"):
        wrong = check_rrule(body["rrule"])
        if wrong:
            errors.append({"pointer": "/rrule", "code": "invalid", "detail": wrong})
        elif body["to"] - body["from_"] > timedelta(days=7):
            errors.append(
                {"pointer": "/to", "code": "invalid", "detail": "A repeated window lasts at most a week."}
            )
    if errors:
        raise Validation(errors=errors)


@transactional
def add(person: str, car: str, body: dict[str, Any]) -> Window:
    """Offer the car. Raises NotFound, NotAllowed, Validation, InUse where there are too many windows."""
    _refuse(body)
    found = access.may_run(car, person, lock=True)
    row = Window(id=new_id("win"), car_id=found.id)
    _fill(row, body)
    session.add(row)
    session.flush()
    _refuse_many(found)
    recompute(found)
    return row


def _refuse_many(car: Car) -> None:
    if len(_rules(car, clock.now())) > MOST:
        raise InUse(f"There are {MOST} windows already: change or remove one, or let one repeat.")


def _rules(car: Car, since: datetime) -> list[Rule]:
    """What offers the car at or after an instant."""
    wall = since.astimezone(ZoneInfo(car.time_zone)).replace(tzinfo=None)
    rules = map(rule_of, session.scalars(select(Window).where(Window.car_id == car.id)))
    return [one for one in rules if not is_over(one, wall)]


def _fill(row: Window, body: dict[str, Any]) -> None:
    row.from_local, row.to_local, row.rrule = body["from_"], body["to"], body.get("rrule")
    row.exdates = [one.isoformat() for one in body.get("exdates") or []]
    row.rdates = [one.isoformat() for one in body.get("rdates") or []]


def find(car: str, window: str) -> Window:
    row = session.get(Window, window)
    if row is None or row.car_id != car:
        raise NotFound
    return row


@transactional
def change(person: str, car: str, window: str, body: dict[str, Any], check: Any) -> Window:
    """Change a window; what is booked stays booked. Raises as `add`."""
    found = access.may_run(car, person, lock=True)
    row = find(car, window)
    check(row)
    now = {
        "from_": row.from_local,
        "to": row.to_local,
        "rrule": row.rrule,
        "exdates": rule_of(row).exdates,
        "rdates": rule_of(row).rdates,
    }
    wanted = {**now, **body}
    _refuse(wanted)
    _fill(row, wanted)
    session.flush()
    _refuse_many(found)
    recompute(found)
    return row


@transactional
def remove(person: str, car: str, window: str) -> None:
    found = access.may_run(car, person, lock=True)
    session.delete(find(car, window))
    session.flush()
    recompute(found)


_STORE = text(
    "insert into offers (car_no, spans, until) select cast(:car as int), cast(:spans as tstzmultirange)"
    " - coalesce((select range_agg(busy) from calendar_imports where car_id = :id), '{}'), :until"
    " on conflict (car_no) do update set spans = excluded.spans, until = excluded.until"
)


def recompute(car: Car) -> None:
    """Write what the windows of a car come to without its owner's imported calendars, in the transaction that changed
    one of them. Of an owner who is suspended nothing is offered.
    """
    now = clock.now()
    start, until = now - BEHIND, now + HORIZON
    zone = ZoneInfo(car.time_zone)
    offering = [] if _is_suspended(car.owner_id) else _rules(car, start - timedelta(days=1))
    merged = union(span for rule in offering for span in spans(rule, zone, start, until))
    literal = "{" + ",".join(f"[{a.isoformat()},{b.isoformat()})" for a, b in merged) + "}"
    session.execute(_STORE, {"car": car.no, "id": bare(car.id, CAR), "spans": literal, "until": until})
    deadlines.at("offer", car.id, now + REFRESH)
    deadlines.at("freed", car.id, now)


def _is_suspended(owner: str | None) -> bool:
    """As it is now: with the car locked, whoever is read later than who restores them sees that they are back."""
    if owner is None:
        return False
    return session.scalar(select(Person.suspended_at).where(Person.id == owner)) is not None


def of_owner(fact: PersonSuspended | PersonRestored) -> None:
    """An owner was suspended, or is back: their cars are offered no more, or again. What is booked stays booked."""
    mine = select(Car.id).where(Car.owner_id == fact.person, Car.removed_at.is_(None)).order_by(Car.id)
    for car in session.scalars(mine).all():
        refresh(car)


@transactional
def refresh(car: str) -> None:
    """The rolling horizon moves on."""
    found = session.get(Car, car, with_for_update=True)
    if found is not None and found.removed_at is None:
        recompute(found)


_INSTANT = DateTime(timezone=True)
OFFERED = exists().where(
    Offer.car_no == bindparam("no", type_=Integer()),
    Offer.spans.op("@>", is_comparison=True)(
        func.tstzrange(bindparam("from_at", type_=_INSTANT), bindparam("to_at", type_=_INSTANT), "[)")
    ),
)
"""Whether the windows of car `no` hold the whole span."""
_OFFERED = select(OFFERED.label("offered"))


def offered(car_no: int, from_at: datetime, to_at: datetime) -> bool:
    """Whether the windows hold the whole span."""
    found: bool = plain(_OFFERED, {"no": car_no, "from_at": from_at, "to_at": to_at}, flush=False)[0].offered
    return found

"""The database and what lives in it: version, migrations, clock, queue, sealing, keys, what rentals cannot do without."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from app.cars.models import Car
from app.coverage import bordereaux, master_policies
from app.kit import clock, heartbeat, metrics, ready
from app.kit.config import Settings
from app.kit.db import release, session
from app.kit.driver import read
from app.kit.listen import conninfo
from app.kit.ready import LAGS_FINE_S, head
from app.operator import check_clock, check_custody, check_money, check_outside, check_photos
from app.operator.finding import Check, Finding, ok, run, warning, wrong
from app.people import conditions
from app.people.models import Person

LEAST_VERSION, CONNECT_WITHIN_S, NOTICE_WITHIN_S, HEARTBEAT_S = 15, 5, 3.0, 30
WORKER = "Start one: flask --app wsgi worker"


def of(house: Settings) -> list[Finding]:
    """Every finding about the database; one that cannot be reached ends the list."""
    reached, found = _reach(house)
    if not reached:
        return found
    found += _listening(house)
    migrated = _migrated()
    found.append(migrated)
    if migrated.remedy:
        return found
    checks: tuple[Check, ...] = (
        lambda: _clock(house),
        check_clock.steadily,
        _queue,
        _sealing,
        _boxlink,
        _outside,
        _operators,
        _conditions,
        _policies,
        _bordereaux,
        check_custody.custody_and_covers,
        check_money.refused_steps,
        check_money.currencies,
        check_money.hearings,
        lambda: check_photos.of(house),
    )
    try:
        return found + run(checks)
    finally:
        release()


def _place(url: str) -> str:
    """Where it is, without the password."""
    return make_url(url).render_as_string(hide_password=True)


def _reach(house: Settings) -> tuple[bool, list[Finding]]:
    name, place = "DATABASE_URL", _place(house.database_url)
    try:
        with psycopg.connect(conninfo(house.database_url), connect_timeout=CONNECT_WITHIN_S) as connection:
            number = connection.info.server_version
    except psycopg.Error as error:
        words = " ".join(str(error).split())[:200]
        return False, [wrong(name, f"{place} cannot be reached: {words}", "Start it, or mend the URL.")]
    found = [ok(name, place)]
    if number // 10000 < LEAST_VERSION:
        found.append(wrong("PostgreSQL", f"version {number // 10000}", f"Take {LEAST_VERSION} or newer."))
    else:
        found.append(ok("PostgreSQL", f"version {number // 10000}.{number % 10000}"))
    return True, found


def _listening(house: Settings) -> list[Finding]:
    """A notice sent on one connection must reach another: through a pooler by transactions it does not."""
    name = "LISTEN_DATABASE_URL"
    try:
        with (
            psycopg.connect(
                conninfo(house.listen_database_url), autocommit=True, connect_timeout=CONNECT_WITHIN_S
            ) as ears,
            psycopg.connect(
                conninfo(house.database_url), autocommit=True, connect_timeout=CONNECT_WITHIN_S
            ) as mouth,
        ):
            ears.execute("listen doctor")
            mouth.execute("notify doctor")
            heard = list(ears.notifies(timeout=NOTICE_WITHIN_S, stop_after=1))
    except psycopg.Error as error:
        return [wrong(name, " ".join(str(error).split())[:200], "It must reach the same database.")]
    if not heard:
        return [wrong(name, "notices do not arrive", "It must lead past any pooler, to the same database.")]
    return [ok(name, "notices arrive")]


def _migrated() -> Finding:
    wanted = head()
    if not read(text("select 1 where to_regclass('alembic_version') is not null")):
        return wrong("migrations", "the database is empty", "Run: make migrate")
    at = read(text("select version_num from alembic_version"))
    release()
    if not at or at[0][0] != wanted:
        return wrong(
            "migrations", f"at {at[0][0] if at else 'nothing'}, this code wants {wanted}", "Run: make migrate"
        )
    return ok("migrations", wanted)


def _clock(house: Settings) -> Iterator[Finding]:
    rows = read(text("select milliseconds from clock_offset"))
    ahead = timedelta(milliseconds=rows[0][0]) if rows else timedelta(0)
    if rows and not house.clock_may_move:
        remedy = "This is a demo's or test's database; take another. Deadlines and covers in it may lie in the future."
        words = f"business time runs {ahead} ahead in production" if ahead else "a demo or tests ran here"
        yield wrong("clock", words, remedy)
    else:
        yield ok("clock", f"{ahead} ahead" if ahead else "business time is the database's")


_WORKERS = text(
    "select count(*) as workers, extract(epoch from now() - max(last_heartbeat)) as age from procrastinate_workers"
)


def _queue() -> Iterator[Finding]:
    workers, lags = read(_WORKERS)[0], metrics.lags()
    count, age = workers.workers, workers.age
    if not count or age > HEARTBEAT_S:
        words = f"last heard {age:.0f} s ago" if count else "none has registered"
        late = lags["queue_lag"] > HEARTBEAT_S
        yield (
            wrong("worker", f"{words}, and {lags['waiting']:.0f} jobs wait", WORKER)
            if late
            else warning("worker", words, WORKER)
        )
    else:
        yield ok("worker", f"{count} at work, heard {age:.0f} s ago")
    if lags["queue_lag"] > LAGS_FINE_S:
        yield warning("queue", f"{lags['queue_lag']:.0f} s behind", "Start more workers.")
    else:
        yield ok("queue", f"{lags['waiting']:.0f} jobs wait")
    if lags["failed"]:
        yield warning(
            "failed jobs",
            f"{lags['failed']:.0f} to look at",
            "flask --app wsgi operator job list, then retry or dismiss.",
        )
    if lags["overdue"]:
        yield warning("deadlines", f"{lags['overdue']:.0f} are more than 10 s late", WORKER)


def _sealing() -> Iterator[Finding]:
    lag = metrics.lags()["sealing_lag"]
    if lag > LAGS_FINE_S:
        yield wrong(
            "sealing", f"{lag:.0f} s behind: insurers see no newer facts", f"{WORKER}; end open transactions."
        )
    else:
        yield ok("sealing", f"{lag:.1f} s behind")


_LISTENS = text(
    "select 1 from pg_stat_activity where query = 'listen commands' and datname = current_database() limit 1"
)


def _boxlink() -> Iterator[Finding]:
    """Whether it listens, is alive, and what it says of the broker."""
    start = "Start it: flask --app wsgi boxlink"
    if not read(_LISTENS):
        yield warning("boxlink", "does not listen: no car can be opened", start)
        return
    sign = heartbeat.of_several(heartbeat.signs(), "boxlink")
    silent = heartbeat.missing(sign, "it")
    if silent:
        yield warning("boxlink", f"listens, but {silent}", f"See its log. {start}")
    elif broken := ready.broker(sign):
        yield warning("boxlink", f"listens; broker: {broken}", "See the broker below.")
    else:
        yield ok("boxlink", "listens, and is at the broker")


def _outside() -> Iterator[Finding]:
    """How the doors have gone lately; those that are not set up are told of with the settings."""
    for name, words in check_outside.seen().items():
        if words == heartbeat.FINE:
            yield ok(f"{name} lately", "nothing waits or failed")
        elif words != check_outside.NOT_SET_UP:
            yield warning(f"{name} lately", words, "See the worker's log.")


def _operators() -> Iterator[Finding]:
    if session.execute(select(Person.id).where(Person.operator, Person.erased_at.is_(None)).limit(1)).first():
        yield ok("operators", "there is one")
    else:
        yield warning(
            "operators", "there is none", "flask --app wsgi operator person make-operator EMAIL --reason ..."
        )


def _conditions() -> Iterator[Finding]:
    known = conditions.versions()
    if conditions.RENTAL not in known:
        yield wrong(
            "conditions", f"no text of {conditions.RENTAL}", "Put it into app/people/conditions_texts."
        )
    else:
        yield ok("conditions", ", ".join(sorted(known)))


def _policies() -> Iterator[Finding]:
    """One master policy in force in each country with cars, and the conditions it names are published."""
    now, known = clock.now(), conditions.versions()
    rows = session.scalars(
        select(Car.country).where(Car.removed_at.is_(None)).distinct().order_by(Car.country)
    )
    countries: list[Any] = list(rows)
    for country in countries:
        name, policy = f"master policy {country}", master_policies.in_force(country, now)
        if policy is None:
            remedy = "flask --app wsgi operator policy add, then activate"
            yield wrong(name, "none is in force, and there are cars: none can be lent", remedy)
            continue
        missing = sorted(master_policies.read(policy).conditions - known)
        if missing:
            yield wrong(name, f"names conditions without a text: {', '.join(missing)}", "Publish them.")
        else:
            yield ok(name, f"{policy.number} version {policy.version}")
    if not countries:
        yield ok("master policies", "no cars yet")


def _bordereaux() -> Iterator[Finding]:
    """Those of the month that was closed last are there."""
    month, missing = bordereaux.missing()
    if missing:
        names = ", ".join(one.number for one in missing[:3])
        remedy = (
            f"The worker's log says why: close_bordereau. By hand: flask --app wsgi bordereaux close {month}"
        )
        yield warning("bordereaux", f"{month} is missing of {len(missing)} master policies: {names}", remedy)
    else:
        yield ok("bordereaux", f"{month} is there")

"""Business time: the database's clock plus an offset that exists only in demo and test, in whole milliseconds."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import DateTime, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Big, Model, in_transaction, session, transactional
from app.kit.driver import plain, read

_NOW = text("select business_now() as now")
_AHEAD = text("select coalesce((select milliseconds from clock_offset), 0) as milliseconds")
business_now = func.business_now(type_=DateTime(timezone=True))


class ClockOffset(Model):
    """How far business time runs ahead of the database's clock; no row means not at all."""

    __tablename__ = "clock_offset"
    single: Mapped[bool] = mapped_column(primary_key=True, default=True)
    milliseconds: Mapped[Big]


def now() -> datetime:
    """Business time, UTC, to the millisecond.

    Inside a transaction: as first asked, or as of the last `again()`. A transaction so has one now, which is never earlier
    than the last row it had to wait for.
    """
    if in_transaction():
        known: datetime | None = session.info.get("now")
        return known or again()
    if session.registry.has() and session().in_transaction():
        return _asked()
    found: datetime = read(_NOW)[0].now
    return found


def again() -> datetime:
    """Look at the clock once more in this transaction: after waiting for a lock, before an instant of custody or cover."""
    return told(_asked())


def _asked() -> datetime:
    found: datetime = plain(_NOW, flush=False)[0].now
    return found


def told(instant: datetime) -> datetime:
    """The clock was looked at in this transaction together with other things: that is its `now()`."""
    session.info["now"] = instant
    return instant


def of_receipt(received_at: datetime) -> datetime:
    """When what this machine's clock stamped on arrival came, in business time to the millisecond; never later than `now()`.

    In a transaction. By the offset itself: two that came after each other are so however long it took to write them.
    """
    ahead: timedelta | None = session.info.get("ahead")
    if ahead is None:
        ahead = session.info["ahead"] = timedelta(milliseconds=plain(_AHEAD, flush=False)[0].milliseconds)
    return to_ms(min(received_at + ahead, now()))


def to_ms(instant: datetime) -> datetime:
    """The same instant in UTC, cut to the millisecond."""
    return instant.astimezone(UTC).replace(microsecond=instant.microsecond // 1000 * 1000)


def forget() -> None:
    """The next `now()` of this transaction looks again: a row was waited for."""
    session.info.pop("now", None)


def real_now() -> datetime:
    """The machine's own clock: for tokens, webhook tolerance and rate limits alone."""
    return datetime.now(UTC)  # noqa: TID251


@transactional
def forward(by: timedelta) -> datetime:
    """Move business time ahead; the caller has asked the settings whether that may be. It never goes back."""
    if by < timedelta(0):
        raise ValueError("business time only moves forward")
    step = round(by / timedelta(milliseconds=1))
    statement = text(
        "insert into clock_offset (single, milliseconds) values (true, :step)"
        " on conflict (single) do update set milliseconds = clock_offset.milliseconds + :step"
    )
    session.execute(statement, {"step": step})
    session.execute(text("select pg_notify('deadlines', '')"))
    return again()


def z(instant: datetime) -> str:
    """An instant as the API writes it: UTC, milliseconds, Z."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Facts: what happened, written with its effect in one transaction, together with the job that runs its reactions."""

import contextvars
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy import BigInteger, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.clock import z
from app.kit.db import Big, Model, Xid8, in_transaction, session, transactional
from app.kit.driver import plain
from app.kit.jobs import job


class Fact:
    """Base of the frozen dataclasses in `app/facts.py`: ids and plain values, no names, no secrets."""

    kind: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.kind = cls.__name__


F = TypeVar("F", bound=Fact)
Reactions = Mapping[type[Fact], Sequence[Callable[[Any], None]]]


class FactRow(Model):
    """One fact. `seq` is its number as written; only `position`, given by the sealer, is its place in the total order."""

    __tablename__ = "facts"
    __table_args__ = (Index("facts_unsealed_idx", "seq", postgresql_where=text("position is null")),)
    seq: Mapped[Big] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    kind: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(server_default=text("business_now()"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    position: Mapped[Big | None] = mapped_column(BigInteger, unique=True)
    sealed_at: Mapped[datetime | None]
    chain: Mapped[bytes | None] = mapped_column(LargeBinary)


class ReactionDone(Model):
    """A reaction that has run; a repeated job runs only what is missing here."""

    __tablename__ = "reactions_done"
    fact_seq: Mapped[Big] = mapped_column(BigInteger, primary_key=True)
    reaction: Mapped[str] = mapped_column(primary_key=True)


_RECORD = text(
    "with f as (insert into facts (kind, data) values (:kind, cast(:data as jsonb)) returning seq), j as ("
    "select procrastinate_defer_jobs_v1(array[row('facts', 'react', 0, null, null,"
    " jsonb_build_object('seq', f.seq), now())::procrastinate_job_to_defer_v1]) from f)"
    " select f.seq, pg_notify('facts', '') from f, j"
)
_RECORD_ALONE = text(
    "with f as (insert into facts (kind, data) values (:kind, cast(:data as jsonb)) returning seq)"
    " select f.seq, pg_notify('facts', '') from f"
)


def record(fact: Fact) -> int:
    """Write the fact and defer its reactions, where it has any, in the present transaction; returns its `seq`."""
    if not in_transaction():
        raise RuntimeError(f"{fact.kind} recorded outside a transaction")
    followed = _TABLE.get(type(fact), ("unknown here",))
    statement = _RECORD if followed else _RECORD_ALONE
    seq: int = plain(statement, {"kind": fact.kind, "data": dumps(fact)})[0].seq
    return seq


def dumps(fact: Fact) -> str:
    """The fact's canonical JSON: sorted keys, instants as the API writes them. The chain hashes this."""
    values = {field.name: getattr(fact, field.name) for field in dataclasses.fields(fact)}  # type: ignore[arg-type]
    return json.dumps(values, sort_keys=True, separators=(",", ":"), default=_plain)


def as_sealed(row: Any) -> dict[str, Any]:
    """A fact as chain, tree and export have it, each part as the text that is hashed; `data` is what PostgreSQL writes."""
    return {
        "seq": row.seq,
        "kind": row.kind,
        "data": row.data,
        "at": row.at.astimezone(UTC).isoformat(),
        "recorded_at": row.recorded_at.astimezone(UTC).isoformat(),
    }


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return z(value)
    raise TypeError(f"{type(value).__name__} has no place in a fact")


def loads(row: FactRow, kinds: Mapping[str, type[Fact]]) -> Fact:
    """The fact as it was recorded."""
    cls = kinds[row.kind]
    known = {field.name: field.type for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values = {name: _typed(value, known[name]) for name, value in row.data.items() if name in known}
    return cls(**values)


def _typed(value: Any, wanted: Any) -> Any:
    if value is not None and "datetime" in str(wanted):
        return datetime.fromisoformat(value)
    return value


_present: contextvars.ContextVar["FactRow"] = contextvars.ContextVar("present_fact")


def present() -> FactRow:
    """The row of the fact whose reactions run now."""
    return _present.get()


_TABLE: dict[type[Fact], Sequence[Callable[[Any], None]]] = {}


def install(reactions: Reactions) -> None:
    """The factory hands over the one table of `app/reactions.py`."""
    _TABLE.clear()
    _TABLE.update(reactions)


@job("react")
def react(seq: int) -> None:
    """Run the reactions of one fact that have not run: each in a savepoint, marked done with its effect.

    One that fails leaves the others done; the job then fails with its error and is retried for the rest.
    """
    error = _run_missing(seq)
    if error is not None:
        raise error


@transactional
def _run_missing(seq: int) -> Exception | None:
    row = session.get(FactRow, seq, with_for_update=False)
    if row is None:
        return None
    _lock_fact(seq)
    _present.set(row)
    fact = loads(row, {cls.kind: cls for cls in _TABLE})
    done = set(
        session.execute(
            text("select reaction from reactions_done where fact_seq = :seq"), {"seq": seq}
        ).scalars()
    )
    failed: Exception | None = None
    for reaction in _TABLE[type(fact)]:
        name = reaction_name(reaction)
        if name in done:
            continue
        try:
            with session.begin_nested():
                reaction(fact)
                session.add(ReactionDone(fact_seq=Big(seq), reaction=name))
        except Exception as error:  # noqa: BLE001 - each reaction stands alone; the job carries the error
            failed = failed or error
    return failed


def _lock_fact(seq: int) -> None:
    session.execute(text("select pg_advisory_xact_lock(:space, :seq)"), {"space": 7001, "seq": seq % 2**31})


def reaction_name(reaction: Callable[[Any], None]) -> str:
    return getattr(reaction, "reaction_name", f"{reaction.__module__}.{reaction.__qualname__}")

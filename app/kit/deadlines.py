"""Deadlines in business time: rows that the due-runner works off, set in the transaction that needs them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, session
from app.kit.driver import plain


class Deadline(Model):
    """At `due_at` the step `kind` is taken for `ref`; taking it deletes the row in the same transaction."""

    __tablename__ = "deadlines"
    kind: Mapped[str] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(server_default="0", default=0)
    not_before: Mapped[datetime | None]


class Due(NamedTuple):
    """What is due when: the kind of the deadline and whose it is."""

    kind: str
    ref: str
    at: datetime


_PLAN = text(
    "insert into deadlines (kind, ref, due_at, attempts) select kind, ref, due_at, 0"
    " from unnest(cast(:kinds as text[]), cast(:refs as text[]), cast(:instants as timestamptz[])) as d(kind, ref, due_at)"
    " on conflict (kind, ref) do update set due_at = excluded.due_at, attempts = 0, not_before = null"
)


def at(kind: str, ref: str, due_at: datetime) -> None:
    """Set, or move, one deadline."""
    plan([Due(kind, ref, due_at)])


def plan(due: Sequence[Due]) -> None:
    """Set, or move, several at once."""
    if not due:
        return
    kinds, refs, instants = zip(*due, strict=True)
    plain(_PLAN, {"kinds": list(kinds), "refs": list(refs), "instants": list(instants)}, flush=False)


def drop(ref: str, *kinds: str) -> None:
    """Forget deadlines of `ref`: the named kinds, or all."""
    statement = delete(Deadline).where(Deadline.ref == ref)
    if kinds:
        statement = statement.where(Deadline.kind.in_(kinds))
    session.execute(statement)

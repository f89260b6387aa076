"""Signs of life of the processes that answer no requests: each says every few seconds that it works, and what it sees."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model
from app.kit.driver import autocommit_engine, read

EVERY_S, SILENT_S = 3.0, 15.0
FINE = "ok"
_BEAT = text(
    "insert into heartbeats (name, at, says) values (:name, clock_timestamp(), :says)"
    " on conflict (name) do update set at = excluded.at, says = excluded.says"
)
_SEEN = text("select name, says, extract(epoch from clock_timestamp() - at) as age from heartbeats")


class Heartbeat(Model):
    """When a process was last heard of; one row each, in real time."""

    __tablename__ = "heartbeats"
    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    says: Mapped[str]


@dataclass(frozen=True, slots=True)
class Sign:
    """What a process said last, and how many seconds ago."""

    says: str
    age: float

    @property
    def alive(self) -> bool:
        return self.age <= SILENT_S


def beat(name: str, says: str = FINE) -> None:
    """Say that `name` works. A statement of its own, outside of any transaction."""
    with autocommit_engine().connect() as connection:
        connection.execute(_BEAT, {"name": name, "says": says})


def signs() -> dict[str, Sign]:
    """All that were ever heard, by name."""
    return {row.name: Sign(row.says, float(row.age)) for row in read(_SEEN)}


def clock_of(name: str) -> str:
    """Under what a process says what it sees of the clocks."""
    return f"clock-{name}"


def numbered(name: str, number: int) -> str:
    """Of a process that may run several times: what the first, second ... goes by."""
    return name if number == 1 else f"{name}-{number}"


def of_several(seen: Mapping[str, Sign], name: str) -> Sign | None:
    """Of a process that may run several times, the sign to go by: a complaint of one that lives, else the youngest."""
    found = [sign for key, sign in seen.items() if key == name or key.startswith(f"{name}-")]
    alive = [sign for sign in found if sign.alive]
    complaints = [sign for sign in alive if sign.says != FINE]
    return min(complaints or alive or found, key=lambda sign: sign.age, default=None)


def missing(sign: Sign | None, what: str) -> str | None:
    """What is wrong with a sign of life, in words; None when it is fresh."""
    if sign is None:
        return f"{what} has never been heard"
    return None if sign.alive else f"{what} was last heard {sign.age:.0f} s ago"

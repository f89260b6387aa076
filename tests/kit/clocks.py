"""Clocks that tests hold in hand: the wall's, the database's, and the one that nobody sets."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.kit.db import release, session
from app.kit.steady import Watch

NOON = 1_800_000_000.0


@dataclass
class Clocks:
    """`slow`: how long each look takes, in seconds; `away`: the database cannot be asked."""

    wall: float = NOON
    database: float = NOON
    ticks: float = 1000.0
    slow: float = 0.0
    away: bool = False

    def watch(self, bound_s: float = 1.0, steady_s: float = 60.0) -> Watch:
        """One that goes by these clocks."""
        return Watch(
            bound_s,
            steady_s,
            wall=lambda: self.wall,
            ticks=lambda: self.ticks,
            database=self._of_database,
        )

    def go_on(self, seconds: float) -> None:
        """Time passes."""
        self.wall += seconds
        self.database += seconds
        self.ticks += seconds

    def step(self, seconds: float) -> None:
        """The clocks are set, and no time passes."""
        self.wall += seconds
        self.database += seconds

    def _of_database(self) -> float:
        if self.away:
            raise OperationalError("select", {}, Exception("away"))
        told = self.database
        self.go_on(self.slow)
        return told


def set_database(by: timedelta) -> None:
    """The database's clock is put forward or back, as far as business time can tell. Whoever puts it back must see that
    it has caught up in the end: other tests of the process have the same database.
    """
    release()
    session.execute(
        text(
            "insert into clock_offset (single, milliseconds) values (true, :by)"
            " on conflict (single) do update set milliseconds = clock_offset.milliseconds + :by"
        ),
        {"by": by // timedelta(milliseconds=1)},
    )
    session.commit()

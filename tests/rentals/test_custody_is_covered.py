"""Random histories of one car: whoever but the owner holds it is covered, from before the door to the lock, and once.

After each step: the union of covers is the custody of others; no instant has two covers; custody has no gap, and its ledger
says the same; every cover was recorded before the command that may open the door; what was answered as of an instant, of
cover and of custody, is answered so again. The long form is a part of `make faults`.
"""

import json
import os
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from app.cars import custody
from app.cars.custody import Held
from app.cars.models import Custody
from app.coverage import coverage_at
from app.coverage.models import Cover
from app.kit import clock, sealed
from app.kit.clock import z
from app.kit.db import bare, session
from tests.coverage.factories import seal
from tests.coverage.test_report import Ines, ines
from tests.rentals.history import Borrowing

__all__ = ["ines"]

LONG = os.environ.get("GLOVEBOX_FAULTS") == "long"
STORIES, STEPS = (150, 40) if LONG else (8, 20)
ASKED_AGAIN_EVERY = 1 if LONG else 3
"""After so many steps what was answered before is asked again; each answer is so at least once."""
MS = timedelta(milliseconds=1)
STEPS_BY_WEIGHT = (
    *("unlock", "unlock", "answer", "answer", "answer", "lock", "lock", "pause", "answer_late"),
    *("fetch", "fetch", "at_the_car", "at_the_car", "receipt", "receipt"),
    *("wait", "wait", "extend", "cancel", "close", "removed", "book", "book"),
    *("insurer", "insurer", "names", "takes_off", "crosses"),
    *("set_clock", "set_clock", "first_last", "first_last"),
)
Span = tuple[datetime, datetime | None]


class Street(Borrowing):
    """The same, and what must be true after each step."""

    def __init__(self, door: Ines) -> None:
        super().__init__(door)
        self.known: list[tuple[str, datetime, datetime, str]] = []
        self.held: list[tuple[datetime, dict[datetime, Held | None]]] = []
        self.no, self.vin = self.garage.scene.car.no, self.garage.scene.car.vin
        self.steps = 0

    # -- what must be true

    def check(self) -> None:
        """All of it, after each step."""
        self.steps += 1
        self.others_are_covered_and_nobody_twice()
        self.custody_has_no_gap()
        self.the_ledger_says_the_same_and_what_it_said_stays()
        self.a_cover_is_recorded_before_the_command()
        self.what_was_answered_as_of_an_instant_stays()

    def others_are_covered_and_nobody_twice(self) -> None:
        covers, held = self._covers(), self._held_by_others()
        assert joined(covers) == joined(held), f"covered {joined(covers)}, held by others {joined(held)}"
        for (_, until), (begins, _) in pairwise(covers):
            assert until is not None, "two covers at once"
            assert until <= begins, "two covers at once"

    def custody_has_no_gap(self) -> None:
        rows = self._custody()
        assert rows[0].from_at == self.garage.scene.car.made_at
        assert rows[-1].to_at is None
        for one, following in pairwise(rows):
            assert one.to_at == following.from_at, "nobody held the car, or two did"

    def the_ledger_says_the_same_and_what_it_said_stays(self) -> None:
        seal()
        rows = self._custody()
        self._ledger_says(rows[-2:])
        if self.steps % ASKED_AGAIN_EVERY == 0:
            self._it_says_the_same()
        as_of = sealed.head().as_of - MS
        self.held.append((as_of, self._holders([row.from_at for row in rows[-3:]], as_of)))
        self.held = self.held[-4:]

    def _it_says_the_same(self) -> None:
        for as_of, said in self.held:
            assert self._holders(list(said), as_of) == said, f"as of {z(as_of)}"

    def _ledger_says(self, rows: list[Custody]) -> None:
        """All that is known is known to the ledger: at the first instant of a span and at its last."""
        for row in rows:
            held = Held(row.holder, row.person_id, row.rental_id, row.from_at, row.to_at)
            asked = [row.from_at, max(row.from_at, row.to_at - MS if row.to_at else clock.now())]
            assert self._holders(asked) == dict.fromkeys(asked, held)

    def _holders(self, asked: list[datetime], as_of: datetime | None = None) -> dict[datetime, Held | None]:
        session.rollback()
        known = sealed.head(as_of)
        return {at: custody.at(self.no, at, known) for at in asked}

    def at_the_end(self) -> None:
        """What takes longer than is worth it at each step."""
        self._ledger_says(self._custody())
        self._it_says_the_same()
        self._it_is_answered_the_same()
        self.catch_up()

    def starts_moved(self) -> int:
        """How many times a cover was found to have begun before its last version said."""
        session.rollback()
        found: int = session.execute(
            text(
                "select count(*) from covers c join cover_versions v on v.cover_id = c.id"
                " join cover_versions n on n.cover_id = c.id and n.version = v.version + 1 and n.from_at < v.from_at"
                " where c.car_id = :car and v.state in ('active', 'closed')"
            ),
            {"car": bare(self.garage.scene.car_id, "car")},
        ).scalar_one()
        return found

    def a_cover_is_recorded_before_the_command(self) -> None:
        uncovered = session.execute(
            text(
                "select c.id from commands c join facts f on f.kind = 'UnlockAsked' and f.data ->> 'command' ="
                " 'cmd_' || replace(c.id::text, '-', '') where c.rental_id = cast(:rental as uuid) and not exists("
                " select 1 from cover_versions v join covers k on k.id = v.cover_id"
                " where k.rental_id = c.rental_id and v.fact_seq < f.seq)"
            ),
            {"rental": self.rental.split("_")[1]},
        ).all()
        session.rollback()
        assert uncovered == []

    def what_was_answered_as_of_an_instant_stays(self) -> None:
        seal()
        if self.steps % ASKED_AGAIN_EVERY == 0:
            self._it_is_answered_the_same()
        for begins, until in self._covers()[-1:]:
            for at in (begins - MS, begins, until or clock.now()):
                if at <= clock.now():
                    self._keep(at)
        self.known = self.known[-12:]

    def _it_is_answered_the_same(self) -> None:
        for insurer, at, as_of, said in self.known:
            if at > clock.now():  # the clock was put back: for now that lies ahead, and is not answered
                continue
            assert self._answer(insurer, at, as_of) == said, f"asked about {z(at)} as of {z(as_of)}"

    def _keep(self, at: datetime) -> None:
        insurer = self._insurer()
        as_of = coverage_at.ask(insurer, at=at, vin=self.vin)["as_of"] - MS
        self.known.append((insurer, at, as_of, self._answer(insurer, at, as_of)))

    def _answer(self, insurer: str, at: datetime, as_of: datetime) -> str:
        session.rollback()
        found = coverage_at.ask(insurer, at=at, vin=self.vin, as_of=as_of)
        return json.dumps(found, default=str, sort_keys=True)

    def _insurer(self) -> str:
        """Whose the newest cover is: by a clock that was put back a policy may be in force that no longer was."""
        wanted = select(Cover.insurer_id).where(Cover.car_id == self.garage.scene.car_id)
        return str(session.scalars(wanted.order_by(Cover.id.desc()).limit(1)).one())

    def _covers(self) -> list[Span]:
        """What is covered, without spans of no length; a condition that is not fulfilled covers nothing yet."""
        session.rollback()
        rows = session.scalars(
            select(Cover).where(Cover.car_id == self.garage.scene.car_id).order_by(Cover.from_at, Cover.id)
        )
        return [(one.from_at, one.to_at) for one in rows if one.to_at != one.from_at]

    def _custody(self) -> list[Custody]:
        session.rollback()
        wanted = select(Custody).where(Custody.car_no == self.no)
        rows = session.scalars(wanted.order_by(Custody.from_at, Custody.id))
        return [one for one in rows if one.to_at != one.from_at]

    def _held_by_others(self) -> list[Span]:
        return [(one.from_at, one.to_at) for one in self._custody() if one.holder == "driver"]


def joined(spans: list[Span]) -> list[Span]:
    """The same instants in as few spans as there can be."""
    found: list[Span] = []
    for begins, until in spans:
        if found and found[-1][1] == begins:
            found[-1] = (found[-1][0], until)
        else:
            found.append((begins, until))
    return found


STEP = st.tuples(st.sampled_from(STEPS_BY_WEIGHT), st.integers(0, 999))
# Drawn among others it comes too late mostly: half of the histories begin with a start that moves back.
BEGINNING = st.sampled_from(((), (("first_last", 1),)))
HISTORY = st.tuples(BEGINNING, st.lists(STEP, min_size=STEPS, max_size=STEPS)).map(
    lambda drawn: [*drawn[0], *drawn[1]]
)


@pytest.mark.timeout(3600 if LONG else 300)
@settings(
    max_examples=STORIES,
    deadline=None,
    database=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink) if LONG else (Phase.generate,),
)
@given(history=HISTORY)
def test_no_minute_of_custody_is_uncovered(app: Flask, ines: Ines, history: list[tuple[str, int]]) -> None:
    note(f"{history}")
    street = Street(ines)
    for name, number in history:
        getattr(street, name)(number)
        street.check()
    event(f"starts that moved back: {street.starts_moved()}")
    for step in street.taken:
        event(f"taken: {step}")
    street.at_the_end()

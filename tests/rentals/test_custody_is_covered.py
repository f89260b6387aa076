"""Random histories of one car: whoever but the owner holds it is covered, from before the door to the lock, and once.

After each step: the union of covers is the custody of others; no instant has two covers; custody has no gap, and its ledger
says the same; every cover was recorded before the command that may open the door; what was answered as of an instant, of
cover and of custody, is answered so again. The long form is a part of `make faults`.
"""

import json
import os
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from app import due
from app.cars import custody
from app.cars.custody import Held
from app.cars.models import Custody
from app.communities import leave
from app.coverage import coverage_at
from app.coverage.models import Cover
from app.facts import MemberRemoved
from app.kit import clock, sealed
from app.kit.clock import z
from app.kit.db import session
from app.kit.errors import Problem
from app.rentals import abandoned, book, cancel, close, expire, extend, lock, outcome, pause, quote, unlock
from app.rentals.lifecycle import State
from app.rentals.models import Command, Rental
from carbox.box import AnswerKind, Evidence
from carbox.grant import BadGrant
from tests.coverage.factories import doing, seal
from tests.rentals.garage import MINUTE, Garage, build
from tests.rentals.test_outcome import FIRST_ALONE, LOCKED, UNLOCKED, Said, answer

LONG = os.environ.get("GLOVEBOX_FAULTS") == "long"
STORIES, STEPS = (150, 40) if LONG else (8, 20)
MS = timedelta(milliseconds=1)
SAID: list[Any] = [row[0] for row in (*UNLOCKED, *FIRST_ALONE, *LOCKED)]
DONE = Said(AnswerKind.CONFIRMED, effect=True, evidence=Evidence.STRONG, dead=True)
SKEWS = (0, 0, -90, 45)
"""Seconds by which the box's clock is off."""
MINUTES = (1, 1, 7, 30, 90, 400)
STEPS_BY_WEIGHT = (
    *("unlock", "unlock", "answer", "answer", "answer", "lock", "lock", "pause", "answer_late"),
    *("fetch", "fetch", "at_the_car", "at_the_car", "receipt", "receipt"),
    *("wait", "wait", "extend", "cancel", "close", "removed", "book", "book"),
)
OVER = (State.ENDED, State.SETTLED, State.CANCELLED, State.NO_SHOW)
Span = tuple[datetime, datetime | None]


class Street:
    """Max borrows Olga's car, again and again. A step that is refused has changed nothing, which the checks see.

    Each step is given a number, from which it takes what it has to choose.
    """

    def __init__(self) -> None:
        self.garage: Garage = build(2)
        self.by = self.garage.scene.caller()
        self.records: list[str] = []
        self.known: list[tuple[datetime, datetime, str]] = []
        self.held: list[tuple[datetime, dict[datetime, Held | None]]] = []
        self.taken = Counter[str]()

    def _try(self, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        session.rollback()
        try:
            found = step(*args, **kwargs)
        except (Problem, BadGrant):
            session.rollback()
            return None
        self.taken[getattr(step, "__name__", "step")] += 1
        return found

    @property
    def rental(self) -> str:
        return self.garage.scene.rental_id

    def _commands(self, *states: str) -> list[Command]:
        session.rollback()
        wanted = select(Command).where(Command.rental_id == self.rental, Command.state.in_(states))
        return list(session.scalars(wanted.order_by(Command.id)))

    # -- with signal

    def unlock(self, _: int) -> None:
        self.garage.scene.reads(locked=True)
        self._try(unlock.unlock, self.by, self.rental)

    def lock(self, _: int) -> None:
        self.garage.scene.reads(locked=False)
        self._try(lock.lock, self.by, self.rental, keys_in_glove_box=True)

    def pause(self, _: int) -> None:
        self._try(pause.pause, self.by, self.rental)

    def answer(self, number: int) -> None:
        """The box answers, mostly as one would wish."""
        said = DONE if number % 3 else SAID[number // 3 % len(SAID)]
        for command in self._commands("created", "sent")[:1]:
            state = {"locked": said.effect} if said.effect is not None else {}
            self._try(outcome.apply, command.id, answer(said, **state))

    def answer_late(self, number: int) -> None:
        for command in self._commands("unknown", "dead")[-1:]:
            self._try(outcome.apply_late, command.id, answer(SAID[number % len(SAID)]))

    # -- without signal

    def fetch(self, _: int) -> None:
        found = self.garage.fetch()
        if found.status_code == 200:
            self.garage.phone.fetched = dict(found.json)

    def at_the_car(self, number: int) -> None:
        if not getattr(self.garage.phone, "fetched", None):
            return
        self.garage.skew = timedelta(seconds=SKEWS[number // 8 % len(SKEWS)])
        verb = "unlock" if number % 2 else "lock"
        record = self._try(self.garage.do, verb)
        if record is not None:
            self.records.append(record)
            if verb == "unlock" and number % 4 == 1:
                self.garage.drive(3)

    def receipt(self, number: int) -> None:
        if self.records:
            self._try(self.garage.upload, self.records[number % len(self.records)])

    # -- others, and time

    def wait(self, number: int) -> None:
        clock.forward(MINUTES[number % len(MINUTES)] * MINUTE)
        self._try(abandoned.settle)
        self._try(due.work_off)

    def extend(self, _: int) -> None:
        def extends() -> None:
            row = session.get_one(Rental, self.rental)
            quoted = quote.quote(
                self.by.person, {"rental": self.rental, "to": row.to_at + timedelta(hours=1)}
            )
            extend.extend(self.by.person, self.rental, quoted.id)

        self._try(extends)

    def cancel(self, number: int) -> None:
        if number % 4 == 0:
            self._try(cancel.cancel, self.by.person, self.rental, "plans changed")

    def close(self, _: int) -> None:
        self._try(close.close, self.garage.scene.olga.id, self.rental)

    def removed(self, number: int) -> None:
        if number % 8 == 0:
            scene = self.garage.scene
            self._try(leave.leave, scene.olga.id, scene.community.id, scene.max.id)
            gone = MemberRemoved(scene.community.id, scene.max.id, scene.olga.id)
            self._try(doing, expire.cancel_of_member, gone)

    def book(self, _: int) -> None:
        def books() -> str:
            now = clock.now()
            asked = {"car": self.garage.scene.car_id, "from_": now, "to": now + timedelta(hours=2)}
            quoted = quote.quote(self.by.person, asked)
            made = book.book(self.by.person, {"quote": quoted.id, "accept": quoted.conditions})
            return str(made.id)

        if self.garage.stands() in OVER:
            self.garage.scene.rental_id = self._try(books) or self.rental

    # -- what must be true

    def check(self) -> None:
        """All of it, after each step."""
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
        for as_of, said in self.held:
            assert self._holders(list(said), as_of) == said, f"as of {z(as_of)}"
        as_of = sealed.head().as_of - MS
        self.held.append((as_of, self._holders([row.from_at for row in rows[-3:]], as_of)))
        self.held = self.held[-4:]

    def _ledger_says(self, rows: list[Custody]) -> None:
        """All that is known is known to the ledger: at the first instant of a span and at its last."""
        for row in rows:
            held = Held(row.holder, row.person_id, row.rental_id, row.from_at, row.to_at)
            asked = [row.from_at, max(row.from_at, row.to_at - MS if row.to_at else clock.now())]
            assert self._holders(asked, clock.now()) == dict.fromkeys(asked, held)

    def _holders(self, asked: list[datetime], as_of: datetime) -> dict[datetime, Held | None]:
        session.rollback()
        known = sealed.head(as_of)
        return {at: custody.at(self.garage.scene.car.no, at, known) for at in asked}

    def at_the_end(self) -> None:
        """What takes longer than is worth it at each step."""
        self._ledger_says(self._custody())

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
        for at, as_of, said in self.known:
            assert self._answer(at, as_of) == said, f"asked about {z(at)} as of {z(as_of)}"
        for begins, until in self._covers()[-1:]:
            for at in (begins - MS, begins, until or clock.now()):
                if at <= clock.now():
                    self._keep(at)
        self.known = self.known[-12:]

    def _keep(self, at: datetime) -> None:
        as_of = coverage_at.ask(self._insurer(), at=at, vin=self._vin())["as_of"] - MS
        self.known.append((at, as_of, self._answer(at, as_of)))

    def _answer(self, at: datetime, as_of: datetime) -> str:
        session.rollback()
        found = coverage_at.ask(self._insurer(), at=at, vin=self._vin(), as_of=as_of)
        return json.dumps(found, default=str, sort_keys=True)

    def _insurer(self) -> str:
        wanted = select(Cover.insurer_id).where(Cover.car_id == self.garage.scene.car_id).limit(1)
        return str(session.scalars(wanted).one())

    def _vin(self) -> str:
        return str(self.garage.scene.car.vin)

    def _covers(self) -> list[Span]:
        """What is covered, without spans of no length; a condition that is not fulfilled covers nothing yet."""
        session.rollback()
        rows = session.scalars(
            select(Cover).where(Cover.car_id == self.garage.scene.car_id).order_by(Cover.from_at, Cover.id)
        )
        return [(one.from_at, one.to_at) for one in rows if one.to_at != one.from_at]

    def _custody(self) -> list[Custody]:
        session.rollback()
        wanted = select(Custody).where(Custody.car_no == self.garage.scene.car.no)
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


HISTORY = st.lists(
    st.tuples(st.sampled_from(STEPS_BY_WEIGHT), st.integers(0, 999)), min_size=STEPS, max_size=STEPS
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
def test_no_minute_of_custody_is_uncovered(app: Flask, history: list[tuple[str, int]]) -> None:
    street = Street()
    for name, number in history:
        getattr(street, name)(number)
        street.check()
    street.at_the_end()
    event(", ".join(sorted(street.taken)))

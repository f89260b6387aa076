"""What may happen while Max borrows Olga's car, again and again: the steps of the random histories of one car."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.communities import leave
from app.coverage import blocks, report
from app.coverage.models import Cover
from app.facts import MemberRemoved
from app.kit import clock
from app.kit.db import release, session
from app.kit.errors import Problem
from app.people.models import Person
from app.rentals import (
    abandoned,
    book,
    cancel,
    close,
    expire,
    extend,
    lock,
    name_driver,
    outcome,
    pause,
    quote,
    unlock,
)
from app.rentals.lifecycle import State
from app.rentals.models import Command, Rental
from carbox.box import AnswerKind, Evidence
from carbox.grant import BadGrant
from insurance.partner import InsurerRefused
from tests.coverage.factories import doing
from tests.coverage.test_report import Ines, accepted
from tests.kit.clocks import set_database
from tests.rentals.garage import MINUTE, Garage, build, work_off
from tests.rentals.test_abroad import BERN, BRUSSELS, PARIS, drive
from tests.rentals.test_name_driver import member
from tests.rentals.test_outcome import FIRST_ALONE, LOCKED, UNLOCKED, Said, answer

SAID: list[Any] = [row[0] for row in (*UNLOCKED, *FIRST_ALONE, *LOCKED)]
DONE = Said(AnswerKind.CONFIRMED, effect=True, evidence=Evidence.STRONG, dead=True)
SKEWS = (0, 0, -90, 45)
"""Seconds by which the box's clock is off."""
MINUTES = (1, 1, 7, 30, 90, 400)
CLOCK_SET_BY_S = (1, -1, 20, -20, 90, -90, 900, -900)
"""Seconds by which somebody sets the database's clock."""
PLACES = (PARIS, BRUSSELS, BERN)
OVER = (State.ENDED, State.SETTLED, State.CANCELLED, State.NO_SHOW)


class Borrowing:
    """Max borrows Olga's car, again and again. A step that is refused has changed nothing, which the checks see.

    Each step is given a number, from which it takes what it has to choose.
    """

    def __init__(self, door: Ines) -> None:
        self.door = door
        self.garage: Garage = build(2)
        self.by = self.garage.scene.caller()
        self.nina: Person = member(self.garage)
        self.latest = clock.now()
        self.records: list[str] = []
        self.taken = Counter[str]()

    def _try(self, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        release()
        try:
            found = step(*args, **kwargs)
        except (Problem, BadGrant, InsurerRefused):
            release()
            return None
        self.taken[getattr(step, "__name__", "step")] += 1
        return found

    @property
    def rental(self) -> str:
        return self.garage.scene.rental_id

    def _commands(self, *states: str) -> list[Command]:
        release()
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
        self.garage.skew = timedelta(seconds=SKEWS[number // 8 % len(SKEWS)])
        if self._do("unlock" if number % 2 else "lock") and number % 4 == 1:
            self.garage.drive(3)

    def _do(self, verb: str) -> bool:
        if not getattr(self.garage.phone, "fetched", None):
            return False
        record = self._try(self.garage.do, verb)
        self.records += [record] if record is not None else []
        return record is not None

    def receipt(self, number: int) -> None:
        if self.records:
            self._try(self.garage.upload, self.records[number % len(self.records)])

    def first_last(self, number: int) -> None:
        """Of two doors in a row the first is heard of last, when nobody waits for it any more: the start moves back."""
        self.fetch(number)
        self.garage.skew = timedelta(0)
        for _ in range(2):
            if not self._do("unlock"):
                return
            clock.forward((1 + number % 3) * MINUTE)
        first, second = self.records[-2:]
        self._try(self.garage.upload, second)
        clock.forward(61 * MINUTE)
        self._try(work_off)
        self._try(self.garage.upload, first)

    # -- the insurer, further drivers, borders

    def insurer(self, number: int) -> None:
        """Told of a cover, the insurer takes note or refuses; or takes a driver again whom it had refused."""
        release()
        self.door.told.clear()
        wanted = select(Cover).where(Cover.rental_id == self.rental).order_by(Cover.from_at.desc()).limit(1)
        told = session.scalars(wanted).first()
        if told is None:
            return
        cover, version, insurer = told.id, told.version, told.insurer_id
        if number % 4 == 0:
            self.door.fails(InsurerRefused("declined", code="sanctions"))
        else:
            self.door.says = accepted
        self._try(report.report_cover, cover, max(1, version - number % 2))
        for person in (self.by.person, self.nina.id):
            if number % 4:
                self._try(blocks.lift, insurer, person)

    def names(self, _: int) -> None:
        self._try(name_driver.name, self.by.person, self.rental, self.nina.id)

    def takes_off(self, number: int) -> None:
        by = self.by.person if number % 2 else self.nina.id
        self._try(name_driver.take_off, by, self.rental, self.nina.id)

    def crosses(self, number: int) -> None:
        place = PLACES[number % len(PLACES)]
        self._try(drive, self.garage, place, place)

    # -- others, and time

    def set_clock(self, number: int) -> None:
        """Somebody sets the database's clock, and nobody notices."""
        self.latest = max(self.latest, clock.now())
        self._try(set_database, timedelta(seconds=CLOCK_SET_BY_S[number % len(CLOCK_SET_BY_S)]))

    def catch_up(self) -> None:
        """At the end it is not behind any more: other histories have the same database."""
        behind = max(self.latest - clock.now(), timedelta(0))
        clock.forward(behind + MINUTE)

    def wait(self, number: int) -> None:
        clock.forward(MINUTES[number % len(MINUTES)] * MINUTE)
        self._try(abandoned.settle)
        self._try(work_off)

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

"""16 clients book, cancel and block three cars at random: no two hold a slot at once, and no refusal is without a reason."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.demo_cast import Actor, until
from app.kit.driver import read
from app.supervisor import Supervisor
from tests.flows.friends import SILENT_BOX, Friends
from tests.flows.known import known
from tests.races.at_once import shot

CLIENTS, ROUNDS, DRIVERS = 16, 8, 4
SLOT, SLOTS = timedelta(minutes=30), 16
Span = tuple[datetime, datetime]


@dataclass
class Held:
    """Something that took a span of a car: surely from `surely` on, perhaps since `asked`; until it was `given_up`."""

    car: str
    span: Span
    asked: float
    surely: float
    id: str = ""
    given_up: float = float("inf")
    surely_over: float = float("inf")


@dataclass
class Refused:
    """A request for a span that was refused as taken, and when it was under way."""

    car: str
    span: Span
    asked: float
    answered: float


@dataclass
class History:
    """What all clients did, by the clock of this process."""

    held: list[Held] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    odd: list[Any] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def overlap(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]


class Client:
    """One of them: a driver who books and cancels, or the owner who blocks and lifts."""

    def __init__(self, number: int, circle: Friends, cars: list[str], driver: Actor, seen: History) -> None:
        self.random = random.Random(number)  # noqa: S311 - a story to be told again
        self.circle, self.cars, self.driver, self.seen = circle, cars, driver, seen
        self.mine: list[Held] = []

    def play(self) -> None:
        for _ in range(ROUNDS):
            if self.mine and self.random.random() < 0.4:
                self.give_up(self.mine.pop(self.random.randrange(len(self.mine))))
            else:
                self.take()

    def take(self) -> None:
        car = self.random.choice(self.cars)
        begins = BEGIN[0] + self.random.randrange(SLOTS) * SLOT
        span = begins, begins + self.random.randint(1, 6) * SLOT
        asked = time.monotonic()
        answer = self.block(car, span) if self.driver is self.circle.olga else self.book(car, span)
        answered = time.monotonic()
        with self.seen.lock:
            if answer.status == 201:
                made = Held(car, span, asked, answered, answer.body["id"])
                self.seen.held.append(made)
                self.mine.append(made)
            elif answer.status == 409 and answer.slug == "car-taken":
                self.seen.refused.append(Refused(car, span, asked, answered))
            else:
                self.seen.odd.append((answer.status, answer.body))

    def book(self, car: str, span: Span) -> Any:
        asked = {"car": car, "from": span[0].isoformat(), "to": span[1].isoformat()}
        quote = shot(self.driver, "POST", "/quotes", asked)()
        if quote.status != 201:
            return quote
        return shot(self.driver, "POST", "/rentals", self.circle.booking(quote.body))()

    def block(self, car: str, span: Span) -> Any:
        body = {"from": span[0].isoformat(), "to": span[1].isoformat(), "kind": "own_use"}
        return shot(self.driver, "POST", f"/cars/{car}/blocks", body)()

    def give_up(self, one: Held) -> None:
        one.given_up = time.monotonic()
        if self.driver is self.circle.olga:
            answer = shot(self.driver, "DELETE", f"/cars/{one.car}/blocks/{one.id}")()
        else:
            answer = shot(self.driver, "POST", f"/rentals/{one.id}/cancel", {"reason": "another plan"})()
        one.surely_over = time.monotonic()
        with self.seen.lock:
            if answer.status not in (200, 204):
                self.seen.odd.append((answer.status, answer.body))


BEGIN: list[datetime] = []
"""The instant from which the slots are counted; set by the test."""


@pytest.fixture
def history(place: Supervisor) -> History:
    circle = Friends(place, street=False)
    cars = [circle.car, *(another_car(circle) for _ in range(2))]
    drivers = [circle.max, *(known(place, f"Driver {n}") for n in range(DRIVERS - 1))]
    for driver in drivers[1:]:
        circle.let_in(driver)
    BEGIN[:] = [(circle.now() + timedelta(days=2)).replace(minute=0, second=0, microsecond=0)]
    seen = History()
    players = [circle.olga if n % 8 == 0 else drivers[n % DRIVERS] for n in range(CLIENTS)]
    clients = [Client(n, circle, cars, player, seen) for n, player in enumerate(players)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(Client.play, clients))
    until(lambda: nothing_waits(place), "what they set off to be worked off", 60)
    return seen


def nothing_waits(place: Supervisor) -> bool:
    """No job is due: hundreds are set off here, and the mail that the next test waits for would come after them all."""
    with place.application().app_context():
        found: bool = read(_NONE_DUE)[0].none
        return found


_NONE_DUE = text(
    "select not exists(select 1 from procrastinate_jobs where status in ('todo', 'doing')"
    " and coalesce(scheduled_at, now()) <= now()) as none"
)


def another_car(circle: Friends) -> str:
    car = circle.olga.add_car()
    circle.olga.offer(car, circle.community, {})
    circle.olga.put(f"/cars/{car}/box", SILENT_BOX)
    return car


def test_nobody_holds_what_another_holds_and_every_refusal_has_a_reason(history: History) -> None:
    assert history.odd == []
    assert len(history.held) > CLIENTS
    assert len(history.refused) > CLIENTS
    twice = [
        (one, other)
        for number, one in enumerate(history.held)
        for other in history.held[:number]
        if one.car == other.car
        and overlap(one.span, other.span)
        and one.surely < other.given_up
        and other.surely < one.given_up
    ]
    assert twice == []
    unjust = [
        one
        for one in history.refused
        if not any(
            held.car == one.car
            and overlap(held.span, one.span)
            and held.asked < one.answered
            and held.surely_over > one.asked
            for held in history.held
        )
    ]
    assert unjust == []

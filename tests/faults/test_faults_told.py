"""Workers die while many things happen: every fact reaches every person once, and their phones at least once."""

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from app import facts
from app.demo_cast import Actor, inst, until
from app.kit import facts as kit
from app.kit import jobs
from app.kit.db import release, session
from app.kit.facts import FactRow
from app.messages import told as telling
from app.messages.kinds import KINDS
from app.messages.models import Message
from app.messages.scene import Scene
from tests.billing.desk import POOR
from tests.faults.stack import LONG, Stack
from tests.flows.friends import PRICED, Friends
from tests.flows.known import known

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240 if LONG else 120)]
Told = dict[int, list[tuple[str, str]]]
"""What each fact told: to whom, which kind."""
_MANY = (
    "invited invitation_accepted rental_asked.owner rental_approved.driver rental_declined.driver rental_withdrawn.owner"
    " rental_cancelled.driver rental_cancelled.owner payment_failed.driver rental_unlocked.driver rental_unlocked.owner"
    " note_received driver_named driver_named.owner damage_reported.owner extension_asked.owner extension_declined.driver"
    " rental_ended.driver rental_ended.owner payment_done.driver payment_done.owner receipt_ready charge_requested.driver"
    " charge_accepted.driver charge_accepted.owner driver_taken_off driver_taken_off.owner member_removed"
)
MANY = frozenset(_MANY.split())
"""What the story tells at least."""


class Story:
    """What happens among Olga, Max and Nina, in three acts; each ends while much of it is still to be told."""

    def __init__(self, stack: Stack) -> None:
        self.circle = Friends(stack, PRICED, approval="always", languages=("en", "en"))
        self.olga, self.max = self.circle.olga, self.circle.max
        self.nina = known(stack, "Nina New")
        self.max.save_card()
        self.nina.save_card(POOR)
        self.people = (self.olga, self.max, self.nina)
        self.rental = self.circle.book(0, 3)
        self.approve(self.rental)
        self.circle.payment(self.rental, "held")

    def approve(self, rental: str) -> None:
        self.olga.post(f"/rentals/{rental}/approve", want=200)

    def are_asked(self) -> None:
        """Nina comes into the circle; bookings are asked for, and each is answered in another way."""
        circle = self.circle
        circle.let_in(self.nina)
        circle.clear(self.nina)
        declined, withdrawn, self.later = (circle.book(4 * n, 4 * n + 2) for n in (1, 2, 3))
        self.poor = circle.book(20, 21, self.nina)
        for rental in (self.later, self.poor):
            self.approve(rental)
        self.olga.post(f"/rentals/{declined}/decline", want=200)
        self.max.post(f"/rentals/{withdrawn}/withdraw", want=200)

    def drive(self) -> None:
        """The car is out; much is said about it."""
        circle, path = self.circle, f"/rentals/{self.rental}"
        circle.unlock(self.rental)
        self.max.put(f"{path}/drivers/{self.nina.id}")
        for who in (self.max, self.olga):
            who.post(f"{path}/notes", {"text": "The left mirror is loose."}, want=201)
        body = {"part": "left", "text": "The mirror is loose.", "unsafe": False}
        self.max.post(f"/cars/{circle.car}/damages", body, want=201)
        ends = self.max.get(path)["span"]["to"]
        quote = self.max.post(
            "/quotes",
            {"rental": self.rental, "to": inst(datetime.fromisoformat(ends) + timedelta(minutes=30))},
            want=201,
        )
        self.max.post(f"{path}/extend", {"quote": quote["id"]}, want=202)
        self.olga.post(f"{path}/extension/decline", want=200)
        self.max.call("DELETE", f"{path}/drivers/{self.nina.id}", want=204)

    def end(self) -> None:
        """The car is back, a damage is asked for, and Nina leaves the circle."""
        circle, path = self.circle, f"/rentals/{self.rental}"
        circle.lock(self.rental)
        body = {
            "kind": "damage",
            "amount": {"amount": 1000, "currency": "EUR"},
            "text": "The mirror.",
            "occurred_at": self.max.get(path)["actual"]["from"],
        }
        asked = self.olga.post(f"{path}/charge-requests", body, want=201)["id"]
        self.max.post(f"/charge-requests/{asked}/answer", {"accept": True}, want=200)
        self.max.post(f"/rentals/{self.later}/cancel", {"reason": "Rain."}, want=200)
        self.olga.call("DELETE", f"/communities/{circle.community}/members/{self.nina.id}", want=204)

    def ours(self) -> set[str]:
        """Who and what the facts of this story speak of."""
        rows = (row for who in (self.max, self.nina) for row in who.get("/rentals", limit=100)["items"])
        people = (one.id for one in self.people)
        return {self.circle.community, self.circle.car, *people, *(row["id"] for row in rows)}


def come_back(stack: Stack) -> None:
    """Another worker; what waits half a minute for the one that was killed is given out again at once."""
    stack.revive("worker")
    stack.sql(
        "update procrastinate_workers set last_heartbeat = now() - interval '1 minute'"
        " where id < (select max(id) from procrastinate_workers) returning id"
    )
    stack.sql("update deliveries set try_at = now() where try_at > now() returning id")
    with in_place(stack):
        jobs.rescue()


def hand_out(stack: Stack, story: Story) -> None:
    """What came too thick and fast to be pushed one by one goes out as one, ten minutes later."""
    stack.flask("clock", "forward", "11m")
    held = "select 1 from deliveries where channel = 'push' and state = 'waiting' and person_id = any(%s::uuid[])"
    people = [one.id.removeprefix("per_") for one in story.people]
    until(lambda: not stack.sql(held, people), "the pushes held back", 30)


@contextmanager
def in_place(stack: Stack) -> Iterator[None]:
    """Inside the app of the place, on its database."""
    with stack.application().app_context():
        yield
        release()


def play(stack: Stack, story: Story, chance: random.Random) -> None:
    """In the short run the worker is killed once, amid what it tells of the drive, and is away at the end."""
    story.are_asked()
    _die(stack, chance, chance.randint(1, 3) if LONG else 0)
    story.drive()
    stack.kill("worker")
    story.end()
    come_back(stack)
    _die(stack, chance, chance.randint(1, 3) if LONG else 0)


def _die(stack: Stack, chance: random.Random, times: int) -> None:
    for _ in range(times):
        time.sleep(chance.random() / 2)
        stack.kill("worker")
        come_back(stack)


@pytest.mark.must_hold("workers killed while many kinds of facts are told to many")
@pytest.mark.parametrize("seed", range(5 if LONG else 1))
def test_every_fact_is_told_once_to_each_and_pushed_though_workers_are_killed(
    stack: Stack, seed: int
) -> None:
    story, chance = Story(stack), random.Random(seed)  # noqa: S311 - no secret
    began = int(stack.sql("select max(seq) from facts")[0][0])
    play(stack, story, chance)
    stack.settles(120 if LONG else 60)
    hand_out(stack, story)
    ours = story.ours()
    with in_place(stack):
        rows = session.scalars(select(FactRow).where(FactRow.seq > began).order_by(FactRow.seq)).all()
        mine = [row for row in rows if not ours.isdisjoint(str(value) for value in row.data.values())]
        wanted, told = as_the_table_says(mine), as_it_was({row.seq for row in mine})
    assert told == wanted
    assert {kind for one in told.values() for _, kind in one} >= MANY
    for who in story.people:
        in_the_inbox_and_pushed(stack, who, began)


def as_the_table_says(rows: list[FactRow]) -> Told:
    """By what is so now, which is what was so when each was told."""
    found: Told = defaultdict(list)
    for row in rows:
        fact = kit.loads(row, facts.kinds())
        for told in telling.TABLE.get(type(fact), ()):
            here = told.of(Scene(fact, row.seq, row.at, getattr(fact, "rental", None)))
            if here is not None and told.when(here):
                found[row.seq] += [(str(one), told.kind) for one in dict.fromkeys(told.whom(here))]
    return {seq: sorted(one) for seq, one in found.items() if one}


def as_it_was(seqs: set[int]) -> Told:
    found: Told = defaultdict(list)
    for one in session.scalars(select(Message).where(Message.fact_seq.in_(seqs))):
        found[one.fact_seq].append((str(one.person_id), one.kind))
    return {seq: sorted(one) for seq, one in found.items()}


def in_the_inbox_and_pushed(stack: Stack, who: Actor, began: int) -> None:
    """Each message once in the inbox; each that is pushed at the phone, under its id or that of the push it went in with."""
    rows = stack.sql(
        "select m.id, m.kind, coalesce(carrier.message_id, d.message_id) from messages m"
        " left join deliveries d on d.message_id = m.id and d.channel = 'push'"
        " left join deliveries carrier on carrier.id = d.gathered_in"
        " where m.person_id = %s and m.fact_seq > %s",
        who.id.removeprefix("per_"),
        began,
    )
    items = [one["id"] for one in who.get("/me/messages", limit=100)["items"]]
    assert sorted(items) == sorted(set(items))
    assert {f"msg_{message.hex}" for message, _, _ in rows} <= set(items)
    wanted = {carrier for _, kind, carrier in rows if "push" in KINDS[kind].channels}
    assert None not in wanted, "what is to be pushed has its way to the phone"
    pushed = {one["message"]["data"]["message"] for one in who.pushes()}
    assert {f"msg_{message.hex}" for message in wanted} <= pushed

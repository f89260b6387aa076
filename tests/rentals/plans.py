"""A plan and what becomes of it: people over HTTP, with the workers, the clock and the till worked off in this process."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import requests
from sqlalchemy import select, text

from app import due
from app.billing.models import Payment
from app.cars import box as boxes
from app.cars import companion as companions
from app.cars import custody, occupancy
from app.cars.models import Car, Custody
from app.communities import accept, invite
from app.communities import make as communities
from app.communities.models import Community
from app.coverage.models import Cover
from app.kit import clock, facts
from app.kit.clock import z
from app.kit.db import release, session
from app.kit.deadlines import Deadline
from app.kit.facts import FactRow
from app.kit.keys import Purpose, ring
from app.messages.kinds import ALWAYS
from app.messages.models import Message
from app.people import conditions, phones, sign_in
from app.people.models import Person, Phone
from app.rentals import outcome
from app.rentals.models import Grant, Rental
from carbox.box import Answer, AnswerKind, Evidence
from carbox.grant import compressed
from carbox.phone import PhoneInHand
from carbox.simulator.car import Car as SimulatedCar
from carbox.simulator.clock import HastenedClock
from carbox.simulator.companion import Companion
from carbox.simulator.profiles import PROFILES
from payments.double.world import API_VERSION
from tests import factories
from tests.billing.desk import Desk
from tests.coverage import factories as insured
from tests.kit.asking import session_of
from tests.rentals.lending import Lending, build
from tests.rentals.scene import NOW, PASSWORD

HOUR = timedelta(hours=1)
PIN = {"kind": "simulator", "has_immobiliser": True, "key_sensor": True, "config": {"pin": "4711"}}
PRICE: dict[str, Any] = {
    "currency": "EUR",
    "hour": 600,
    "late_fee": 1500,
    "late_grace_min": 30,
    "cancellation": [{"hours_before": 24, "percent": 50}, {"hours_before": 2, "percent": 80}],
    "early_return_percent": 50,
    "no_show_min": 60,
    "buffer_min": 30,
}


@dataclass
class Plan:
    """Olga lends to Max at a price; Nina is a member who has a car too, and drives for free."""

    lending: Lending
    first: int
    heard: int = 0
    who: dict[str, dict[str, str]] = field(default_factory=dict)
    phone: PhoneInHand = field(default_factory=PhoneInHand)
    """Max's, once there is a companion to open."""

    # -- people

    @cached_property
    def nina(self) -> Person:
        """Comes into the circle when a test speaks of her."""
        self.follow()
        nina, community = factories.person("Nina Neighbour"), circle_of(self.lending)
        asked = {"email": nina.email, "fare": "free", "role": "manager"}
        invitation = invite.invite(self.lending.olga.id, community.id, asked)
        accept.accept(nina.id, invite.code_of(invitation.id))
        factories.licensed(nina, self.lending.olga, community)
        conditions.accept(nina.id, ["insurance-2026-1"])
        self.headers(nina)
        self.first = newest_fact()
        return nina

    @property
    def desk(self) -> Desk:
        return self.lending.desk

    def headers(self, person: Person) -> dict[str, str]:
        known = {self.lending.max.id: self.lending.headers, self.lending.olga.id: self.lending.owners}
        if person.id not in known and person.id not in self.who:
            self.who[person.id] = session_of(person).headers
        return known.get(person.id) or self.who[person.id]

    def ask(
        self,
        who: Person,
        method: str,
        path: str,
        status: int = 200,
        body: Any = None,
        language: str = "en",
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Over HTTP; then whatever follows from it happens. `headers`: of another session than the person's usual one."""
        release()
        more = {"Idempotency-Key": uuid.uuid4().hex, "Accept-Language": language}
        http = self.desk.app.test_client()
        signed = {**(headers or self.headers(who)), **more}
        answer = http.open(f"/v1{path}", method=method, json=body, headers=signed)
        assert answer.status_code == status, answer.text
        if method != "GET":
            self.follow()
        return answer.json

    def post(self, who: Person, path: str, status: int = 200, body: Any = None) -> Any:
        return self.ask(who, "POST", path, status, body)

    def get(self, who: Person, path: str) -> Any:
        return self.ask(who, "GET", path)

    @cached_property
    def owners_phone(self) -> dict[str, str]:
        """Olga's session on a phone of hers, which opens doors."""
        installation = str(uuid.uuid4())
        phones.add(self.lending.olga.id, {"installation": installation, "platform": "ios"})
        signed = sign_in.sign_in(self.lending.olga.email, PASSWORD, installation, None)
        self.first = newest_fact()
        return {"Authorization": f"Bearer {signed['access_token']}"}

    # -- bookings

    def book(
        self, *, begins: float = 0, hours: float = 2, who: Person | None = None, car: str | None = None
    ) -> str:
        who, start = who or self.lending.max, clock.now() + begins * HOUR
        asked = {"car": car or self.lending.car_id, "from": z(start), "to": z(start + hours * HOUR)}
        quote = self.post(who, "/quotes", 201, asked)
        accepted = [one["version"] for one in quote["conditions"]]
        made: str = self.post(who, "/rentals", 201, {"quote": quote["id"], "accept": accepted})["id"]
        return made

    def out(self, *, hours: float = 2) -> str:
        """Max has the car."""
        rental = self.book(hours=hours)
        self.lending.unlock(rental)
        self.follow()
        return rental

    def out_by_leave(self, *, hours: float = 2) -> str:
        """Max has the car, whose owner is asked before each booking."""
        rules = {"rules": {"approval": "always"}}
        communities.change(self.lending.olga.id, self.lending.community, rules, lambda _: None)
        rental = self.book(hours=hours)
        self.post(self.lending.olga, f"/rentals/{rental}/approve")
        self.lending.unlock(rental)
        self.follow()
        return rental

    def ends(self, rental: str, *, km: float = 0) -> Any:
        """The car is locked; the rental as Max then sees it."""
        self.lending.end(rental, km=km)
        self.follow()
        return self.get(self.lending.max, f"/rentals/{rental}")

    def done(self, command: str) -> None:
        """The box did what it was told, and the car shows it."""
        release()
        said = Answer(AnswerKind.CONFIRMED, Evidence.STRONG, effect=True, dead=True)
        outcome.apply(command, said)
        self.follow()

    # -- what follows

    def follow(self) -> None:
        """Workers react to every fact, and to what that brings."""
        while True:
            assert self.desk.jobs() == []
            release()
            waiting = session.scalars(
                select(FactRow.seq).where(FactRow.seq > self.first).order_by(FactRow.seq)
            ).all()
            for seq in waiting:
                facts.react(seq)
                self.first = seq
            if not waiting:
                return

    def forward(self, hours: float) -> None:
        """Time goes by; what is due for these rentals and payments is done."""
        self.desk.forward(hours * HOUR)
        for _ in range(20):
            release()
            mine = select(Deadline.kind, Deadline.ref, Deadline.due_at).where(
                Deadline.due_at <= clock.now(), Deadline.ref.in_(self._refs())
            )
            rows = session.execute(mine.order_by(Deadline.due_at)).all()
            release()
            for row in rows:
                due._take(*row)
                release()
            if not rows:
                return
            self.follow()

    def _refs(self) -> list[str]:
        """Rentals of the circle and what is paid for them."""
        rentals = list(
            session.scalars(select(Rental.id).where(Rental.community_id == self.lending.community))
        )
        paid = session.scalars(select(Payment.id).where(Payment.rental_id.in_(rentals)))
        return [*rentals, *paid]

    # -- the four that belong together

    def money(self, rental: str) -> dict[str, Any]:
        """How the rent stands, and what was taken and given back of all there is."""
        rows = self.desk.payments(rental)
        return {
            "state": self.desk.standing(rental),
            "captured": sum(row.captured for row in rows),
            "refunded": sum(row.refunded for row in rows),
        }

    def till(self, *rentals: str) -> tuple[int, int, int]:
        """What Stripe says of every payment for these rentals: held now, taken, given back."""
        paid = [row for rental in rentals for row in self.desk.payments(rental)]
        there = [self._at_stripe(row.intent_id) for row in paid if row.intent_id is not None]
        back = sum((one["latest_charge"] or {}).get("amount_refunded", 0) for one in there)
        return (
            sum(one["amount_capturable"] for one in there),
            sum(one["amount_received"] for one in there),
            back,
        )

    def _at_stripe(self, intent: str) -> Any:
        path = f"{self.desk.double.url}/v1/payment_intents/{intent}"
        key = {"Authorization": "Bearer sk_test_double", "Stripe-Version": API_VERSION}
        answer = requests.get(path, params={"expand[]": "latest_charge"}, headers=key, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def holder(self, car: str) -> str | None:
        """Who has the car now: its owner or a driver."""
        release()
        held = custody.current(session.get_one(Car, car).no)
        return None if held is None else held.holder

    def held(self, rental: str) -> list[tuple[datetime, datetime | None]]:
        """The spans in which its driver held the car."""
        release()
        mine = select(Custody.from_at, Custody.to_at).where(
            Custody.rental_id == rental, Custody.to_at.is_distinct_from(Custody.from_at)
        )
        return [(row.from_at, row.to_at) for row in session.execute(mine.order_by(Custody.from_at))]

    def liable(self, rental: str) -> list[tuple[datetime, datetime | None]]:
        """The spans in which the insurer covers its driver."""
        release()
        mine = select(Cover.from_at, Cover.to_at).where(
            Cover.rental_id == rental, Cover.to_at.is_distinct_from(Cover.from_at)
        )
        return [(row.from_at, row.to_at) for row in session.execute(mine.order_by(Cover.from_at))]

    def on_condition(self, rental: str) -> list[datetime | None]:
        """Until when what a grant may open is insured, where no door was opened yet."""
        release()
        mine = select(Cover.conditional_to).where(Cover.rental_id == rental, Cover.state == "conditional")
        return list(session.scalars(mine))

    def covers(self, rental: str) -> list[tuple[str, str]]:
        """Each cover of the rental in the order they were given: the car it is for and its state."""
        release()
        rows = session.scalars(select(Cover).where(Cover.rental_id == rental).order_by(Cover.id))
        return [(row.car_id, row.state) for row in rows]

    def cover(self, rental: str) -> Cover:
        session.expire_all()
        found = session.scalars(
            select(Cover).where(Cover.rental_id == rental).order_by(Cover.recorded_at.desc())
        ).first()
        assert found is not None
        session.expunge(found)
        return found

    def grants(self, rental: str) -> list[Grant]:
        session.expire_all()
        rows = list(session.scalars(select(Grant).where(Grant.rental_id == rental).order_by(Grant.id)))
        for row in rows:
            session.expunge(row)
        return rows

    def told(self, person: Person, *rentals: str) -> list[str]:
        """The kinds of what a person was told about these rentals, in order."""
        release()
        mine = select(Message.kind).where(Message.person_id == person.id, Message.rental_id.in_(rentals))
        return list(session.scalars(mine.order_by(Message.fact_seq)))

    def news(self) -> dict[str, list[str]]:
        """What anybody at all was told since this was last asked, by first name."""
        release()
        rows = session.execute(
            select(Message.kind, Message.fact_seq, Person.name)
            .join(Person, Person.id == Message.person_id)
            .where(Message.fact_seq > self.heard, Message.kind.not_in(ALWAYS))
            .order_by(Message.fact_seq, Message.kind)
        ).all()
        self.heard = max([self.heard, *(row.fact_seq for row in rows)])
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row.name.split()[0], []).append(row.kind)
        return found

    def message(self, person: Person, kind: str) -> Any:
        """The newest of a kind in the person's inbox."""
        found = self.get(person, "/me/messages")["items"]
        return next(one for one in found if one["kind"] == kind)

    def slot(self, car: str, rental: str) -> list[tuple[str, datetime, datetime]]:
        release()
        row = session.get_one(Car, car)
        spans = occupancy.spans(row, clock.now() - 100 * HOUR, clock.now() + 100 * HOUR)
        return [(kind, from_at, to_at) for kind, ref, from_at, to_at in spans if ref == rental]

    # -- cars

    def car(self, owner: Person, price: dict[str, Any], **values: Any) -> str:
        """Another car of the circle, heard and ready."""
        release()
        made = factories.shared(owner, circle_of(self.lending), price, **values)
        boxes.put(owner.id, made.id, PIN)
        self.hear(made.id)
        return made.id

    def hear(self, *cars: str, **said: Any) -> None:
        """The boxes say now that all is well, but for what they say else."""
        release()
        for one in cars or (self.lending.car_id,):
            box, at = boxes.find(one), z(clock.now())
            found = {**NOW, "range_km": 100, "capacity_kwh": 17.6, **said}
            box.state = {**box.state, **{name: {"value": value, "at": at} for name, value in found.items()}}
            box.last_heard_at = clock.now()
        session.commit()

    def companion(self, *cars: str) -> list[Companion]:
        """Beside each box one that takes grants, and Max's phone has a key of its own."""
        release()
        row = session.get_one(Phone, self.lending.caller.phone)
        row.public_key = row.public_key or self.phone.public_key
        session.commit()
        made = []
        for one in cars:
            kind = PROFILES["DEMO"]
            simulated = SimulatedCar(HastenedClock(), "WME4533911K000000", kind.capacity_kwh, kind.range_km)
            issuers = [compressed(key.public) for key in ring().live(Purpose.GRANTS)]
            beside = Companion(simulated, issuers, clock=lambda: int(clock.now().timestamp()))
            insured.doing(companions.pair, boxes.find(one), beside.pairing)
            made.append(beside)
        return made


def circle_of(lending: Lending) -> Community:
    return session.get_one(Community, lending.community)


def newest_fact() -> int:
    return int(session.execute(text("select coalesce(max(seq), 0) from facts")).scalar_one())


def plan(desk: Desk, price: dict[str, Any] | None = None, *, policy: dict[str, Any] | None = None) -> Plan:
    """The whole scene, with nothing booked."""
    lending = build(desk, {**PRICE, **(price or {})}, policy=policy)
    first = newest_fact()
    return Plan(lending, first, heard=first)

"""What tests of messages play with: doors in memory, rentals as rows, facts that happen, jobs that run."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, text

from app.billing import ledger
from app.billing.models import Card, Payment
from app.cars.models import Car
from app.facts import PaymentSucceeded
from app.kit import clock, facts
from app.kit.db import new_id, session, transactional
from app.kit.facts import Fact
from app.messages.deliver import deliver
from app.messages.digest import digest
from app.messages.models import Delivery, Message
from app.messages.push_out import push_out
from app.people import phones
from app.people.models import Person, Phone
from app.rentals.models import Quote, Rental
from notifications.push import PushError, PushMessage
from tests import factories

START = datetime(2027, 3, 1, 9, tzinfo=UTC)
PRICE = {"lines": [], "total": {"amount": 1250, "currency": "EUR"}}


@dataclass
class Pushes:
    """A push service that keeps what it is given; `refusals` come first, one per message, after `meanwhile`."""

    sent: list[PushMessage] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    """How many it was given at once."""
    refusals: list[PushError] = field(default_factory=list)
    meanwhile: Callable[[], object] | None = None

    def send_all(self, messages: Sequence[PushMessage]) -> list[str | PushError]:
        self.calls.append(len(messages))
        return [self._one(message) for message in messages]

    def _one(self, message: PushMessage) -> str | PushError:
        if self.meanwhile is not None:
            self.meanwhile()
        if self.refusals:
            return self.refusals.pop(0)
        self.sent.append(message)
        return f"push-{len(self.sent)}"

    def to(self, phone: Phone) -> list[PushMessage]:
        assert phone.push is not None
        return [one for one in self.sent if one.address == phone.push["address"]]


@dataclass
class Letters:
    """A mail server that keeps what it is given."""

    sent: list[dict[str, str]] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)

    def send(self, *, to: str, subject: str, text: str, message_id: str) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.sent.append({"to": to, "subject": subject, "text": text, "id": message_id})

    def to(self, address: str) -> list[dict[str, str]]:
        return [one for one in self.sent if one["to"] == address]


@dataclass
class Cast:
    """Olga lends her car to Max in a circle; Nina has booked after him; Charlie is a stranger."""

    olga: Person
    max: Person
    nina: Person
    charlie: Person
    community: str
    car: Car
    rental: str
    following: str

    def everyone(self) -> tuple[Person, ...]:
        return self.olga, self.max, self.nina, self.charlie


def cast() -> Cast:
    olga, driver = factories.person("Olga Owner"), factories.person("Max Member")
    nina, charlie = factories.person("Nina Next"), factories.person("Charlie Stranger")
    circle = factories.circle(olga, driver, nina)
    car = factories.shared(olga, circle)
    return Cast(
        olga=olga,
        max=driver,
        nina=nina,
        charlie=charlie,
        community=circle.id,
        car=car,
        rental=rental(car, circle.id, driver, START),
        following=rental(car, circle.id, nina, START + timedelta(hours=4)),
    )


@transactional
def rental(car: Car, community: str, driver: Person, start: datetime, **values: Any) -> str:
    """A booked rental as a row; no rule is asked."""
    span = {"from_at": start, "to_at": start + timedelta(hours=3)}
    frozen: dict[str, Any] = {
        "community_id": community,
        "car_id": car.id,
        "fare": "priced",
        "terms_version": 1,
        "terms": {},
        "price": PRICE,
        "made_at": start,
        **span,
    }
    quote = Quote(id=new_id("quo"), person_id=driver.id, conditions=[], expires_at=start, **frozen)
    session.add(quote)
    session.flush()
    row = Rental(
        id=new_id("ren"),
        quote_id=quote.id,
        car_no=car.no,
        driver_id=driver.id,
        **{"state": "booked", **frozen, **values},
    )
    session.add(row)
    session.flush()
    return row.id


@transactional
def paid(cast: Cast) -> tuple[str, int]:
    """A payment of the rental that was captured, with its books; returns it and the number of its fact."""
    card = Card(id=new_id("crd"), person_id=cast.max.id, state="saved", made_at=START)
    session.add(card)
    session.flush()
    payment = Payment(
        id=new_id("pay"),
        rental_id=cast.rental,
        person_id=cast.max.id,
        community_id=cast.community,
        payee=cast.olga.id,
        card_id=card.id,
        purpose="rent",
        state="captured",
        currency="EUR",
        amount=2000,
        captured=1250,
        starts_at=START,
        on_session=False,
        made_at=START,
        changed_at=START,
    )
    session.add(payment)
    session.flush()
    seq = facts.record(PaymentSucceeded(payment.id, cast.rental, 1250, "EUR"))
    ledger.captured(payment, payment.money(1250), seq)
    return payment.id, seq


def phone(person: Person, language: str | None = None) -> Phone:
    """A registered phone with a push address."""
    body = {
        "installation": str(uuid.uuid4()),
        "platform": "android",
        "push": {"kind": "fcm_token", "address": f"token-{uuid.uuid4().hex}"},
        "language": language,
    }
    added = phones.add(person.id, body)
    _confirm(added.id)
    return added


@transactional
def _confirm(phone_id: str) -> None:
    session.get_one(Phone, phone_id).confirmed_at = clock.now()


@transactional
def record(fact: Fact) -> int:
    return facts.record(fact)


def happen(fact: Fact) -> int:
    """The fact happens and its reactions run, as in a worker."""
    seq = record(fact)
    facts.react(seq)
    return seq


@transactional
def forget_reactions(seq: int) -> None:
    """As if the worker had died before it could note what it had done."""
    session.execute(text("delete from reactions_done where fact_seq = :seq"), {"seq": seq})


@transactional
def react_to_waiting(kind: str, person: str) -> None:
    """Run the reactions of facts that use cases recorded about a person."""
    rows = session.execute(
        text("select seq from facts where kind = :kind and data->>'person' = :person order by seq"),
        {"kind": kind, "person": person},
    ).scalars()
    for seq in rows.all():
        facts._run_missing(seq)


_TAKE = text(
    "with taken as (select id, task_name, args from procrastinate_jobs where status = 'todo'"
    " and task_name in ('deliver', 'digest') order by id for update)"
    " update procrastinate_jobs j set status = 'succeeded' from taken where j.id = taken.id"
    " returning taken.id, taken.task_name, taken.args"
)


@transactional
def _take() -> list[tuple[str, dict[str, Any]]]:
    return [(row.task_name, row.args) for row in sorted(session.execute(_TAKE), key=lambda row: row.id)]


@transactional
def forget_pushes() -> None:
    """What other tests left waiting is not for this one's phones."""
    session.execute(text("update deliveries set try_at = null where try_at is not null"))


@transactional
def hurry_pushes() -> None:
    """As if it were time to try again what is tried again."""
    session.execute(text("update deliveries set try_at = now() where try_at > now()"))


def work() -> None:
    """Run every waiting delivery, as workers do."""
    push_out()
    for name, args in _take():
        {"deliver": deliver, "digest": digest}[name](**args)


def told(person: Person, seq: int | None = None) -> list[str]:
    """The kinds a person was told, by one fact or by all."""
    rows = select(Message.kind).where(Message.person_id == person.id).order_by(Message.id)
    return list(session.scalars(rows.where(Message.fact_seq == seq) if seq else rows))


def messages(person: Person) -> list[Message]:
    return list(session.scalars(select(Message).where(Message.person_id == person.id).order_by(Message.id)))


def deliveries(person: Person) -> list[Delivery]:
    rows = select(Delivery).where(Delivery.person_id == person.id).order_by(Delivery.id)
    return list(session.scalars(rows.execution_options(populate_existing=True)))

"""Olga asks Max to pay after a rental; two operators, Opal and Otto, and the due-runner stand by."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.claims import answer as answering
from app.claims import appeal as appealing
from app.claims import close
from app.claims import decide as deciding
from app.claims import withdraw as withdrawing
from app.claims.charge_request import charge_request
from app.claims.models import ChargeRequest
from app.kit import clock, deadlines
from app.kit.db import release, session, transactional
from app.kit.deadlines import Deadline
from app.kit.facts import FactRow
from app.rentals import access as rentals
from app.rentals import end as ending
from app.rentals import settle, unlock_answered
from app.rentals.models import Command
from payments.money import Money
from tests import factories
from tests.rentals.scene import Scene, make

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DUE = {"charge_answer": close.answer_window_over, "charge_appeal": close.appeal_window_over}


def eur(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


@dataclass
class Hearing:
    """`olga`, `max` and the operators are ids; a step returns the row as it stands then."""

    scene: Scene
    olga: str
    max: str
    opal: str
    otto: str

    def body(self, kind: str = "damage", amount: int = 12000, **more: Any) -> dict[str, Any]:
        started = self.scene.rental.started_at
        assert started is not None
        happened = started + timedelta(minutes=20)
        return {
            "kind": kind,
            "amount": eur(amount),
            "text": "A scratch on the left door.",
            "occurred_at": happened,
            **more,
        }

    def ask(self, kind: str = "damage", amount: int = 12000, **more: Any) -> ChargeRequest:
        release()
        return charge_request(self.olga, self.scene.rental_id, self.body(kind, amount, **more))

    def answer(self, row: ChargeRequest, *, accept: bool, said: str | None = None) -> ChargeRequest:
        return answering.answer(self.max, row.id, {"accept": accept, "text": said})

    def contested(self, amount: int = 12000) -> ChargeRequest:
        return self.answer(self.ask(amount=amount), accept=False, said="It was there before.")

    def withdraw(self, row: ChargeRequest) -> ChargeRequest:
        return withdrawing.withdraw(self.olga, row.id)

    def decide(self, row: ChargeRequest, amount: int, by: str | None = None) -> ChargeRequest:
        return deciding.decide(row.id, Money(amount, "EUR"), by=by or self.opal, reason="The photos show it.")

    def appeal(self, row: ChargeRequest, person: str | None = None) -> ChargeRequest:
        return appealing.appeal(person or self.max, row.id, "Look again.")

    def forward(self, by: timedelta) -> None:
        clock.forward(by)

    def due(self, row: ChargeRequest) -> list[str]:
        """Take what is due of a charge request, as the due-runner does."""
        found = select(Deadline.kind).where(Deadline.ref == row.id, Deadline.due_at <= clock.now())
        kinds = sorted(session.scalars(found).all())
        release()
        for kind in kinds:
            _take(kind, row.id)
        return kinds

    def now(self, row: ChargeRequest) -> ChargeRequest:
        """As it stands in the database."""
        session.expire_all()
        return session.get_one(ChargeRequest, row.id)

    def facts(self) -> list[str]:
        """Kinds of the facts about charge requests, oldest first."""
        rows = session.scalars(
            select(FactRow)
            .where(FactRow.data["rental"].astext == self.scene.rental_id, FactRow.kind.like("Charge%"))
            .order_by(FactRow.seq)
        )
        return [row.kind for row in rows]

    def set_terms(self, **terms: Any) -> None:
        """As if the rental had been booked on these."""
        self.scene.rental.terms = {**self.scene.rental.terms, **terms}
        session.commit()


@transactional
def _take(kind: str, ref: str) -> None:
    deadlines.drop(ref, kind)
    DUE[kind](ref)


def build(**terms: Any) -> Hearing:
    scene = make()
    olga, driver = scene.olga.id, scene.max.id
    if terms:
        scene.rental.terms = {**scene.rental.terms, **terms}
        session.commit()
    _drive(scene)
    opal, otto = factories.person("Opal Operator").id, factories.person("Otto Operator").id
    return Hearing(scene, olga, driver, opal, otto)


def _drive(scene: Scene) -> None:
    """Out, an hour and 20 km, and back."""
    take_out(scene)
    clock.forward(HOUR)
    scene.reads(odometer_km=1220.0, charge_percent=61)
    transactional(_end)(scene)


def take_out(scene: Scene) -> None:
    """The box has opened the doors: the car is out."""
    command = scene.unlock().id
    transactional(_start)(scene, command)


def _start(scene: Scene, command: str) -> None:
    car, rental = rentals.locked(scene.rental_id)
    settle.settle(session.get_one(Command, command), "confirmed")
    unlock_answered.open_doors(car, rental, command)


def _end(scene: Scene) -> None:
    car, rental = rentals.locked(scene.rental_id)
    ending.end(car, rental, by="driver", evidence="box strong")

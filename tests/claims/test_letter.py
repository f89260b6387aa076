"""The hand-over letter: who held the car at an instant, for the owner, and the driver knows."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.claims.hand_over_letter import hand_over_letter
from app.facts import HandOverLetterRead
from app.kit import clock
from app.kit.db import session
from app.kit.errors import NotAllowed, NotFound, OutsideRules, Validation
from app.kit.facts import FactRow, react
from app.messages.models import Message
from app.people.models import Person
from tests import factories
from tests.claims.hearing import DAY, Hearing
from tests.coverage.factories import seal


def read(hearing: Hearing) -> list[FactRow]:
    rows = select(FactRow).where(
        FactRow.kind == HandOverLetterRead.kind, FactRow.data["rental"].astext == hearing.scene.rental_id
    )
    return list(session.scalars(rows))


def test_it_names_the_driver_at_the_instant_and_the_driver_is_told(hearing: Hearing) -> None:
    session.get_one(Person, hearing.max).address = "12 rue du Port, 44000 Nantes"
    session.commit()
    at = hearing.body()["occurred_at"]
    found = hand_over_letter(hearing.olga, hearing.scene.rental_id, at)
    assert found["driver"] == {"name": "Max Member", "address": "12 rue du Port, 44000 Nantes"}
    assert (found["plate"], found["at"]) == (hearing.scene.car.plate, at)
    for part in (found["plate"], "Max Member", "12 rue du Port", "Olga Owner"):
        assert part in found["letter"]
    [fact] = read(hearing)
    react(fact.seq)
    told = session.scalars(
        select(Message.kind).where(Message.person_id == hearing.max, Message.fact_seq == fact.seq)
    )
    assert list(told) == ["hand_over_letter.driver"]
    assert "Nantes" not in str(fact.data)


def test_without_an_instant_it_is_that_of_the_newest_fine_or_toll(hearing: Hearing) -> None:
    with pytest.raises(Validation):
        hand_over_letter(hearing.olga, hearing.scene.rental_id, None)
    session.rollback()
    row = hearing.ask("fine", 9000)
    assert hand_over_letter(hearing.olga, hearing.scene.rental_id, None)["at"] == row.occurred_at


def test_for_another_instant_there_is_none_and_nothing_is_logged(hearing: Hearing) -> None:
    ended = hearing.scene.rental.ended_at
    assert ended is not None
    for at in (ended, ended + timedelta(minutes=1), clock.now() - DAY, clock.now() + DAY):
        with pytest.raises(Validation):
            hand_over_letter(hearing.olga, hearing.scene.rental_id, at)
        session.rollback()
    assert read(hearing) == []


def test_nobody_else_reads_it(hearing: Hearing) -> None:
    at = hearing.body()["occurred_at"]
    with pytest.raises(NotAllowed):
        hand_over_letter(hearing.max, hearing.scene.rental_id, at)
    session.rollback()
    with pytest.raises(NotFound):
        hand_over_letter(factories.person("Charlie Stranger").id, hearing.scene.rental_id, at)


def test_as_of_before_the_driver_was_known_to_hold_it_there_is_none(hearing: Hearing) -> None:
    at = hearing.body()["occurred_at"]
    seal()
    with pytest.raises(Validation):
        hand_over_letter(hearing.olga, hearing.scene.rental_id, at, at - DAY)
    session.rollback()
    found = hand_over_letter(hearing.olga, hearing.scene.rental_id, at, clock.now())
    now = hand_over_letter(hearing.olga, hearing.scene.rental_id, at)
    assert (found["from_at"], found["to_at"]) == (now["from_at"], now["to_at"])
    assert found["as_of"] is not None
    assert now["as_of"] is None


def test_a_year_later_it_is_too_late(hearing: Hearing) -> None:
    at = hearing.body()["occurred_at"]
    clock.forward(366 * DAY)
    with pytest.raises(OutsideRules):
        hand_over_letter(hearing.olga, hearing.scene.rental_id, at)

"""Notes and reviews over HTTP: who writes what until when, and who reads it."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.account import erase
from app.communities import leave
from app.facts import NoteWritten
from app.kit import clock
from app.kit.db import session
from app.kit.deadlines import Deadline
from app.kit.facts import FactRow
from app.people.models import Person
from app.rentals import reviews
from app.rentals.lifecycle import State
from tests import factories
from tests.kit.asking import session_of
from tests.rentals.scene import Scene

DAY = timedelta(days=1)


class Pen:
    """Who writes and reads in the rental of a scene."""

    def __init__(self, app: Flask, scene: Scene) -> None:
        self.app, self.scene = app, scene
        self._headers = {one.id: session_of(one).headers for one in (scene.olga, scene.max)}

    def __call__(self, who: Person, method: str, what: str, status: int, body: Any = None) -> Any:
        session.rollback()
        headers = self._headers.setdefault(who.id, {}) or session_of(who).headers
        path = f"/v1/rentals/{self.scene.rental_id}/{what}"
        answer = self.app.test_client().open(path, method=method, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json

    def note(self, who: Person, text: str = "The tyre looks soft.", status: int = 201) -> Any:
        return self(who, "POST", "notes", status, {"text": text})

    def review(self, who: Person, stars: int, status: int = 201) -> Any:
        return self(who, "POST", "reviews", status, {"stars": stars, "text": "All well."})

    def reads(self, who: Person) -> list[tuple[str, int]]:
        return [(one["side"], one["stars"]) for one in self(who, "GET", "reviews", 200)["items"]]

    def ended(self) -> None:
        rental = self.scene.rental
        rental.state, rental.ended_at = State.ENDED.value, clock.now()
        session.commit()


@pytest.fixture
def pen(app: Flask, scene: Scene) -> Pen:
    return Pen(app, scene)


def test_both_sides_read_what_either_wrote(pen: Pen) -> None:
    olga, max_ = pen.scene.olga, pen.scene.max
    pen.note(max_, "Where is the cable?\nUnder the boot floor?")
    pen.note(olga, "Yes.")
    for who in (olga, max_):
        found = [(one["by"], one["text"]) for one in pen(who, "GET", "notes", 200)["items"]]
        assert found == [(olga.id, "Yes."), (max_.id, "Where is the cable?\nUnder the boot floor?")]


def test_a_note_is_a_fact_that_the_other_side_is_told_of(pen: Pen) -> None:
    made = pen.note(pen.scene.max)
    wanted = select(FactRow.data).where(FactRow.kind == NoteWritten.kind)
    found = session.scalars(wanted.where(FactRow.data["note"].astext == made["id"])).one()
    assert found["by"] == pen.scene.max.id
    assert "text" not in found


def test_nobody_else_reads_or_writes_notes(pen: Pen) -> None:
    charlie = factories.person("Charlie")
    pen.note(charlie, status=404)
    pen(charlie, "GET", "notes", 404)


def test_notes_end_a_week_after_the_rental(pen: Pen) -> None:
    pen.ended()
    clock.forward(6 * DAY)
    pen.note(pen.scene.max)
    clock.forward(1.1 * DAY)
    assert pen.note(pen.scene.max, status=409)["type"] == "/problems/step-not-allowed"


def test_who_is_blocked_writes_while_the_car_is_out_and_not_after(pen: Pen) -> None:
    scene = pen.scene
    scene.set_state("active")
    leave.change(scene.olga.id, scene.community.id, scene.max.id, {"blocked": True}, lambda _: None)
    pen.note(scene.max)
    pen.ended()
    assert pen.note(scene.max, status=403)["type"] == "/problems/not-allowed"
    pen.note(scene.olga)


def test_neither_reads_the_others_review_before_both_have_written(pen: Pen) -> None:
    olga, max_ = pen.scene.olga, pen.scene.max
    pen.ended()
    pen.review(max_, 5)
    assert (pen.reads(max_), pen.reads(olga)) == ([("driver", 5)], [])
    pen.review(olga, 4)
    assert pen.reads(max_) == pen.reads(olga) == [("driver", 5), ("owner", 4)]


def test_after_two_weeks_what_was_written_is_read_and_nothing_more_is_written(pen: Pen) -> None:
    olga, max_ = pen.scene.olga, pen.scene.max
    pen.ended()
    pen.review(max_, 2)
    due = session.get_one(Deadline, ("reviews", pen.scene.rental_id)).due_at
    assert pen.scene.rental.ended_at == due - 14 * DAY
    clock.forward(14 * DAY + timedelta(minutes=1))
    reviews.due(pen.scene.rental_id)
    assert pen.reads(olga) == [("driver", 2)]
    pen.review(olga, 1, status=409)


def test_a_review_is_written_once_and_not_before_the_end(pen: Pen) -> None:
    pen.review(pen.scene.max, 5, status=409)
    pen.ended()
    pen.review(pen.scene.max, 5)
    assert pen.review(pen.scene.max, 1, status=409)["type"] == "/problems/already-exists"


@pytest.mark.parametrize("stars", [0, 6, "5", 4.5, None])
def test_stars_are_one_to_five(pen: Pen, stars: Any) -> None:
    pen.ended()
    pen.review(pen.scene.max, stars, status=422)


def test_what_somebody_wrote_is_forgotten_with_them(pen: Pen) -> None:
    olga, max_ = pen.scene.olga, pen.scene.max
    rental = pen.scene.rental
    rental.state, rental.over_at = State.CANCELLED.value, clock.now()
    session.commit()
    pen.note(max_)
    erase.erase(max_.id)
    assert [one["text"] for one in pen(olga, "GET", "notes", 200)["items"]] == [None]

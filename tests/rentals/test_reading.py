"""Which boxes' readings mean anything for rentals: one question for many boxes."""

from sqlalchemy.exc import OperationalError

from app.boxlink import ingest
from app.boxlink.inbox import Inbox
from app.kit.db import session
from app.rentals import outcome, reading
from carbox.box import Answer, AnswerKind
from tests.cars.test_readings import said
from tests.rentals.scene import Scene


def test_only_a_car_that_is_out_with_something_undecided_is_looked_at(scene: Scene) -> None:
    box = scene.box.username
    assert reading.concerned([box, "box-nobody"]) == []
    command = scene.unlock().id
    outcome.apply(command, Answer(AnswerKind.SILENT))
    assert reading.concerned([box, "box-nobody"]) == [box]
    scene.set_state("active")
    assert reading.concerned([box]) == []
    scene.set_state("locking")
    assert reading.concerned([box]) == [box]


def test_readings_whose_meaning_the_database_did_not_take_are_looked_at_again(scene: Scene) -> None:
    outcome.apply(scene.unlock().id, Answer(AnswerKind.SILENT))
    inbox = Inbox()
    inbox.add(scene.box.username, said(locked=False))

    def away(_username: str, _delta: object) -> None:
        raise OperationalError("select", {}, ConnectionError("gone"))

    ingest.write(inbox, draw=away)
    assert (scene.rental.state, len(inbox)) == ("unlocking", 1)
    ingest.write(inbox)
    session.rollback()
    session.expire_all()
    assert (scene.rental.state, len(inbox)) == ("active", 0)

"""Hearings that nobody decides are seen: in the metrics, and by the doctor."""

from datetime import timedelta

from app.claims import alarms
from app.claims.alarms import Alarms
from app.kit.db import release
from app.operator import check_money
from app.operator.finding import State
from tests.claims.hearing import DAY, HOUR, Hearing


def waiting() -> tuple[int, timedelta]:
    release()
    return alarms.waiting()


def test_a_hearing_waits_from_the_answer_to_the_decision_and_from_the_appeal_on(hearing: Hearing) -> None:
    before, _ = waiting()
    row = hearing.contested()
    hearing.forward(400 * DAY)  # longer than whatever other tests left behind
    count, oldest = waiting()
    assert (count, oldest >= 400 * DAY) == (before + 1, True)
    (finding,) = check_money.hearings()
    assert (finding.state, "days" in finding.says) == (State.WARNING, True)
    hearing.decide(row, 5000)
    assert waiting()[0] == before
    hearing.appeal(row)
    assert waiting()[0] == before + 1


def test_one_left_unanswered_waits_from_the_end_of_the_answer_window(hearing: Hearing) -> None:
    before, _ = waiting()
    row = hearing.ask()
    hearing.forward(73 * HOUR)
    assert waiting()[0] == before
    hearing.due(row)
    assert waiting()[0] == before + 1


def test_the_metrics_say_so(hearing: Hearing) -> None:
    hearing.contested()
    release()
    found = {one.name: one.samples[0].value for one in Alarms().collect()}
    assert found["glovebox_hearings_waiting"] >= 1
    assert found["glovebox_hearing_oldest_seconds"] >= 0

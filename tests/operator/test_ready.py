"""/readyz: database and migrations decide, all else is only shown; and it is looked at once a second, whoever asks."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import text

from app import sealer
from app.demo_cast import until
from app.doctor import examine
from app.doors import Doors
from app.kit import heartbeat, ready
from app.kit.clock import real_now
from app.kit.db import new_id, release, session
from app.messages.models import Delivery, Message
from app.supervisor import Supervisor
from insurance.partners import partners_of
from tests import factories

PARTNER = {"countries": ["FR"], "url": "https://insurer.example", "token": "t"}


@pytest.fixture
def open_doors(app: Flask) -> Iterator[None]:
    """Every door is set up; nobody knocks."""
    house = app.extensions["glovebox"]
    before: Doors = house.doors
    somebody: Any = object()
    house.doors = Doors(partners_of([PARTNER]), payments=somebody, push=somebody, mail=somebody)
    yield
    house.doors = before


@pytest.fixture(autouse=True)
def nothing_left(app: Flask) -> Iterator[None]:
    """No job, no delivery, no sign of life of another test."""
    _clear()
    yield
    release()
    _clear()


def _clear() -> None:
    for table in ("procrastinate_events", "procrastinate_jobs", "failed_jobs", "heartbeats", "deliveries"):
        session.execute(text(f"delete from {table}"))  # noqa: S608 - names of this file
    session.commit()


def checks() -> dict[str, str]:
    document, status = ready.look()
    assert status == 200
    found = document["checks"]
    assert isinstance(found, dict)
    return found


def tried_in_vain(task: str, **args: str) -> None:
    """A job that failed once, 40 s ago, and waits for its next try."""
    job = session.execute(
        text(
            "insert into procrastinate_jobs (queue_name, task_name, status, attempts, args, scheduled_at)"
            " values ('default', :task, 'todo', 1, cast(:args as jsonb), now() + interval '1 min') returning id"
        ),
        {"task": task, "args": str(args).replace("'", '"')},
    ).scalar_one()
    session.execute(
        text(
            "insert into procrastinate_events (job_id, type, at)"
            " values (:job, 'deferred_for_retry', now() - interval '40 s')"
        ),
        {"job": job},
    )
    session.commit()


def delivery(channel: str, state: str, reason: str | None = None) -> str:
    """A message to Max on its way, or brought."""
    now, seq = real_now(), session.execute(text("select coalesce(max(fact_seq), 0) + 1 from messages"))
    message = Message(
        person_id=factories.person().id,
        fact_seq=seq.scalar_one(),
        kind="rental_asked",
        params={},
        urgent=False,
        made_at=now,
    )
    session.add(message)
    session.flush()
    row = Delivery(
        id=new_id("dlv"), message_id=message.id, channel=channel, state=state, reason=reason, at=now
    )
    session.add(row)
    session.commit()
    return row.id


# -- what decides ----------------------------------------------------------------------------------------------------


def test_a_database_at_another_migration_is_not_ready(app: Flask) -> None:
    session.execute(text("update alembic_version set version_num = '0000'"))
    session.commit()
    try:
        document, status = ready.look()
    finally:
        session.execute(text("update alembic_version set version_num = :head"), {"head": ready.head()})
        session.commit()
    assert (status, document["status"]) == (503, "unavailable")
    assert app.test_client().get("/healthz").status_code == 200


def test_what_is_missing_beside_the_database_is_shown_and_nobody_is_sent_away(app: Flask) -> None:
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["status"] == "degraded"
    assert {"broker", "boxlink", "insurer", "payments", "push", "mail", "queue", "sealing"} <= set(
        answer.json["checks"]
    )


def test_however_many_ask_it_is_looked_at_once_a_second(app: Flask) -> None:
    looks = []

    def look() -> ready.Answer:
        looks.append(1)
        return {"status": "ok"}, 200

    kept = ready.Kept(look, 60)
    assert {kept.get()[1] for _ in range(100)} == {200}
    assert len(looks) == 1
    at_once = ready.Kept(look, 0)
    at_once.get()
    at_once.get()
    assert len(looks) == 3


# -- boxlink and its broker ------------------------------------------------------------------------------------------


def test_a_boxlink_nobody_heard_is_shown_and_the_broker_is_unknown() -> None:
    assert checks()["boxlink"] == "boxlink has never been heard"
    assert checks()["broker"] == "unknown: boxlink is silent"


def test_a_boxlink_that_fell_silent_is_shown_with_its_silence() -> None:
    heartbeat.beat("boxlink")
    session.execute(text("update heartbeats set at = now() - interval '90 s'"))
    session.commit()
    assert checks()["boxlink"] == "boxlink was last heard 90 s ago"
    assert checks()["broker"] == "unknown: boxlink is silent"


def test_a_broker_that_boxlink_does_not_reach_is_shown() -> None:
    heartbeat.beat("boxlink", "down")
    assert (checks()["boxlink"], checks()["broker"]) == ("ok", "down")
    heartbeat.beat("boxlink")
    assert (checks()["boxlink"], checks()["broker"]) == ("ok", "ok")


def test_work_that_no_process_leads_is_shown() -> None:
    session.execute(text("delete from deadlines"))
    session.commit()
    while sealer.seal():
        pass
    assert "sealer" in checks()["sealing"]
    assert "due-runner" in checks()["deadlines"]
    heartbeat.beat("facts")
    heartbeat.beat("deadlines")
    assert (checks()["sealing"], checks()["deadlines"]) == ("ok", "ok")


# -- the doors to the outside ----------------------------------------------------------------------------------------


def test_a_door_that_is_not_set_up_says_so() -> None:
    found = checks()
    assert {found[name] for name in ("payments", "push", "mail", "insurer")} == {"not set up"}


@pytest.mark.usefixtures("open_doors")
def test_doors_at_which_nothing_went_wrong_are_fine() -> None:
    delivery("push", "failed", "PushRefused")
    delivery("push", "sent")
    found = checks()
    assert {found[name] for name in ("payments", "push", "mail", "insurer")} == {"ok"}


@pytest.mark.usefixtures("open_doors")
@pytest.mark.parametrize(
    ("task", "door"), [("payment_command", "payments"), ("report_cover", "insurer"), ("digest", "mail")]
)
def test_a_door_whose_jobs_are_tried_again_is_shown_with_since_when(task: str, door: str) -> None:
    tried_in_vain(task)
    tried_in_vain(task)
    found = checks()
    assert found[door] == "2 tried in vain for 40 s, and tried again"
    assert [name for name in ("payments", "push", "mail", "insurer") if found[name] != "ok"] == [door]


@pytest.mark.usefixtures("open_doors")
def test_a_mail_tried_in_vain_counts_against_its_door() -> None:
    tried_in_vain("deliver", delivery=delivery("mail", "waiting"))
    assert (checks()["mail"], checks()["push"]) == ("1 tried in vain for 40 s, and tried again", "ok")


@pytest.mark.usefixtures("open_doors")
def test_pushes_tried_in_vain_or_taken_by_nobody_count_against_their_door() -> None:
    waits(delivery("push", "waiting", "PushUnavailable"), try_in_s=20, tried_for_s=40)
    waits(delivery("push", "waiting"), try_in_s=-16)
    waits(delivery("push", "waiting"), try_in_s=110, tried_for_s=10)
    assert (checks()["push"], checks()["mail"]) == ("2 tried in vain for 40 s, and tried again", "ok")


def waits(push: str, *, try_in_s: int, tried_for_s: int | None = None) -> None:
    row = session.get_one(Delivery, push)
    row.try_at = real_now() + timedelta(seconds=try_in_s)
    row.tried_since = None if tried_for_s is None else real_now() - timedelta(seconds=tried_for_s)
    session.commit()


@pytest.mark.usefixtures("open_doors")
def test_a_last_push_that_was_refused_and_a_report_that_failed_for_good_are_shown() -> None:
    delivery("push", "sent")
    delivery("push", "failed", "PushMisconfigured")
    session.execute(
        text(
            "insert into failed_jobs (job_id, task, args, error, failed_at) values (1, :task, '{}', '', now())"
        ),
        {"task": "report_cover"},
    )
    session.commit()
    assert checks()["push"] == "the last one failed: PushMisconfigured"
    assert checks()["insurer"] == "1 failed for good in the last 10 min"
    assert checks()["failed_jobs"] == "1 to look at"


@pytest.mark.usefixtures("open_doors")
def test_the_doctor_says_the_same_of_the_doors(app: Flask) -> None:
    tried_in_vain("report_cover")
    told = {one.what: one for one in examine(app.extensions["glovebox"].settings)}
    assert told["insurer lately"].state == "warning"
    assert "tried in vain" in told["insurer lately"].says
    assert told["payments lately"].state == "ok"


# -- a place that runs -----------------------------------------------------------------------------------------------


def test_in_a_place_that_runs_boxlink_broker_and_leaders_are_heard(place: Supervisor) -> None:
    heard = {"boxlink", "broker", "sealing"}  # other stories of this place let its doors fail

    def fine() -> bool:
        found = requests.get(f"{place.url}/readyz", timeout=10).json()["checks"]
        return heard <= {name for name, words in found.items() if words == "ok"}

    assert until(fine, "every part to be heard", 60)

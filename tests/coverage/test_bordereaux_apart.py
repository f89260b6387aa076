"""Each policy's bordereaux are made apart from others', in parts that are shown once whole, in the zone of each cover."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.cars import add
from app.coverage import alarms, bordereaux, cover, partners
from app.coverage.bordereau_covers import month_end
from app.coverage.models import Cover
from app.kit import clock
from app.kit.db import bare, release, session, transactional
from app.kit.driver import plain
from app.kit.jobs import is_temporary
from app.operator import check_database
from app.operator.finding import State
from tests.coverage import factories
from tests.coverage.factories import bearer, bind, doing, seal
from tests.coverage.test_bordereaux import closed, month_of, over

Fetched = Callable[..., list[dict[str, Any]]]
REUNION = "Indian/Reunion"
UNKNOWN = "Mars/Olympus"
"""As a zone would be that Python's table has, which cars are checked against, and the database's does not."""


@pytest.fixture
def circle(app: Flask) -> factories.Circle:
    return factories.circle()


@pytest.fixture
def fetched(http: Any) -> Fetched:
    """The lines of an insurer's bordereau; none where it is not there."""

    def fetched(circle: factories.Circle, month: str, kind: str = "risk") -> list[dict[str, Any]]:
        headers = bearer(http, factories.client(circle.policy.insurer_id, "bordereau:read"))
        answer = http.get(f"/v1/insurer/bordereaux/{month}?kind={kind}", headers=headers)
        return answer.json["rows"] if answer.status_code == 200 else []

    return fetched


def sql(statement: str, **values: Any) -> Any:
    """On its own, as anybody else sees it."""
    release()
    found = transactional(plain)(text(statement), values)
    release()
    return found


def in_zone(one: Cover, zone: str | None) -> None:
    """As if it had been given in that zone."""
    sql("update covers set time_zone = :zone where id = :id", zone=zone, id=bare(one.id, "cov"))


def jobs(circle: factories.Circle) -> list[dict[str, Any]]:
    """The arguments of the jobs that wait for this circle's insurer."""
    rows = sql(
        "select args from procrastinate_jobs where task_name = 'close_bordereau' and args ->> 'insurer' = :insurer",
        insurer=circle.policy.insurer_id,
    )
    return [row.args for row in rows]


# -- one by one


def test_one_that_cannot_be_made_keeps_no_other_waiting_and_is_tried_again_until_it_can(
    circle: factories.Circle, fetched: Fetched
) -> None:
    broken = factories.ended(circle)
    other = factories.circle()
    fine = factories.ended(other)
    month = month_of(fine)
    in_zone(broken, UNKNOWN)
    over(month)
    bordereaux.close_bordereaux(month)
    (mine,), (theirs,) = jobs(circle), jobs(other)
    with pytest.raises(bordereaux.NotMadeError) as refused:
        bordereaux.close_bordereau(**mine)
    bordereaux.close_bordereau(**theirs)
    assert is_temporary(refused.value)
    assert (fetched(circle, month), len(fetched(other, month))) == ([], 1)
    in_zone(broken, "Europe/Paris")
    bordereaux.close_bordereau(**mine)
    assert [row["cover_id"] for row in fetched(circle, month)] == [broken.id]
    assert [row["cover_id"] for row in fetched(other, month)] == [fine.id]


def test_one_that_is_missing_is_seen_by_the_doctor_and_in_the_metrics(circle: factories.Circle) -> None:
    other = factories.circle()
    month = month_of(factories.ended(other))
    over(month)
    clock.forward(timedelta(hours=5))
    bordereaux.close(month, insurer=other.policy.insurer_id)
    told, missing = bordereaux.missing()
    numbers = {one.number for one in missing}
    assert (told, circle.policy.number in numbers, other.policy.number in numbers) == (month, True, False)
    [finding] = check_database._bordereaux()
    assert (finding.state, month in finding.says) == (State.WARNING, True)
    [gauge] = alarms.Alarms().collect()
    assert gauge.samples[0].value == len(missing)


def test_by_hand_too_the_others_are_made_and_the_one_that_cannot_be_is_named(
    app: Flask, circle: factories.Circle, fetched: Fetched
) -> None:
    broken = factories.ended(circle)
    month = month_of(broken)
    second = factories.policy(partners.find_insurer(circle.policy.insurer_id))
    in_zone(broken, UNKNOWN)
    over(month)
    run = app.test_cli_runner()
    said = run.invoke(args=["bordereaux", "close", month, "--insurer", circle.policy.insurer_id])
    assert (said.exit_code, circle.policy.number in said.output, second.number in said.output) == (
        1,
        True,
        False,
    )
    made = sql(
        "select distinct number from bordereaux where insurer_id = :id and whole",
        id=bare(circle.policy.insurer_id, "ins"),
    )
    assert [row.number for row in made] == [second.number]


# -- in parts


def parts(circle: factories.Circle) -> tuple[int, int]:
    """Lines that are written and covers that are remembered of an insurer's bordereaux, whole or not."""
    of = "(select id from bordereaux where insurer_id = :id)"
    [row] = sql(
        f"select (select count(*) from bordereau_rows where bordereau_id in {of}) as lines,"  # noqa: S608 - of above
        f" (select count(*) from covers_reported where bordereau_id in {of}) as covers",
        id=bare(circle.policy.insurer_id, "ins"),
    )
    return row.lines, row.covers


def test_one_that_is_broken_off_half_way_is_shown_to_nobody_and_begun_anew(
    circle: factories.Circle, fetched: Fetched
) -> None:
    ended = [factories.ended(circle, minutes=minutes) for minutes in (30, 60, 90)]
    month = month_of(ended[-1])
    over(month)

    def broken_off(policy: str, covers: int) -> None:
        del policy
        if covers == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bordereaux.close(month, tell=broken_off, insurer=circle.policy.insurer_id, batch=1)
    assert (fetched(circle, month), parts(circle)) == ([], (4, 2))
    assert bordereaux.close(month, insurer=circle.policy.insurer_id, batch=1) == 6
    assert [row["cover_id"] for row in fetched(circle, month)] == [one.id for one in ended]
    assert parts(circle) == (6, 3)


def test_each_part_is_written_for_good_and_facts_are_sealed_while_the_rest_is_to_come(
    circle: factories.Circle,
) -> None:
    month = month_of([factories.ended(circle, minutes=minutes) for minutes in (30, 60)][-1])
    over(month)
    seen: list[tuple[int, int, int]] = []

    def looked(policy: str, covers: int) -> None:
        del policy, covers
        factories.client(circle.policy.insurer_id)  # which is a fact
        seal()
        [left] = sql("select count(*) as unsealed from facts where position is null")
        seen.append((*parts(circle), left.unsealed))

    bordereaux.close(month, tell=looked, insurer=circle.policy.insurer_id, batch=1)
    assert seen == [(2, 1, 0), (4, 2, 0)]


def test_two_at_once_make_it_once(app: Flask, circle: factories.Circle, fetched: Fetched) -> None:
    month = month_of(factories.ended(circle))
    over(month)
    made: list[int] = []

    def also() -> None:
        with app.app_context():
            made.append(bordereaux.close(month, insurer=circle.policy.insurer_id))

    second = Thread(target=also)
    made.append(bordereaux.close(month, tell=lambda *_: second.start(), insurer=circle.policy.insurer_id))
    second.join()
    assert (sorted(made), len(fetched(circle, month))) == ([0, 2], 1)


def test_a_whole_one_stays_and_so_do_its_lines(circle: factories.Circle) -> None:
    closed(month_of(factories.ended(circle)), circle)
    mine = {"id": bare(circle.policy.insurer_id, "ins")}
    for statement in (
        "delete from bordereau_rows where bordereau_id in (select id from bordereaux where insurer_id = :id)",
        "update bordereaux set lines = 0 where insurer_id = :id",
        "delete from bordereaux where insurer_id = :id",
    ):
        with pytest.raises(IntegrityError, match="is append-only"):
            session.execute(text(statement), mine)
        session.rollback()


# -- in the zone of each cover


@pytest.fixture
def driving(circle: factories.Circle) -> Cover:
    """Max drives off at half past nine in the evening UTC of a month's last day: in Paris it is the same day, on Réunion
    the next month.
    """
    now, before = clock.now(), timedelta(hours=2, minutes=30)
    first = ((now + before).replace(day=1) + timedelta(days=32)).replace(day=1)
    clock.forward(datetime(first.year, first.month, 1, tzinfo=UTC) - before - now)
    trip = circle.trip()
    bound = bind(trip)
    doing(cover.activate, trip.rental, bound.from_at + timedelta(seconds=5), odometer_km=1)
    return bound


def moves(circle: factories.Circle) -> None:
    release()
    add.change(circle.olga.id, circle.car.id, {"time_zone": REUNION}, lambda _: None)


def test_a_cover_is_in_the_month_of_the_zone_it_was_given_in_wherever_the_car_is_by_then(
    circle: factories.Circle, driving: Cover, fetched: Fetched
) -> None:
    month = month_of(driving)
    moves(circle)
    closed(month, circle)
    [line] = fetched(circle, month)
    assert (line["cover_id"], line["zone"]) == (driving.id, "Europe/Paris")
    assert line["Risk Inception Date"] == month_end(month).isoformat()


@pytest.mark.parametrize(
    "zone", ["Europe/Paris", None], ids=["with its zone", "given before zones were kept"]
)
def test_a_correction_has_the_zone_of_the_first_line(
    circle: factories.Circle, driving: Cover, fetched: Fetched, zone: str | None
) -> None:
    month = month_of(driving)
    in_zone(driving, zone)
    closed(month, circle)
    moves(circle)
    doing(cover.close, driving.rental_id, clock.now(), evidence="box")
    later = clock.now().isoformat()[:7]
    closed(later, circle)
    [line], [correction] = fetched(circle, month), fetched(circle, later)
    same = ("cover_id", "zone", "Risk Inception Date")
    assert [correction[name] for name in same] == [line[name] for name in same]
    assert (correction["Risk, Transaction Type"], line["zone"]) == ("MTA", "Europe/Paris")

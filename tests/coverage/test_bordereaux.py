"""Bordereaux over HTTP: each cover in one month, closed ones never change, corrections are later lines."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.coverage import bordereau_covers, bordereaux, cover, partners
from app.coverage.models import Cover
from app.kit import clock
from app.kit.db import new_id, session
from app.kit.errors import Validation
from tests.coverage import factories
from tests.coverage.factories import bearer, bind, doing, seal

Ask = Callable[..., Any]


@pytest.fixture
def circle(app: Flask) -> factories.Circle:
    return factories.circle()


@pytest.fixture
def ask(http: Any, circle: factories.Circle) -> Ask:
    headers = bearer(http, factories.client(circle.policy.insurer_id, "bordereau:read"))

    def ask(path: str, accept: str = "application/json", status: int = 200) -> Any:
        answer = http.get(f"/v1/insurer/bordereaux{path}", headers={**headers, "Accept": accept})
        assert answer.status_code == status, answer.text
        return answer

    return ask


def month_of(one: Cover) -> str:
    """On the clocks of the place where it was given: its last day ends hours before that of UTC."""
    return one.from_at.astimezone(ZoneInfo(str(one.time_zone))).isoformat()[:7]


def over(month: str) -> None:
    """Business time goes on until bordereaux of the month may be made."""
    seal()
    wanted = bordereau_covers.month_end(month) + timedelta(days=6)
    left = datetime.combine(wanted, datetime.min.time(), UTC) - clock.now()
    if left > timedelta():
        clock.forward(left)


def closed(month: str, circle: factories.Circle) -> None:
    """Of this circle's insurer alone: others' covers are other tests'."""
    over(month)
    bordereaux.close(month, insurer=circle.policy.insurer_id)


def rows(answer: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer.json["rows"]
    return found


def test_a_cover_is_in_the_month_in_which_it_begins(circle: factories.Circle, ask: Ask) -> None:
    ended = factories.ended(circle)
    month = month_of(ended)
    closed(month, circle)
    [risk] = rows(ask(f"/{month}?kind=risk"))
    assert (risk["cover_id"], risk["Risk, Transaction Type"]) == (ended.id, "NB")
    [premium] = rows(ask(f"/{month}?kind=premium"))
    assert premium["Total Gross Written Premium"] == f"{(ended.premium or 0) / 100:.2f}"


def test_csv_and_json_say_the_same_under_the_same_headings(circle: factories.Circle, ask: Ask) -> None:
    month = month_of(factories.ended(circle))
    closed(month, circle)
    table = ask(f"/{month}?kind=risk", "text/csv")
    assert table.mimetype == "text/csv"
    [line] = csv.DictReader(io.StringIO(table.text))
    [row] = rows(ask(f"/{month}?kind=risk"))
    assert line == {name: "" if value is None else str(value) for name, value in row.items()}


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_file_is_the_same_byte_by_byte_and_as_its_hash_says(
    circle: factories.Circle, ask: Ask, form: str
) -> None:
    month = month_of(factories.ended(circle))
    closed(month, circle)
    accept = {"csv": "text/csv", "json": "application/json"}[form]
    first, again = (ask(f"/{month}?kind=premium", accept) for _ in range(2))
    assert first.data == again.data
    [listed] = [one for one in ask("").json["items"] if one["kind"] == "premium"]
    assert hashlib.sha256(first.data).hexdigest() == listed[f"{form}_sha256"]
    assert first.headers["ETag"] == f'"{listed[f"{form}_sha256"]}"'


def test_what_becomes_known_later_is_a_line_of_the_next_month_and_the_closed_one_stays(
    circle: factories.Circle, ask: Ask
) -> None:
    trip = circle.trip()
    bound = bind(trip)
    doing(cover.activate, trip.rental, bound.from_at + timedelta(seconds=5), odometer_km=1)
    month = month_of(bound)
    closed(month, circle)
    before = ask(f"/{month}?kind=risk").data
    assert rows(ask(f"/{month}?kind=premium")) == []
    ended = doing(cover.close, trip.rental, clock.now(), evidence="box")
    later = month_of(bound) if clock.now().isoformat()[:7] == month else clock.now().isoformat()[:7]
    closed(later, circle)
    [risk], [premium] = rows(ask(f"/{later}?kind=risk")), rows(ask(f"/{later}?kind=premium"))
    assert (risk["Risk, Transaction Type"], risk["state"]) == ("MTA", "closed")
    assert premium["Total Gross Written Premium"] == f"{ended.premium / 100:.2f}"
    assert ask(f"/{month}?kind=risk").data == before


def test_what_began_after_a_month_and_ended_before_that_was_made_is_in_the_next(
    circle: factories.Circle, ask: Ask
) -> None:
    ended = factories.ended(circle)
    month = month_of(ended)
    before = (datetime.fromisoformat(f"{month}-01") - timedelta(days=1)).isoformat()[:7]
    closed(before, circle)
    assert rows(ask(f"/{before}?kind=risk")) == []
    closed(month, circle)
    assert [row["cover_id"] for row in rows(ask(f"/{month}?kind=risk"))] == [ended.id]


def test_the_premiums_of_all_lines_are_the_premiums_of_the_covers(circle: factories.Circle, ask: Ask) -> None:
    ended = [factories.ended(circle, minutes=minutes) for minutes in (30, 90, 200)]
    month = month_of(ended[-1])
    closed(month, circle)
    told = sum(
        round(100 * float(row["Total Gross Written Premium"])) for row in rows(ask(f"/{month}?kind=premium"))
    )
    assert told == sum(one.premium or 0 for one in ended)


def test_making_a_month_again_changes_nothing(circle: factories.Circle, ask: Ask) -> None:
    month = month_of(factories.ended(circle))
    closed(month, circle)
    assert bordereaux.close(month, insurer=circle.policy.insurer_id) == 0
    assert len(rows(ask(f"/{month}?kind=risk"))) == 1


def test_a_month_that_is_not_over_everywhere_is_not_made(app: Flask) -> None:
    with pytest.raises(Validation):
        bordereaux.close(clock.now().isoformat()[:7])


def test_lines_that_were_handed_out_cannot_be_changed(circle: factories.Circle) -> None:
    closed(month_of(factories.ended(circle)), circle)
    with pytest.raises(IntegrityError, match="bordereau_rows is append-only"):
        session.execute(text("update bordereau_rows set csv = ''"))
    session.rollback()


def test_a_rival_sees_none(http: Any, circle: factories.Circle) -> None:
    month = month_of(factories.ended(circle))
    closed(month, circle)
    rival = doing(partners.add_insurer, f"Rival {new_id('ins')}")
    headers = bearer(http, factories.client(rival.id, "bordereau:read"))
    assert http.get("/v1/insurer/bordereaux", headers=headers).json["items"] == []
    assert http.get(f"/v1/insurer/bordereaux/{month}?kind=risk", headers=headers).status_code == 404


@pytest.mark.parametrize("month", ["%00" * 7, "2026-13", "2026-1a", "2026%2F1"])
def test_what_is_no_month_has_none(ask: Ask, month: str) -> None:
    ask(f"/{month}?kind=risk", status=404)


def test_with_several_policies_one_must_be_named(circle: factories.Circle, ask: Ask) -> None:
    month = month_of(factories.ended(circle))
    factories.policy(partners.find_insurer(circle.policy.insurer_id))
    closed(month, circle)
    answer = ask(f"/{month}?kind=risk", status=422)
    assert answer.json["errors"][0]["parameter"] == "policy_number"
    assert len(rows(ask(f"/{month}?kind=risk&policy_number={circle.policy.number}"))) == 1


def test_the_next_are_due_on_the_sixth() -> None:
    def at(day: str) -> str:
        return bordereaux.next_at(datetime.fromisoformat(f"{day}+00:00")).isoformat()

    assert at("2026-12-05T10:00") == "2026-12-06T03:00:00+00:00"
    assert at("2026-12-06T03:00") == "2027-01-06T03:00:00+00:00"


def test_json_is_json(circle: factories.Circle, ask: Ask) -> None:
    month = month_of(factories.ended(circle))
    closed(month, circle)
    found = json.loads(ask(f"/{month}?kind=risk").data)
    assert (found["month"], found["kind"], found["policy_number"]) == (month, "risk", circle.policy.number)


def test_one_that_is_broken_off_leaves_nothing_and_is_made_anew(circle: factories.Circle, ask: Ask) -> None:
    month = month_of(factories.ended(circle))
    over(month)

    def broken_off(policy: str, covers: int) -> None:
        assert (policy, covers) == (circle.policy.number, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bordereaux.close(month, tell=broken_off, insurer=circle.policy.insurer_id)
    assert ask("").json["items"] == []
    assert bordereaux.close(month, insurer=circle.policy.insurer_id) == 2
    assert len(rows(ask(f"/{month}?kind=risk"))) == 1


def test_while_a_month_is_read_nothing_is_written_that_would_hold_up_the_sealer(
    circle: factories.Circle,
) -> None:
    month = month_of(factories.ended(circle))
    over(month)
    begun: list[object] = []

    def looked(policy: str, covers: int) -> None:
        del policy, covers
        begun.append(session.execute(text("select pg_current_xact_id_if_assigned()")).scalar())

    bordereaux.close(month, tell=looked, insurer=circle.policy.insurer_id)
    assert begun == [None]


def test_by_hand_a_month_is_made_and_said_how_far_and_how_long_it_is(
    app: Flask, circle: factories.Circle, ask: Ask
) -> None:
    month = month_of(factories.ended(circle))
    over(month)
    run = app.test_cli_runner()
    said = run.invoke(args=["bordereaux", "close", month, "--insurer", circle.policy.insurer_id])
    assert f"{circle.policy.number}: 1 covers looked at" in said.stderr
    assert f"{month}: 2 lines" in said.stdout
    assert len(rows(ask(f"/{month}?kind=risk"))) == 1
    refused = run.invoke(args=["bordereaux", "close", "2026-13"])
    assert (refused.exit_code, "a month as" in refused.output) == (2, True)

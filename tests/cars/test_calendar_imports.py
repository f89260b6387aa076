"""A calendar at an address keeps the car for its owner: read by another process over a real socket, again each hour."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from app.cars import calendar_imports, windows
from app.cars.models import Car
from app.communities import leave
from app.facts import CalendarImportFailing, MemberRemoved
from app.kit import clock
from app.kit.db import session
from app.kit.deadlines import Deadline
from app.kit.facts import FactRow
from tests import factories
from tests.cars.agenda import Agenda, agenda, at, calendar
from tests.communities.circle import Voice, voice

HOUR = timedelta(hours=1)


@pytest.fixture
def web() -> Iterator[Agenda]:
    with agenda() as one:
        yield one


@pytest.fixture
def car(olga: Voice) -> Car:
    """Offered at any time."""
    made = factories.car(olga.person)
    now = clock.now().replace(tzinfo=None, microsecond=0)
    windows.add(olga.id, made.id, {"from_": now - timedelta(days=5), "to": now + timedelta(days=200)})
    return made


@pytest.fixture
def day() -> datetime:
    return (clock.now() + timedelta(days=30)).replace(hour=9, minute=0, second=0, microsecond=0)


def add(olga: Voice, car: Car, url: str, want: int = 201) -> Any:
    return olga("POST", f"/cars/{car.id}/calendar-imports", {"url": url, "name": "Work"}, want=want)


def read(made: dict[str, Any]) -> None:
    """What the worker does with the job."""
    session.rollback()
    calendar_imports.sync_calendar(made["id"])


def shown(olga: Voice, car: Car, made: dict[str, Any]) -> Any:
    return olga("GET", f"/cars/{car.id}/calendar-imports/{made['id']}", want=200)


def spans(who: Voice, car: Car, day: datetime, kind: str) -> list[tuple[str, str]]:
    query = f"from={at_z(day - HOUR)}&to={at_z(day + 5 * HOUR)}"
    items = who("GET", f"/cars/{car.id}/calendar?{query}", want=200)["items"]
    return [(one["from"], one["to"]) for one in items if one["kind"] == kind]


def at_z(instant: datetime) -> str:
    return clock.z(instant)


def busy(day: datetime, hours: int = 2) -> str:
    return f"DTSTART:{at(day)}\nDTEND:{at(day + hours * HOUR)}"


def test_while_the_calendar_says_busy_the_car_is_not_offered(
    olga: Voice, car: Car, web: Agenda, day: datetime
) -> None:
    web.text = calendar(busy(day))
    read(add(olga, car, web.url))
    assert spans(olga, car, day, "blocked") == [(at_z(day), at_z(day + 2 * HOUR))]
    free = [(at_z(day - HOUR), at_z(day)), (at_z(day + 2 * HOUR), at_z(day + 5 * HOUR))]
    assert spans(olga, car, day, "free") == free
    assert not windows.offered(car.no, day, day + HOUR)


def test_what_the_calendar_no_longer_says_is_offered_again(
    olga: Voice, car: Car, web: Agenda, day: datetime
) -> None:
    web.text = calendar(busy(day))
    made = add(olga, car, web.url)
    read(made)
    web.text = calendar()
    read(made)
    assert spans(olga, car, day, "blocked") == []
    assert windows.offered(car.no, day, day + HOUR)


def test_a_forgotten_calendar_blocks_nothing(olga: Voice, car: Car, web: Agenda, day: datetime) -> None:
    web.text = calendar(busy(day))
    made = add(olga, car, web.url)
    read(made)
    olga("DELETE", f"/cars/{car.id}/calendar-imports/{made['id']}", want=204)
    assert windows.offered(car.no, day, day + HOUR)
    read(made)
    assert olga("GET", f"/cars/{car.id}/calendar-imports", want=200)["items"] == []


def test_how_old_the_last_reading_is_and_what_was_left_out_are_shown(
    olga: Voice, car: Car, web: Agenda, day: datetime
) -> None:
    web.text = calendar(busy(day), "SUMMARY:when?")
    made = add(olga, car, web.url)
    assert made["last_sync_at"] is None
    read(made)
    found = shown(olga, car, made)
    assert found["last_sync_at"] is not None
    assert (found["events"], found["skipped"]) == (2, [{"uid": "1@test", "reason": "no_start"}])
    assert (found["host"], found["name"]) == ("127.0.0.1", "Work")
    assert "url" not in found


def test_a_rental_in_a_busy_time_stays_and_is_shown(
    olga: Voice, car: Car, web: Agenda, day: datetime
) -> None:
    session.execute(
        text(
            "insert into occupancy (car_no, kind, ref, from_at, to_at) values (:no, 'rental', :ref, :a, :b)"
        ),
        {"no": car.no, "ref": "ren_" + "0" * 32, "a": day + HOUR, "b": day + 3 * HOUR},
    )
    session.commit()
    web.text = calendar(busy(day))
    made = add(olga, car, web.url)
    read(made)
    [conflict] = shown(olga, car, made)["conflicts"]
    assert conflict == {"rental": "ren_" + "0" * 32, "from": at_z(day + HOUR), "to": at_z(day + 3 * HOUR)}
    assert spans(olga, car, day, "held") == [(at_z(day + HOUR), at_z(day + 3 * HOUR))]


def test_what_has_not_changed_is_not_sent_again(olga: Voice, car: Car, web: Agenda, day: datetime) -> None:
    web.text, web.headers = calendar(busy(day)), {"ETag": '"1"'}
    made = add(olga, car, web.url)
    read(made)
    read(made)
    assert [one.get("If-None-Match") for one in web.asked] == [None, '"1"']
    assert not windows.offered(car.no, day, day + HOUR)


def test_once_a_day_it_is_read_whole(olga: Voice, car: Car, web: Agenda, day: datetime) -> None:
    web.text, web.headers = calendar(busy(day)), {"ETag": '"1"'}
    made = add(olga, car, web.url)
    read(made)
    clock.forward(timedelta(hours=25))
    read(made)
    assert [one.get("If-None-Match") for one in web.asked] == [None, None]


@pytest.mark.parametrize(
    ("text_", "status", "code"),
    [
        ("<!doctype html><p>Sign in", 200, "web_page"),
        ("nothing of the kind", 200, "broken"),
        ("", 404, "not_found"),
        ("", 403, "not_allowed"),
        ("", 500, "unreachable"),
        ("x" * 5_000_001, 200, "too_large"),
    ],
)
def test_what_is_wrong_is_said_and_what_it_said_last_goes_on_to_count(
    olga: Voice, car: Car, web: Agenda, day: datetime, text_: str, status: int, code: str
) -> None:
    web.text = calendar(busy(day))
    made = add(olga, car, web.url)
    read(made)
    web.text, web.status = text_, status
    read(made)
    error = shown(olga, car, made)["error"]
    assert error["code"] == code
    assert len(error["detail"]) > 20
    assert not windows.offered(car.no, day, day + HOUR)


def test_a_redirect_to_where_we_do_not_go_is_not_followed(olga: Voice, car: Car, web: Agenda) -> None:
    web.status, web.headers = 302, {"Location": "http://169.254.169.254/latest/meta-data"}
    made = add(olga, car, web.url)
    read(made)
    assert shown(olga, car, made)["error"]["code"] == "forbidden_address"


def test_a_redirect_that_goes_round_ends(olga: Voice, car: Car, web: Agenda) -> None:
    web.status, web.headers = 302, {"Location": web.url}
    made = add(olga, car, web.url)
    read(made)
    assert shown(olga, car, made)["error"]["code"] == "unreachable"
    assert len(web.asked) == 4


@pytest.mark.parametrize(
    "url",
    ["http://calendar.example/a.ics", "https://10.0.0.1/a.ics", "https://olga:secret@calendar.example/a.ics"],
)
def test_an_address_we_do_not_go_to_is_refused(olga: Voice, car: Car, url: str) -> None:
    assert add(olga, car, url, want=422) == "validation"


def test_webcal_is_https(olga: Voice, car: Car) -> None:
    assert add(olga, car, "webcal://p01-calendars.icloud.example/published/2/x")["host"] == (
        "p01-calendars.icloud.example"
    )


def test_it_is_read_again_in_an_hour_and_later_each_time_it_fails(
    olga: Voice, car: Car, web: Agenda, day: datetime
) -> None:
    web.text = calendar(busy(day))
    made = add(olga, car, web.url)
    waits = []
    for status in (200, 500, 500, 500):
        web.status = status
        read(made)
        due = session.get_one(Deadline, ("calendar_import", made["id"])).due_at
        waits.append(round((due - clock.now()) / HOUR))
    assert waits == [1, 1, 2, 4]


def test_the_owner_is_told_once_when_it_has_failed_for_a_day(olga: Voice, car: Car, web: Agenda) -> None:
    web.status = 500
    made = add(olga, car, web.url)
    for _ in range(3):
        read(made)
        clock.forward(timedelta(hours=25))
    told = session.scalars(
        select(FactRow.data["calendar_import"].astext).where(FactRow.kind == CalendarImportFailing.kind)
    )
    assert list(told).count(made["id"]) == 1


def test_five_calendars_are_enough(olga: Voice, car: Car, web: Agenda) -> None:
    for _ in range(5):
        add(olga, car, web.url)
    assert add(olga, car, web.url, want=409) == "in-use"


def test_members_neither_see_nor_change_the_owners_calendars(app: Any, olga: Voice, web: Agenda) -> None:
    max_ = voice(app, "Max")
    car = factories.shared(olga.person, factories.circle(olga.person, max_.person))
    add(max_, car, web.url, want=403)
    max_("GET", f"/cars/{car.id}/calendar-imports", want=403)


def test_the_address_is_kept_sealed(olga: Voice, car: Car, web: Agenda) -> None:
    made = add(olga, car, web.url)
    rows = session.execute(
        text("select cast(i as text) from calendar_imports i where name = 'Work'")
    ).scalars()
    assert all("basic.ics" not in row for row in rows)
    assert calendar_imports.find(car.id, made["id"]).host == "127.0.0.1"


def test_other_members_do_not_read_when_its_owner_is_busy(
    app: Any, olga: Voice, web: Agenda, day: datetime
) -> None:
    max_ = voice(app, "Max")
    car = factories.shared(olga.person, factories.circle(olga.person, max_.person))
    web.text = calendar(busy(day))
    read(add(olga, car, web.url))
    assert spans(olga, car, day, "blocked") == [(at_z(day), at_z(day + 2 * HOUR))]
    assert spans(max_, car, day, "blocked") == []


def test_the_calendar_of_who_runs_the_car_no_longer_is_forgotten(app: Any, olga: Voice, web: Agenda) -> None:
    mia = voice(app, "Mia")
    circle = factories.circle(olga.person, mia.person)
    leave.change(olga.id, circle.id, mia.id, {"role": "manager"}, lambda _: None)
    car = factories.car(olga.person, community=circle.id)
    made = add(mia, car, web.url)
    leave.leave(mia.id, circle.id, mia.id)
    calendar_imports.of_leaver(MemberRemoved(community=circle.id, person=mia.id, by=mia.id))
    assert olga("GET", f"/cars/{car.id}/calendar-imports", want=200)["items"] == []
    assert session.get(Deadline, ("calendar_import", made["id"])) is None


def test_asking_for_it_again_and_again_asks_once(olga: Voice, car: Car, web: Agenda) -> None:
    made = add(olga, car, web.url)
    for _ in range(3):
        olga("POST", f"/cars/{car.id}/calendar-imports/{made['id']}/sync", want=200)
    jobs = text("select count(*) from procrastinate_jobs where args ->> 'calendar_import' = :id")
    assert session.execute(jobs, {"id": made["id"]}).scalar_one() == 1

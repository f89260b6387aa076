"""The search shows what a quote gives: by the rules of terms and community, through the best one, the nearest first."""

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text, update

from app.cars import add, block, occupancy, terms, windows
from app.cars.calendar_models import Window
from app.cars.models import Car
from app.communities import accept, invite, make
from app.communities.models import Community
from app.facts import PersonRestored, PersonSuspended
from app.kit import clock
from app.kit.clock import z
from app.kit.db import bare, db, new_id, session, transactional
from app.operator import act
from app.people.models import Person
from tests import factories
from tests.communities.circle import Voice, voice
from tests.messages import stage

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def day(app: Flask) -> datetime:
    return (clock.now() + 20 * DAY).replace(hour=9, minute=0, second=0, microsecond=0)


@pytest.fixture
def max_(app: Flask) -> Voice:
    return voice(app, "Max Member")


@pytest.fixture
def circle(olga: Voice, max_: Voice) -> Community:
    return community(olga, max_)


@pytest.fixture
def car(olga: Voice, circle: Community) -> Car:
    return offered(olga, circle)


def community(olga: Voice, member: Voice, fare: str = "priced", **rules: Any) -> Community:
    made = make.make(olga.id, {"name": "Friends", "kind": "circle", "rules": rules})
    invitation = invite.invite(olga.id, made.id, {"email": member.person.email, "fare": fare})
    accept.accept(member.id, invite.code_of(invitation.id))
    return made


def offered(olga: Voice, circle: Community, data: dict[str, Any] | None = None, **car: Any) -> Car:
    """From tomorrow on for forty days, without a break."""
    made = factories.car(olga.person, **car)
    shown(olga, made, circle, data)
    day = clock.now().replace(tzinfo=None, microsecond=0)
    windows.add(olga.id, made.id, {"from_": day + DAY, "to": day + 40 * DAY})
    return made


def shown(olga: Voice, car: Car, circle: Community, data: dict[str, Any] | None = None) -> None:
    add.share(olga.id, car.id, circle.id)
    terms.put(olga.id, car.id, circle.id, data or factories.FREE)


def ask(who: Voice, path: str = "/cars", want: int = 200, **query: Any) -> Any:
    return who("GET", f"{path}?" + "&".join(f"{a}={b}" for a, b in query.items()), want=want)


def free(begins: datetime, hours: float = 2) -> dict[str, Any]:
    return {"free_from": z(begins), "free_to": z(begins + hours * HOUR)}


def found(who: Voice, **query: Any) -> list[str]:
    return [one["id"] for one in ask(who, **query)["items"]]


def quoted(who: Voice, car: Car, begins: datetime, want: int, hours: float = 2, **more: str) -> Any:
    body = {"car": car.id, "from": z(begins), "to": z(begins + hours * HOUR), **more}
    return who("POST", "/quotes", body, want=want)


# -- the rules of terms and community


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        ({"min_min": 120}, 2, 1.9),
        ({"max_min": 120}, 2, 2.1),
    ],
    ids=["shortest", "longest"],
)
def test_a_car_is_found_for_the_lengths_its_terms_allow(
    olga: Voice,
    max_: Voice,
    circle: Community,
    car: Car,
    day: datetime,
    rule: dict[str, int],
    allowed: float,
    refused: float,
) -> None:
    terms.put(olga.id, car.id, circle.id, rule)
    assert found(max_, **free(day, allowed)) == [car.id]
    assert found(max_, **free(day, refused)) == []
    assert quoted(max_, car, day, 409, refused) == "outside-rules"


def test_and_after_the_notice_they_ask_for(
    olga: Voice, max_: Voice, circle: Community, car: Car, day: datetime
) -> None:
    terms.put(olga.id, car.id, circle.id, {"notice_min": 20 * 24 * 60})
    assert found(max_, **free(day + DAY)) == [car.id]
    assert found(max_, **free(day - DAY)) == []
    assert quoted(max_, car, day - DAY, 409) == "outside-rules"


def test_and_as_far_ahead_as_the_community_allows(olga: Voice, max_: Voice, day: datetime) -> None:
    car = offered(olga, community(olga, max_, days_ahead=20))
    assert found(max_, **free(day - DAY)) == [car.id]
    assert found(max_, **free(day + DAY)) == []
    assert quoted(max_, car, day + DAY, 409) == "outside-rules"


def test_ones_own_car_knows_no_such_rules(olga: Voice, circle: Community, car: Car, day: datetime) -> None:
    terms.put(olga.id, car.id, circle.id, {"min_min": 600, "notice_min": 40000})
    assert found(olga, **free(day)) == [car.id]


def test_without_a_span_every_car_is_found(olga: Voice, max_: Voice, circle: Community, car: Car) -> None:
    terms.put(olga.id, car.id, circle.id, {"min_min": 600, "notice_min": 40000})
    assert found(max_) == [car.id]


def other_time(who: Voice, begins: datetime, hours: float = 2) -> list[str]:
    return [one["from"] for one in ask(who, "/cars/other-times", **free(begins, hours))["items"]]


def test_another_time_has_a_length_the_terms_allow(
    olga: Voice, max_: Voice, circle: Community, car: Car, day: datetime
) -> None:
    blocked(olga, car, day, 1)
    assert other_time(max_, day) == [z(day + HOUR)]
    terms.put(olga.id, car.id, circle.id, {"max_min": 60})
    assert other_time(max_, day) == []


def test_and_lies_after_their_notice(
    olga: Voice, max_: Voice, circle: Community, car: Car, day: datetime
) -> None:
    terms.put(olga.id, car.id, circle.id, {"notice_min": 20 * 24 * 60})
    [begins] = other_time(max_, day - DAY)
    at = datetime.fromisoformat(begins)
    assert abs(at - (clock.now() + 20 * DAY)) < timedelta(minutes=1)
    quoted(max_, car, at, 201)


def test_and_no_further_ahead_than_the_community_allows(olga: Voice, max_: Voice, day: datetime) -> None:
    car = offered(olga, community(olga, max_, days_ahead=20))
    [begins] = other_time(max_, day + DAY)
    at = datetime.fromisoformat(begins)
    assert abs(at - (clock.now() + 20 * DAY)) < timedelta(minutes=1)
    quoted(max_, car, at, 201)


# -- a block within the buffer


def blocked(olga: Voice, car: Car, begins: datetime, hours: float) -> None:
    block.add(olga.id, car.id, {"from_at": begins, "to_at": begins + hours * HOUR, "kind": "own_use"})


def rented(car: Car, begins: datetime, hours: float) -> None:
    transactional(occupancy.occupy)(car, "rental", new_id("ren"), begins, begins + hours * HOUR)


@pytest.fixture
def interrupted(olga: Voice, circle: Community, car: Car, day: datetime) -> Car:
    """With an hour of buffer; taken by a short block, and by a long rental right after it."""
    terms.put(olga.id, car.id, circle.id, {"buffer_min": 60})
    blocked(olga, car, day + 2.1 * HOUR, 0.2)
    rented(car, day + 2.3 * HOUR, 20)
    return car


def test_the_buffer_ends_where_a_short_block_begins_though_another_drives_after_it(
    max_: Voice, interrupted: Car, day: datetime
) -> None:
    assert found(max_, **free(day)) == [interrupted.id]
    quoted(max_, interrupted, day, 201)


def test_before_such_a_block_another_time_is_found(max_: Voice, interrupted: Car, day: datetime) -> None:
    assert other_time(max_, day + HOUR) == [z(day + 0.1 * HOUR)]


def test_behind_it_the_buffer_counts(
    olga: Voice, max_: Voice, circle: Community, car: Car, day: datetime
) -> None:
    terms.put(olga.id, car.id, circle.id, {"buffer_min": 60})
    blocked(olga, car, day - HOUR, 0.5)
    rented(car, day + 2 * HOUR, 2)
    assert quoted(max_, car, day, 409) == "car-taken"
    assert found(max_, **free(day)) == []


# -- through which community


@pytest.fixture
def twice(olga: Voice, max_: Voice, circle: Community, car: Car) -> tuple[Car, Community]:
    """The car again, in a community where Max drives for free, which he joined later."""
    second = community(olga, max_, "free")
    shown(olga, car, second)
    return car, second


def test_a_car_of_two_communities_is_shown_once_through_the_better_fare(
    max_: Voice, twice: tuple[Car, Community], day: datetime
) -> None:
    [one] = ask(max_, **free(day))["items"]
    assert (one["through"], one["fare"]) == (twice[1].id, "free")


def test_and_a_quote_takes_the_same(max_: Voice, twice: tuple[Car, Community], day: datetime) -> None:
    assert quoted(max_, twice[0], day, 201)["community"] == twice[1].id


def test_who_asks_for_a_fare_finds_it_through_the_community_that_has_it(
    max_: Voice, twice: tuple[Car, Community], circle: Community, day: datetime
) -> None:
    [one] = ask(max_, fare="priced", **free(day))["items"]
    assert (one["through"], one["fare"]) == (circle.id, "priced")


def test_it_is_shown_through_the_one_whose_rules_allow_the_span(
    olga: Voice, max_: Voice, twice: tuple[Car, Community], circle: Community, day: datetime
) -> None:
    car, second = twice
    terms.put(olga.id, car.id, second.id, {"min_min": 180})
    [one] = ask(max_, **free(day))["items"]
    assert one["through"] == circle.id
    assert quoted(max_, car, day, 201)["community"] == circle.id


def test_where_none_allows_it_a_quote_says_what_the_best_forbids(
    olga: Voice, max_: Voice, twice: tuple[Car, Community], circle: Community, day: datetime
) -> None:
    terms.put(olga.id, twice[0].id, twice[1].id, {"min_min": 180})
    terms.put(olga.id, twice[0].id, circle.id, {"min_min": 240})
    body = {"car": twice[0].id, "from": z(day), "to": z(day + 2 * HOUR)}
    assert max_.answer("POST", "/quotes", body).get_json()["limit"] == 180


def test_another_time_is_had_through_the_one_whose_rules_allow_it(
    olga: Voice, max_: Voice, twice: tuple[Car, Community], circle: Community, day: datetime
) -> None:
    car, second = twice
    terms.put(olga.id, car.id, second.id, {"min_min": 180})
    blocked(olga, car, day, 1)
    [one] = ask(max_, "/cars/other-times", **free(day))["items"]
    assert (one["car"]["through"], one["from"]) == (circle.id, z(day + HOUR))


def test_ones_own_car_in_a_community_is_ones_own(
    olga: Voice, circle: Community, car: Car, day: datetime
) -> None:
    [one] = ask(olga, community=circle.id, **free(day))["items"]
    assert (one["id"], one["total"], one["home"]["exact"]) == (car.id, None, True)


# -- near a point


@pytest.fixture
def row(olga: Voice, circle: Community) -> list[Car]:
    """Cars 0, 9, 3, 6 km north of Paris, two of them at one spot."""
    made = [
        offered(olga, circle, home={"lat": 48.85 + km / 111.2, "lon": 2.35, "label": ""})
        for km in (0, 9, 3, 6, 6)
    ]
    session.execute(update(Car).where(Car.id.in_([one.id for one in made])).values(blur_lat=0, blur_lon=0))
    session.commit()
    return made


NEAR: dict[str, Any] = {"near": "48.85,2.35"}


def test_the_nearest_comes_first(max_: Voice, row: list[Car]) -> None:
    in_order = [row[at].id for at in (0, 2, 4, 3, 1)]
    assert found(max_, **NEAR) == in_order
    assert [one["distance_km"] for one in ask(max_, **NEAR)["items"]] == [0, 3, 6, 6, 9]


def test_page_by_page_each_comes_once(max_: Voice, row: list[Car], day: datetime) -> None:
    walked: list[str] = []
    after: dict[str, Any] = {}
    for _ in row:
        page = ask(max_, limit=1, **NEAR, **free(day), **after)
        walked += [one["id"] for one in page["items"]]
        after = {"cursor": page["next_cursor"]}
    assert after["cursor"] is None
    assert walked == found(max_, **NEAR)


def test_the_radius_is_that_of_the_shown_place(max_: Voice, row: list[Car]) -> None:
    assert found(max_, radius_km=5, **NEAR) == [row[0].id, row[2].id]


def test_a_cursor_is_of_one_order_alone(max_: Voice, row: list[Car]) -> None:
    newest = ask(max_, limit=1)["next_cursor"]
    nearest = ask(max_, limit=1, **NEAR)["next_cursor"]
    assert ask(max_, want=422, cursor=newest, **NEAR) == "validation"
    assert ask(max_, want=422, cursor=nearest) == "validation"


def test_the_distance_is_to_the_place_that_is_shown(max_: Voice, car: Car) -> None:
    [one] = ask(max_, near="48.9,2.2")["items"]
    lat, lon = math.radians(one["home"]["lat"]), math.radians(one["home"]["lon"])
    a, b = math.radians(48.9), math.radians(2.2)
    by_cosines = 6371 * math.acos(
        math.sin(a) * math.sin(lat) + math.cos(a) * math.cos(lat) * math.cos(lon - b)
    )
    assert one["distance_km"] == pytest.approx(by_cosines, abs=0.07)


def test_another_time_is_near_too(olga: Voice, max_: Voice, row: list[Car], day: datetime) -> None:
    for one in row:
        blocked(olga, one, day, 1)
    items = ask(max_, "/cars/other-times", **NEAR, radius_km=5, **free(day))["items"]
    assert [(one["car"]["id"], one["car"]["distance_km"]) for one in items] == [
        (row[0].id, 0),
        (row[2].id, 3),
    ]


# -- an owner who is suspended, and too many windows


def test_nobody_is_offered_the_car_of_a_suspended_owner_until_they_are_back(
    olga: Voice, max_: Voice, circle: Community, car: Car, day: datetime
) -> None:
    before = quoted(max_, car, day, 201)
    act.suspend(olga.id, by="operator", reason="tests")
    stage.react_to_waiting(PersonSuspended.kind, olga.id)
    assert found(max_, **free(day)) == []
    assert quoted(max_, car, day, 409) == "outside-windows"
    accepted = {"quote": before["id"], "accept": [one["version"] for one in before["conditions"]]}
    assert max_("POST", "/rentals", accepted, want=409, Idempotency_Key=car.id) == "outside-windows"
    act.restore(olga.id, by="operator", reason="tests")
    stage.react_to_waiting(PersonRestored.kind, olga.id)
    assert found(max_, **free(day)) == [car.id]
    quoted(max_, car, day, 201)


def test_a_car_has_so_many_windows_that_are_not_over_and_no_more(
    olga: Voice, car: Car, day: datetime
) -> None:
    past = [window(car, day - 400 * DAY) for _ in range(5)]
    put(past + [window(car, day) for _ in range(windows.MOST - 2)])
    body = {"from": f"{day:%Y-%m-%dT%H:%M:%S}", "to": f"{day + HOUR:%Y-%m-%dT%H:%M:%S}"}
    path = f"/cars/{car.id}/windows"
    added = olga("POST", path, body, want=201)
    assert olga("POST", path, body, want=409) == "in-use"
    olga("DELETE", f"{path}/{added['id']}", want=204)
    olga("POST", path, body, want=201)


def test_one_that_is_over_is_not_taken_up_again_beyond_that(olga: Voice, car: Car, day: datetime) -> None:
    past = window(car, day - 400 * DAY)
    put([past, *(window(car, day) for _ in range(windows.MOST - 1))])
    path = f"/cars/{car.id}/windows/{past.id}"
    again = {"rrule": "FREQ=DAILY"}
    assert olga("PATCH", path, again, want=409, If_Match=olga.etag(path)) == "in-use"


def test_who_is_back_meanwhile_is_not_taken_for_suspended(
    olga: Voice, max_: Voice, circle: Community, car: Car, day: datetime
) -> None:
    act.suspend(olga.id, by="operator", reason="tests")
    restored_behind_our_back(olga.id, car)
    assert found(max_, **free(day)) == [car.id]


@transactional
def restored_behind_our_back(person: str, car: Car) -> None:
    """Another transaction restores the owner, whom this one has read as suspended."""
    assert session.get_one(Person, person).suspended_at is not None
    with db.engine.begin() as other:
        statement = text("update people set suspended_at = null where id = :id")
        other.execute(statement, {"id": bare(person, "per")})
    windows.refresh(car.id)


def window(car: Car, begins: datetime) -> Window:
    local = begins.replace(tzinfo=None)
    return Window(
        id=new_id("win"), car_id=car.id, from_local=local, to_local=local + HOUR, exdates=[], rdates=[]
    )


@transactional
def put(rows: list[Window]) -> None:
    session.add_all(rows)

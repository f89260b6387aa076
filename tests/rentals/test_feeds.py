"""Calendars to subscribe to: what a calendar program reads at a secret address, by icalendar and by rule of RFC 5545."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from icalendar import Calendar
from sqlalchemy import text

from app.account import erase
from app.cars import block
from app.communities import accept, invite, leave
from app.kit import clock
from app.kit.db import bare, session
from app.people.models import Person
from app.rentals import cancel, feeds
from app.rentals.lifecycle import State
from tests import factories
from tests.kit.asking import session_of
from tests.rentals.scene import Scene, other_rental

HOUR = timedelta(hours=1)
A_THOUSAND_QUOTES_LATER = text(
    "insert into quotes select (jsonb_populate_record(q, jsonb_build_object('id', gen_random_uuid(), 'from_at',"
    " q.from_at + n * interval '1 hour', 'to_at', q.to_at + n * interval '1 hour'))).*"
    " from quotes q, generate_series(1, 1000) n where q.id = :row"
)
A_THOUSAND_RENTALS_LATER = text(
    "insert into rentals select (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(), 'quote_id', q.id,"
    " 'from_at', q.from_at, 'to_at', q.to_at, 'state', 'cancelled'))).*"
    " from rentals r join quotes q on q.person_id = r.driver_id and q.id <> r.quote_id where r.id = :row"
)
A_THOUSAND_BLOCKS_LATER = text(
    "insert into blocks select (jsonb_populate_record(b, jsonb_build_object('id', gen_random_uuid(), 'from_at',"
    " b.from_at + n * interval '1 hour', 'to_at', b.to_at + n * interval '1 hour'))).*"
    " from blocks b, generate_series(1, 1000) n where b.id = :row"
)
"""Beside the one that is there, as rows; of rentals, one for each quote that has none."""


def ask(app: Flask, who: Person, method: str, path: str, status: int, body: Any = None) -> Any:
    session.rollback()
    answer = app.test_client().open(f"/v1{path}", method=method, json=body, headers=session_of(who).headers)
    assert answer.status_code == status, answer.text
    return answer.json if answer.data else None


def subscribe(app: Flask, who: Person, car: str | None = None) -> str:
    """The path of a new feed."""
    made = ask(app, who, "POST", "/me/calendar-feeds", 201, {"car": car} if car else {})
    url: str = made["url"]
    return "/feeds/" + url.partition("/feeds/")[2]


def fetch(app: Flask, path: str, status: int = 200, **headers: str) -> Any:
    session.rollback()
    answer = app.test_client().get(path, headers=headers)
    assert answer.status_code == status, answer.text
    return answer


def events(app: Flask, path: str) -> list[Any]:
    calendar: Any = Calendar.from_ical(fetch(app, path).data)
    return list(calendar.walk("VEVENT"))


def another(scene: Scene) -> Person:
    """A member who neither drives nor owns."""
    nina = factories.person("Nina Neighbour")
    invitation = invite.invite(scene.olga.id, scene.community.id, {"email": nina.email})
    accept.accept(nina.id, invite.code_of(invitation.id))
    return nina


def test_a_driver_reads_what_they_booked_on_the_clocks_of_the_car(app: Flask, scene: Scene) -> None:
    [event] = events(app, subscribe(app, scene.max))
    rental, zone = scene.rental, ZoneInfo(scene.car.time_zone)
    assert event["DTSTART"].dt.tzinfo == zone
    assert event["DTSTART"].dt == rental.from_at.replace(microsecond=0)
    assert event["DTEND"].dt == rental.to_at.replace(microsecond=0)
    assert (event["SUMMARY"], event["STATUS"]) == (f"{scene.car.make} {scene.car.model}", "CONFIRMED")


def test_every_zone_that_is_named_is_described(app: Flask, scene: Scene) -> None:
    text = fetch(app, subscribe(app, scene.max)).text
    assert set(re.findall(r"TZID=([^:;]+)", text)) == set(re.findall(r"TZID:(.+)\r\n", text))


def test_a_line_is_no_longer_than_the_standard_has_it_and_ends_as_it_says(app: Flask, scene: Scene) -> None:
    data = fetch(app, subscribe(app, scene.olga, scene.car_id)).data
    assert data.count(b"\n") == data.count(b"\r\n")
    assert max(len(line) for line in data.split(b"\r\n")) <= 75


def test_an_event_keeps_its_name_and_counts_its_changes(app: Flask, scene: Scene) -> None:
    path = subscribe(app, scene.max)
    [before] = events(app, path)
    cancel.cancel(scene.max.id, scene.rental_id, "another plan")
    [after] = events(app, path)
    assert before["UID"] == after["UID"]
    assert int(after["SEQUENCE"]) == int(before["SEQUENCE"]) + 1
    assert after["DTSTAMP"].dt >= before["DTSTAMP"].dt
    assert (after["STATUS"], after["TRANSP"]) == ("CANCELLED", "TRANSPARENT")


def test_what_is_only_asked_for_is_tentative(app: Flask, scene: Scene) -> None:
    scene.set_state(State.REQUESTED.value)
    [event] = events(app, subscribe(app, scene.max))
    assert event["STATUS"] == "TENTATIVE"
    assert "(asked for)" in event["SUMMARY"]


def test_the_owner_reads_who_drives_and_their_own_blocks(app: Flask, scene: Scene) -> None:
    day = clock.now() + timedelta(days=3)
    block.add(scene.olga.id, scene.car_id, {"from_at": day, "to_at": day + HOUR, "kind": "own_use"})
    titles = [event["SUMMARY"] for event in events(app, subscribe(app, scene.olga, scene.car_id))]
    assert titles == [scene.max.first_name, "Not available"]


def test_a_block_counts_its_changes_and_says_when_the_last_was(app: Flask, scene: Scene) -> None:
    day = clock.now() + timedelta(days=3)
    row = block.add(scene.olga.id, scene.car_id, {"from_at": day, "to_at": day + HOUR, "kind": "own_use"})
    path = subscribe(app, scene.olga, scene.car_id)
    [_, before] = events(app, path)
    clock.forward(2 * HOUR)
    block.change(scene.olga.id, scene.car_id, row.id, {"from_at": day - HOUR}, lambda _: None)
    [_, after] = events(app, path)
    assert (before["UID"], int(after["SEQUENCE"])) == (after["UID"], int(before["SEQUENCE"]) + 1)
    assert after["DTSTAMP"].dt >= before["DTSTAMP"].dt + 2 * HOUR


def test_what_is_called_off_is_cancelled_for_every_member(app: Flask, scene: Scene) -> None:
    path = subscribe(app, another(scene), scene.car_id)
    [before] = events(app, path)
    cancel.cancel(scene.max.id, scene.rental_id, "another plan")
    [after] = events(app, path)
    assert (after["UID"], after["STATUS"]) == (before["UID"], "CANCELLED")


def test_another_member_reads_when_it_is_taken_and_not_by_whom(app: Flask, scene: Scene) -> None:
    nina = another(scene)
    path = subscribe(app, nina, scene.car_id)
    [event] = events(app, path)
    assert event["SUMMARY"] == "Lent"
    text = fetch(app, path).text
    assert scene.max.first_name not in text
    assert scene.rental_id not in text
    leave.leave(nina.id, scene.community.id, nina.id)
    fetch(app, path, 404)


def test_neither_place_nor_plate_is_told_to_a_calendar_provider(app: Flask, scene: Scene) -> None:
    car = scene.car
    for path in (subscribe(app, scene.max), subscribe(app, scene.olga, scene.car_id)):
        text = fetch(app, path).text
        assert car.plate not in text
        assert car.home_label not in text
        assert not re.search(r"^(LOCATION|GEO)", text, re.MULTILINE)


def test_a_program_that_has_it_already_is_told_so(app: Flask, scene: Scene) -> None:
    path = subscribe(app, scene.max)
    tag = fetch(app, path).headers["ETag"]
    assert fetch(app, path, 304, If_None_Match=tag).data == b""
    other_rental(scene)
    fetch(app, path, 200, If_None_Match=tag)


def test_the_address_is_shown_once_and_dead_once_it_is_removed(app: Flask, scene: Scene) -> None:
    path = subscribe(app, scene.max)
    [row] = ask(app, scene.max, "GET", "/me/calendar-feeds", 200)["items"]
    assert row["url"] is None
    ask(app, scene.olga, "DELETE", f"/me/calendar-feeds/{row['id']}", 404)
    fetch(app, path)
    ask(app, scene.max, "DELETE", f"/me/calendar-feeds/{row['id']}", 204)
    fetch(app, path, 404)


def test_a_wrong_address_is_not_found(app: Flask, scene: Scene) -> None:
    path = subscribe(app, scene.max)
    fetch(app, path[:-6] + "AA.ics", 404)


def test_a_car_one_may_not_see_has_no_feed(app: Flask, scene: Scene) -> None:
    ask(app, factories.person("Charlie"), "POST", "/me/calendar-feeds", 404, {"car": scene.car_id})


def test_twenty_feeds_are_enough(app: Flask, scene: Scene) -> None:
    for _ in range(20):
        feeds.add(scene.max.id, None)
    ask(app, scene.max, "POST", "/me/calendar-feeds", 409, {})


def test_nothing_is_read_of_who_was_erased(app: Flask) -> None:
    charlie = factories.person("Charlie")
    path = subscribe(app, charlie)
    fetch(app, path)
    erase.erase(charlie.id)
    fetch(app, path, 404)


def autumn() -> datetime:
    """Half past two for the second time, on the last Sunday of an October to come."""
    last = datetime(clock.now().year + 1, 10, 31, 1, 30, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def test_the_hour_that_is_there_twice_is_told_so_that_it_means_one(app: Flask, scene: Scene) -> None:
    second = autumn()
    rental = scene.rental
    rental.from_at, rental.to_at = second - HOUR, second
    session.commit()
    [event] = events(app, subscribe(app, scene.max))
    assert [event[name].dt.astimezone(UTC) for name in ("DTSTART", "DTEND")] == [second - HOUR, second]
    assert event["DTEND"].dt.utcoffset() == timedelta(0)


def named(text: str, kind: str) -> set[str]:
    """The ids of this kind in a feed."""
    return set(re.findall(rf"\nUID:({kind}_[0-9a-f]+)@", text))


def test_of_more_than_it_shows_a_feed_has_the_latest(app: Flask, scene: Scene) -> None:
    day = clock.now() + timedelta(days=3)
    blocked = block.add(
        scene.olga.id, scene.car_id, {"from_at": day, "to_at": day + HOUR, "kind": "own_use"}
    ).id
    rental, quote = scene.rental_id, scene.rental.quote_id
    session.execute(A_THOUSAND_QUOTES_LATER, {"row": bare(quote, "quo")})
    session.execute(A_THOUSAND_RENTALS_LATER, {"row": bare(rental, "ren")})
    session.execute(A_THOUSAND_BLOCKS_LATER, {"row": bare(blocked, "blk")})
    session.commit()
    of_car, own = (
        fetch(app, subscribe(app, *who)).text for who in ((scene.olga, scene.car_id), (scene.max,))
    )
    for feed, kind, first in ((of_car, "ren", rental), (of_car, "blk", blocked), (own, "ren", rental)):
        found = named(feed, kind)
        assert (len(found), first in found) == (1000, False)

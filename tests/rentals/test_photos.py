"""Photos over HTTP: who adds and reads what when, and what comes back."""

import hashlib
import io
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import event, select

from app.communities import make as communities
from app.doors import Doors
from app.factory import create_app
from app.kit import clock
from app.kit.clock import z
from app.kit.db import db, dispose, release, session
from app.kit.facts import FactRow
from app.rentals import book, photo_rules, quote, settle
from app.rentals.models import Command
from app.rentals.photo_models import Photo
from insurance.partners import partners_of
from tests.conftest import settings_for
from tests.coverage.factories import doing
from tests.kit.asking import slug
from tests.kit.camera import picture, taken
from tests.rentals.album import Album, build, drive, encoded, file, start
from tests.rentals.scene import Scene, make

HOUR = timedelta(hours=1)


@pytest.fixture
def album(app: Flask, scene: Scene) -> Album:
    return build(app, scene)


def pointers(answer: Any) -> list[str]:
    assert slug(answer) == "validation"
    return [one["pointer"] for one in answer.json["errors"]]


# -- adding ----------------------------------------------------------------------------------------------------------


def test_a_driver_adds_a_photo_and_both_sides_see_the_same_picture(album: Album) -> None:
    sent = taken()
    answer = album.add(sent=sent)
    made = answer.json
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{album.path}/{made['id']}"
    assert (made["step"], made["angle"], made["by"]) == ("unlock", "front", "driver")
    assert (made["taken_at"], made["sent_sha256"]) == (
        "2027-03-01T09:00:00.000Z",
        hashlib.sha256(sent).hexdigest(),
    )
    for who in ("max", "olga"):
        assert album.listed(who) == [made]
        assert album.get(who, f"{album.path}/{made['id']}").json == made
        seen = album.get(who, made["url"])
        assert (seen.status_code, seen.content_type) == (200, "image/jpeg")
        assert (hashlib.sha256(seen.data).hexdigest(), len(seen.data)) == (made["sha256"], made["bytes"])
        assert Image.open(io.BytesIO(seen.data)).size == (made["width"], made["height"])


def test_the_time_is_the_servers(album: Album) -> None:
    before = clock.now()
    made = album.added(sent=taken())
    assert z(before) <= made["received_at"] <= z(clock.now())


def test_nobody_else_knows_of_them(album: Album) -> None:
    made = album.added()
    for path in (album.path, f"{album.path}/{made['id']}", made["url"]):
        assert album.get("charlie", path).status_code == 404
        assert album.http.get(path).status_code == 401
    before = album.files()
    assert album.add("charlie").status_code == 404
    assert album.files() == before


def test_a_photo_of_another_rental_is_not_there(album: Album, app: Flask) -> None:
    other = build(app, make())
    made = other.added()
    for rest in ("", "/file"):
        assert album.get("max", f"{album.path}/{made['id']}{rest}").status_code == 404


def test_the_picture_may_be_kept_by_who_asked_and_is_shown_in_place(album: Album) -> None:
    made = album.added()
    seen = album.get("max", made["url"])
    assert seen.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert seen.headers["Content-Disposition"] == f'inline; filename="unlock-front-{made["id"]}.jpg"'
    assert seen.headers["ETag"] == f'"{made["sha256"]}"'
    assert (seen.headers["X-Content-Type-Options"], seen.headers["Vary"]) == ("nosniff", "Authorization")
    same = album.get("max", made["url"], If_None_Match=seen.headers["ETag"])
    assert (same.status_code, same.data) == (304, b"")
    assert "immutable" in same.headers["Cache-Control"]
    assert album.get("max", made["url"], Accept="text/html").status_code == 406


def test_the_same_bytes_for_the_same_step_and_angle_are_the_same_photo(album: Album) -> None:
    made = album.added()
    before = album.files()
    again = album.add()
    assert (again.status_code, again.json) == (200, made)
    assert again.headers["Location"] == f"{album.path}/{made['id']}"
    assert album.files() == before
    assert album.added(angle="back")["id"] != made["id"]
    assert album.added(sent=picture(colour="blue"))["id"] != made["id"]
    assert len(album.listed("max")) == 3


def test_one_picture_is_no_second_side_of_the_car_and_none_of_another_time(album: Album) -> None:
    sent = picture(colour="blue")
    album.added(angle="left", sent=sent)
    before = album.files()
    for step, angle in (("unlock", "right"), ("lock", "left")):
        if step == "lock":
            start(album.scene)
        refused = album.add(step=step, angle=angle, sent=sent)
        assert pointers(refused) == ["/file"]
        assert "at unlock, left" in refused.json["errors"][0]["detail"]
    assert album.files() == before
    assert album.add("olga", "damage", "left", sent).status_code == 201


def test_a_picture_of_an_earlier_rental_shows_nothing_of_this_one(album: Album) -> None:
    scene, sent = album.scene, picture(colour="blue")
    album.added(sent=sent)
    drive(scene)
    asked = {"car": scene.car_id, "from_": clock.now() + HOUR, "to": clock.now() + 2 * HOUR}
    quoted = quote.quote(scene.max.id, asked)
    later = book.book(scene.max.id, {"quote": quoted.id, "accept": quoted.conditions}).id
    clock.forward(HOUR)
    again = build(album.house, replace(scene, rental_id=later))
    assert pointers(again.add(sent=sent)) == ["/file"]
    assert again.add().status_code == 201


def from_another_phone(album: Album, parts: dict[str, Any]) -> int:
    """Sent by another thread; what is answered."""
    http = album.house.test_client()
    return int(http.post(album.path, headers=album.headers["max"], **parts).status_code)


def test_sent_many_times_at_once_it_is_one_photo(album: Album) -> None:
    parts = encoded({"step": "unlock", "angle": "front", "file": file(picture())})
    release()
    with ThreadPoolExecutor(6) as crowd:
        answers = crowd.map(lambda _: from_another_phone(album, parts), range(6))
        assert sorted(answers) == [200] * 5 + [201]
    assert len(album.listed("olga")) == 1


@pytest.mark.parametrize("look", ["count(", "sent_sha256"])
def test_added_by_another_request_between_two_looks_it_is_the_same_photo(album: Album, look: str) -> None:
    sent = picture()
    fill(album.row(album.added(angle="back", sent=picture(colour="blue"))["id"]), 58)
    parts = encoded({"step": "unlock", "angle": "front", "file": file(sent)})
    answers: list[int] = []

    def meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if look in statement and "photos" in statement and not answers:
            answers.append(0)
            with ThreadPoolExecutor(1) as other:
                answers[0] = other.submit(from_another_phone, album, parts).result()

    event.listen(db.engine, "before_cursor_execute", meanwhile)
    try:
        answers.append(album.add(sent=sent).status_code)
    finally:
        event.remove(db.engine, "before_cursor_execute", meanwhile)
    assert answers == [201, 200]


def test_a_repeat_with_the_same_key_is_replayed_and_another_photo_under_it_refused(album: Album) -> None:
    key = uuid.uuid4().hex

    def once(angle: str) -> Any:
        return album.add(angle=angle, Idempotency_Key=key)

    first, again = once("front"), once("front")
    assert (first.status_code, again.status_code, again.json) == (201, 201, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert slug(once("back")) == "idempotency-key-reused"


def test_each_photo_is_in_the_chain_of_facts_by_its_hash(album: Album) -> None:
    made = album.added()
    album.add()
    rows = session.scalars(select(FactRow).where(FactRow.kind == "PhotoAdded"))
    found = [row.data for row in rows if row.data["rental"] == album.scene.rental_id]
    assert [(one["photo"], one["sha256"], one["by"]) for one in found] == [
        (made["id"], made["sha256"], "driver")
    ]


# -- who and when ----------------------------------------------------------------------------------------------------


def test_before_the_start_it_is_too_early(album: Album) -> None:
    rental = album.scene.rental
    rental.from_at = clock.now() + timedelta(minutes=61)
    rental.to_at = clock.now() + timedelta(hours=3)
    session.commit()
    refused = album.add()
    assert (slug(refused), refused.json["state"]) == ("step-not-allowed", "booked")
    clock.forward(timedelta(minutes=2))
    assert album.add().status_code == 201


def test_photos_of_the_steps_are_the_drivers_and_those_of_damage_both_sides(album: Album) -> None:
    for state, step in (("booked", "unlock"), ("active", "lock")):
        album.scene.set_state(state)
        assert slug(album.add("olga", step)) == "not-allowed"
    assert album.added("olga", "damage", "damage")["by"] == "owner"
    assert album.added("max", "damage", "left")["by"] == "driver"


def fill(photo: Photo, count: int) -> None:
    """So many more like it."""
    same = {
        column.key: getattr(photo, column.key) for column in Photo.__table__.columns if column.key != "id"
    }
    session.add_all(Photo(**{**same, "sent_sha256": f"{n:064x}"}) for n in range(count))
    session.commit()


def test_a_day_after_the_end_it_is_too_late_for_photos_of_the_lock(album: Album) -> None:
    drive(album.scene)
    album.added(step="lock")
    album.scene.rental.ended_at = clock.now() - timedelta(days=1)
    session.commit()
    late = picture(colour="blue")
    assert slug(album.add(step="lock", sent=late)) == "step-not-allowed"
    album.added("olga", "damage", sent=late)


def test_each_side_adds_at_most_so_many(album: Album) -> None:
    start(album.scene)
    fill(album.row(album.added(step="damage", sent=picture(colour="red"))["id"]), 59)
    refused = album.add(step="damage")
    assert (slug(refused), refused.json["rule"], refused.json["limit"]) == (
        "outside-rules",
        "photos_per_rental",
        60,
    )
    assert album.add("olga", step="damage").status_code == 201


def test_a_person_adds_at_most_so_many_a_day_and_what_was_sent_before_is_not_counted(album: Album) -> None:
    house = album.house.extensions["glovebox"]
    usual, few = house.settings, replace(house.settings.limits, photos=(2, 10**9))  # no midnight
    house.settings = replace(usual, limits=few)
    try:
        first, again = album.add(sent=picture(colour="red")), album.add(sent=picture(colour="red"))
        album.added(sent=picture(colour="blue"))
        before = album.files()
        refused = album.add(sent=picture(colour="white"))
        assert (first.status_code, again.status_code, slug(refused)) == (201, 200, "rate-limited")
        assert int(refused.headers["Retry-After"]) > 0
        assert album.files() == before
        start(album.scene)
        album.added("olga", "damage", sent=picture(colour="white"))
    finally:
        house.settings = usual


# -- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda parts: parts.pop("step"), "/step"),
        (lambda parts: parts.pop("angle"), "/angle"),
        (lambda parts: parts.pop("file"), "/file"),
        (lambda parts: parts.update(step="start"), "/step"),
        (lambda parts: parts.update(angle="top"), "/angle"),
        (lambda parts: parts.update(note="hi"), "/note"),
        (lambda parts: parts.update(step=["unlock", "unlock"]), "/step"),
        (lambda parts: parts.update(file="no file"), "/file"),
        (lambda parts: parts.update(extra=file(b"x")), "/extra"),
        (lambda parts: parts.update(file=file(b"%PDF-1.4")), "/file"),
    ],
    ids=[
        "no step",
        "no angle",
        "no file",
        "step",
        "angle",
        "unknown",
        "twice",
        "file as words",
        "two files",
        "no picture",
    ],
)
def test_a_wrong_part_is_named(album: Album, change: Callable[[dict[str, Any]], Any], wrong: str) -> None:
    parts = {"step": "unlock", "angle": "front", "file": file(picture())}
    change(parts)
    before = album.files()
    assert wrong in pointers(album.send("max", parts))
    assert album.files() == before


def test_the_type_is_read_from_the_content_whatever_the_sender_calls_it(album: Album) -> None:
    parts = {"step": "unlock", "angle": "front", "file": file(picture("PNG"), "a.exe", "text/html")}
    made = album.send("max", parts).json
    assert album.get("max", made["url"]).content_type == "image/jpeg"


def test_other_bodies_are_415_and_too_large_ones_413(album: Album) -> None:
    session.rollback()
    json = album.http.post(album.path, json={"step": "unlock"}, headers=album.headers["max"])
    assert (json.status_code, json.content_type) == (415, "application/problem+json")
    bare = album.http.post(
        album.path, data=b"x", content_type="multipart/form-data", headers=album.headers["max"]
    )
    assert slug(bare) == "malformed"
    broken = album.http.post(
        album.path,
        data=b"--x\r\nContent-Disposition: form-data",
        content_type="multipart/form-data; boundary=x",
        headers=album.headers["max"],
    )
    assert slug(broken) == "malformed"
    behind = b"\0" * 9_990_000  # what lies behind the picture is not looked at, but counts
    assert album.add(sent=picture() + behind).status_code == 201
    for size in (10_000_001, 12_000_000):
        large = album.add(sent=b"\xff\xd8\xff" + b"\0" * (size - 3))
        assert (large.status_code, large.content_type) == (413, "application/problem+json")


def test_without_a_place_to_keep_them_nothing_is_added(album: Album, database: str) -> None:
    shut = create_app(settings_for(database), Doors(partners_of([]), payments=None, push=None, mail=None))
    parts = {"step": "unlock", "angle": "front", "file": file(picture())}
    session.rollback()
    answer = shut.test_client().post(album.path, headers=album.headers["max"], **encoded(parts))
    with shut.app_context():
        dispose()
    assert slug(answer) == "unavailable"
    assert album.listed("max") == []


def test_a_picture_that_is_lost_is_said_to_be_and_its_photo_stays(album: Album) -> None:
    made = album.added()
    album.storage.delete(album.row(made["id"]).file)
    assert slug(album.get("max", made["url"])) == "unavailable"
    assert album.listed("max") == [made]


# -- asked for by the community --------------------------------------------------------------------------------------


def photos_condition(album: Album, step: str) -> Any:
    answer = album.get("max", f"/v1/rentals/{album.scene.rental_id}/readiness?step={step}")
    return next(one for one in answer.json["conditions"] if one["code"] == "photos")


def unlock(album: Album) -> Any:
    session.rollback()
    headers = {**album.headers["max"], "Idempotency-Key": uuid.uuid4().hex}
    return album.http.post(f"/v1/rentals/{album.scene.rental_id}/unlock", headers=headers)


def test_where_photos_are_asked_for_the_car_opens_with_them_alone_and_each_missing_one_is_named(
    album: Album,
) -> None:
    scene = album.scene
    communities.change(scene.olga.id, scene.community.id, {"rules": {"photos": "both"}}, lambda _: None)
    for angle, words in (
        ("left", "the front, the back, the left side, the right side"),
        ("front", "the front, the back, the right side"),
        ("dashboard", "the back, the right side"),
        ("back", "the back, the right side"),
        ("right", "the right side"),
    ):
        refused = unlock(album)
        assert (slug(refused), [one["code"] for one in refused.json["conditions"]]) == (
            "not-ready",
            ["photos"],
        )
        assert refused.json["detail"].endswith(f"still missing: {words}.")
        assert refused.json["conditions"] == [photos_condition(album, "unlock")]
        album.added(angle=angle)
    assert unlock(album).status_code == 202


def test_at_the_lock_they_are_asked_for_and_keep_nobody_from_ending(album: Album) -> None:
    scene = album.scene
    communities.change(scene.olga.id, scene.community.id, {"rules": {"photos": "end"}}, lambda _: None)
    start(scene)
    asked = photos_condition(album, "lock")
    assert (asked["met"], asked["blocking"], "the front" in asked["remedy"]) == (False, False, True)
    for angle in photo_rules.ROUND:
        album.added(step="lock", angle=angle)
    assert photos_condition(album, "lock")["met"] is True


def test_at_the_lock_those_count_that_came_since_the_car_was_last_opened(album: Album) -> None:
    scene = album.scene
    communities.change(scene.olga.id, scene.community.id, {"rules": {"photos": "end"}}, lambda _: None)
    start(scene)
    for angle in photo_rules.ROUND:
        album.added(step="lock", angle=angle)
    resumed = scene.unlock().id
    doing(lambda: settle.settle(session.get_one(Command, resumed), "confirmed"))
    assert photos_condition(album, "lock")["met"] is False
    for n, angle in enumerate(photo_rules.ROUND):
        album.added(step="lock", angle=angle, sent=picture(size=(80, 40 + n)))
    assert photos_condition(album, "lock")["met"] is True


def test_without_the_rule_nobody_is_asked(album: Album) -> None:
    assert photos_condition(album, "unlock") == {
        "code": "photos",
        "met": True,
        "blocking": True,
        "observed_at": None,
        "remedy": None,
    }

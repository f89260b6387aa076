import inspect
from typing import Any

from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from app import facts
from app.kit.db import session
from app.messages import inbox, timeline
from app.messages.timeline import HIDDEN, SHOWN
from app.rentals import outcome
from carbox.box import Answer, AnswerKind, Evidence
from tests.messages import stage
from tests.messages.stage import START
from tests.messages.test_inbox import signed
from tests.rentals import scene

EXPLAIN = text("explain select * from facts where data ->> 'rental' = :rental order by seq desc limit 51")


def story(rental: str, owner: str) -> None:
    command = {"command": "cmd_" + "0" * 32}
    stage.happen(facts.RentalAsked(rental=rental))
    stage.happen(facts.RentalBooked(rental=rental, approved_by=owner))
    stage.record(facts.UnlockAsked(rental=rental, **command))
    stage.happen(facts.RentalStarted(rental=rental, at=START, **command))
    stage.record(facts.CoverActivated(cover="cov_" + "0" * 32, rental=rental, version=1))
    stage.happen(facts.RentalEnded(rental=rental, at=START, total=1250, currency="EUR", by="owner"))


def test_both_sides_see_the_same_story_newest_first(app: Flask) -> None:
    cast = stage.cast()
    story(cast.rental, cast.olga.id)
    of_owner = timeline.of(cast.olga.id, cast.rental, limit=50, cursor=None).items
    of_driver = timeline.of(cast.max.id, cast.rental, limit=50, cursor=None).items
    assert of_owner == of_driver
    assert [(one["kind"], one["by"], one["text"]) for one in reversed(of_owner)] == [
        ("rental_asked", "driver", "Max asked for the car."),
        ("rental_booked", "owner", "The rental is booked."),
        ("unlock_asked", "driver", "Max asked the car to open."),
        ("rental_started", "box", "The car opened; Max has it and is insured."),
        ("rental_ended", "owner", "The rental was closed by hand."),
    ]


def test_it_says_when_the_news_went_out_and_was_opened(app: Flask) -> None:
    cast = stage.cast()
    stage.phone(cast.olga)
    stage.happen(facts.RentalAsked(rental=cast.rental))
    [event] = timeline.of(cast.max.id, cast.rental, limit=50, cursor=None).items
    assert (event["told_at"], event["opened_at"]) == (None, None)
    stage.work()
    [message] = stage.messages(cast.olga)
    inbox.read(cast.olga.id, message.id)
    [event] = timeline.of(cast.max.id, cast.rental, limit=50, cursor=None).items
    assert event["told_at"] is not None
    assert event["opened_at"] >= event["told_at"]


def test_each_side_sees_who_was_told_by_which_way_and_when_it_came(app: Flask) -> None:
    cast = stage.cast()
    stage.phone(cast.olga)
    stage.happen(facts.RentalLate(rental=cast.rental))
    stage.work()
    [late] = [one for one in stage.messages(cast.olga) if one.kind == "rental_late.owner"]
    inbox.received(cast.olga.id, late.id)
    [event] = timeline.of(cast.max.id, cast.rental, limit=50, cursor=None).items
    by = {one["to"]: one for one in event["told"]}
    assert {to: one["first_name"] for to, one in by.items()} == {"driver": "Max", "owner": "Olga"}
    assert [(way.channel, way.state) for way in by["owner"]["deliveries"]] == [("push", "sent")]
    assert [(way.channel, way.state) for way in by["driver"]["deliveries"]] == [("mail", "sent")]
    assert by["owner"]["received_at"] >= by["owner"]["told_at"]
    assert (by["owner"]["opened_at"], by["driver"]["received_at"]) == (None, None)


def test_the_owner_alone_sees_that_the_next_driver_was_told_of_a_lateness(app: Flask) -> None:
    cast = stage.cast()
    stage.happen(facts.RentalLate(rental=cast.rental))
    stage.work()
    seen = {}
    for who in (cast.olga, cast.max):
        answer = app.test_client().get(f"/v1/rentals/{cast.rental}/timeline", headers=signed(who))
        assert answer.json is not None
        [seen[who.id]] = answer.json["items"]
    of_owner, of_driver = seen[cast.olga.id], seen[cast.max.id]
    (following,) = [one for one in of_owner["told"] if one["to"] == "next_driver"]
    assert (following["first_name"], following["told_at"] is not None) == ("Nina", True)
    assert of_driver == of_owner | {"told": [one for one in of_owner["told"] if one != following]}


def test_who_is_named_beside_the_driver_is_told_as_such(app: Flask) -> None:
    cast = stage.cast()
    stage.happen(facts.DriverNamed(rental=cast.rental, person=cast.nina.id, by=cast.max.id))
    [event] = timeline.of(cast.olga.id, cast.rental, limit=50, cursor=None).items
    assert {one["to"]: one["first_name"] for one in event["told"]} == {"named": "Nina", "owner": "Olga"}


def test_a_door_command_says_who_asked_on_what_and_what_the_box_made_of_it(app: Flask) -> None:
    made = scene.make()
    command = made.unlock()
    said = Answer(
        AnswerKind.CONFIRMED,
        Evidence.WEAK,
        effect=True,
        sent="unlock ****",
        text="Vehicle unlocked",
        answered_at=START,
    )
    outcome.apply(command.id, said)
    of_owner = timeline.of(made.olga.id, made.rental_id, limit=50, cursor=None).items
    assert of_owner == timeline.of(made.max.id, made.rental_id, limit=50, cursor=None).items
    by_kind = {one["kind"]: one["command"] for one in of_owner}
    assert by_kind["rental_booked"] is None
    assert by_kind["unlock_asked"] == by_kind["rental_started"]
    shown = by_kind["unlock_asked"]
    assert shown.pop("answered_at") is not None
    assert shown == {
        "id": command.id,
        "kind": "unlock",
        "state": "confirmed",
        "asked_by": "Max",
        "asked_on": "an Android phone",
        "sent_text": "unlock ****",
        "answer_text": "Vehicle unlocked",
        "evidence": "weak",
        "sent_at": None,
    }


def page(answer: TestResponse) -> dict[str, Any]:
    assert answer.json is not None
    return dict(answer.json)


def test_over_http_it_has_pages_a_language_and_no_stranger(app: Flask) -> None:
    cast = stage.cast()
    story(cast.rental, cast.olga.id)
    client, path = app.test_client(), f"/v1/rentals/{cast.rental}/timeline"
    headers = signed(cast.max, **{"Accept-Language": "fr"})
    first = page(client.get(f"{path}?limit=3", headers=headers))
    second = page(client.get(f"{path}?limit=3&cursor={first['next_cursor']}", headers=headers))
    texts = [one["text"] for one in (*first["items"], *second["items"])]
    assert (len(texts), texts[-1]) == (5, "Max a demandé la voiture.")
    assert second["next_cursor"] is None
    assert client.get(path, headers=signed(cast.charlie)).status_code == 404
    assert client.get(path, headers=signed(cast.nina)).status_code == 404


def test_every_fact_of_a_rental_is_shown_or_hidden_for_a_reason() -> None:
    of_rentals = {kind for kind, fact in facts.kinds().items() if "rental" in inspect.get_annotations(fact)}
    assert of_rentals == set(SHOWN) | set(HIDDEN)
    assert not set(SHOWN) & set(HIDDEN)


def test_the_timeline_is_read_by_its_index(app: Flask) -> None:
    cast = stage.cast()
    session.execute(text("set local enable_seqscan = off"))
    plan = session.execute(EXPLAIN, {"rental": cast.rental}).scalars().all()
    session.rollback()
    assert any("facts_rental_idx" in line for line in plan), plan

"""News of a car and of a start at risk: the right person, once, in their own language."""

from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import facts
from app.cars import readings
from app.kit import clock
from app.kit import facts as kit_facts
from app.kit.db import session, transactional
from app.kit.facts import Fact, FactRow
from app.messages import timeline, words
from app.messages.tell import snake
from app.people.models import Person
from app.rentals import start_check
from carbox.box import BoxState, Reading
from tests.messages import stage
from tests.messages.stage import START, Cast
from tests.rentals.scene import make
from tests.rentals.test_start_check import no_licence


@dataclass(frozen=True)
class Row:
    """A fact about a car, and what is told of it."""

    fact: type[Any]
    kind: str
    values: dict[str, Any]


ALERTS = [
    Row(facts.ChargeShort, "charge_short", {"at": START, "percent": 31}),
    Row(facts.TwelveVoltLow, "battery_12v_low", {"millivolts": 11700, "fell_with": None}),
    Row(facts.TwelveVoltFalling, "battery_12v_falling", {"millivolts_per_day": -200, "fell_with": None}),
    Row(facts.TyreSoft, "tyre_soft", {"wheels": "2"}),
    Row(facts.AlarmSounded, "alarm_sounded", {}),
    Row(facts.CarCarried, "car_carried", {}),
    Row(facts.DoorLeftOpen, "door_left_open", {"doors": "trunk"}),
]


def happens(cast: Cast, fact: Fact) -> dict[str, list[str]]:
    """What each is told, though the job runs three times."""
    seq = stage.happen(fact)
    stage.forget_reactions(seq)
    kit_facts.react(seq)
    kit_facts.react(seq)
    return {one.name.split()[0]: stage.told(one, seq) for one in cast.everyone()}


def told(**kinds: str) -> dict[str, list[str]]:
    return {name: [kinds[name]] if name in kinds else [] for name in ("Olga", "Max", "Nina", "Charlie")}


@pytest.mark.parametrize("row", ALERTS, ids=lambda row: row.kind)
def test_an_alert_is_told_to_whoever_holds_the_car(app: Flask, row: Row) -> None:
    cast = stage.cast()
    lent = row.fact(car=cast.car.id, rental=cast.rental, **row.values)
    assert happens(cast, lent) == told(Max=row.kind)
    assert happens(cast, row.fact(car=cast.car.id, rental=None, **row.values)) == told(Olga=row.kind)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        ("charge_low", "charge_low"),
        ("charge_short", "charge_short"),
        ("battery_12v_low", "battery_12v_low"),
        ("battery_12v_falling", "battery_12v_falling"),
        ("tyre", "tyre_soft"),
        ("door_open", "door_left_open"),
        ("alarm", "alarm_sounded"),
        ("carried", "car_carried"),
    ],
)
def test_a_cause_that_still_stands_is_told_to_the_owner(app: Flask, cause: str, kind: str) -> None:
    cast = stage.cast()
    fact = facts.AlertStands(car=cast.car.id, rental=cast.rental, cause=cause, percent=12, at=START)
    assert happens(cast, fact) == told(Olga=kind)


def test_a_car_without_its_cable_is_told_to_its_owner(app: Flask) -> None:
    cast = stage.cast()
    assert happens(cast, facts.NotPluggedIn(car=cast.car.id, percent=35)) == told(Olga="not_plugged_in")


@pytest.mark.parametrize(
    ("ahead", "kind"), [(None, "booked_at_risk"), (60, "start_at_risk"), (10, "start_at_risk")]
)
def test_a_start_at_risk_is_told_to_driver_and_owner(app: Flask, ahead: int | None, kind: str) -> None:
    cast = stage.cast()
    fact = facts.StartAtRisk(rental=cast.rental, codes="box,charge", ahead_min=ahead)
    assert happens(cast, fact) == told(Max=f"{kind}.driver", Olga=f"{kind}.owner")


@pytest.mark.parametrize(
    ("language", "to_driver", "to_owner"),
    [
        ("en", "Stand next to it and try again", "The box is silent."),
        ("fr", "Approche-toi", "Le boîtier est muet."),
        ("de", "Stell dich", "Die Box ist still."),
    ],
)
def test_the_driver_reads_what_to_do_and_the_owner_what_it_is(
    app: Flask, language: str, to_driver: str, to_owner: str
) -> None:
    cast = stage.cast()
    stage.happen(facts.StartAtRisk(rental=cast.rental, codes="box", ahead_min=60))
    [driver], [owner] = stage.messages(cast.max), stage.messages(cast.olga)
    assert to_owner in words.of(owner.kind, owner.params, language).body
    assert to_owner not in words.of(driver.kind, driver.params, language).body
    assert to_driver in words.of(driver.kind, driver.params, language).body


@pytest.mark.parametrize("language", ["en", "fr", "de"])
@pytest.mark.parametrize("kind", ["start_at_risk.driver", "start_at_risk.owner"])
def test_everything_in_the_way_reads_in_every_language(app: Flask, kind: str, language: str) -> None:
    params = {
        "driver": "per_" + "0" * 32,
        "car": "car_" + "0" * 32,
        "from": clock.z(START),
        "minutes": 60,
        "zone": "Europe/Paris",
    }
    known = {name: params[name] for name in _names(kind)}
    bodies = {
        words.of(kind, {**known, "reason": f"start:{code}"}, language).body for code in start_check.CODES
    }
    assert all(body.rstrip().endswith(".") and "{" not in body for body in bodies)
    assert len(bodies) >= len(start_check.CODES) - 2


def _names(kind: str) -> tuple[str, ...]:
    names = ("car", "from", "minutes", "zone")
    return ("driver", *names) if kind.endswith(".owner") else names


# -- from the box, and from the clock, to the phone ------------------------------------------------------------------


def react_to(field: str, ref: str, *kinds: type[Fact]) -> None:
    """Run the reactions of what was recorded, as a worker does."""
    rows = select(FactRow.seq).where(
        FactRow.kind.in_([one.kind for one in kinds]), FactRow.data[field].astext == ref
    )
    for seq in session.scalars(rows.order_by(FactRow.seq)).all():
        session.rollback()
        kit_facts.react(seq)


def reads(person: Person, language: str) -> str:
    """The newest message, as this person reads it."""
    newest = stage.messages(person)[-1]
    return words.of(newest.kind, newest.params, language).body


@pytest.mark.parametrize(
    ("language", "words_of_it"),
    [("en", "The battery is at"), ("fr", "La batterie est à"), ("de", "Der Akku ist bei")],
)
def test_a_reading_becomes_one_message_in_the_owners_language(
    app: Flask, language: str, words_of_it: str
) -> None:
    scene = make()
    speak(scene.olga, language)
    low = Reading("charge_percent", 12.0, clock.real_now(), retained=False)
    for _ in range(2):
        readings.take(scene.box.username, BoxState({"charge_percent": low}))
    react_to("car", scene.car_id, facts.ChargeLow)
    assert stage.told(scene.olga).count("charge_low") == 1
    assert stage.told(scene.max).count("charge_low") == 0
    assert words_of_it in reads(scene.olga, language)


def test_a_licence_that_is_missing_is_told_at_the_booking_to_both(app: Flask) -> None:
    scene = make()
    no_licence(scene)
    start_check.booked(facts.RentalBooked(scene.rental_id, None))
    react_to("rental", scene.rental_id, facts.StartAtRisk)
    assert stage.told(scene.max)[-1] == "booked_at_risk.driver"
    assert stage.told(scene.olga)[-1] == "booked_at_risk.owner"
    assert "The licence is not cleared." in reads(scene.olga, "en")


@transactional
def speak(person: Person, language: str) -> None:
    session.get_one(Person, person.id).language = language


def test_a_risk_is_on_the_timeline_and_what_concerns_another_rental_is_not(app: Flask) -> None:
    cast = stage.cast()
    stage.happen(facts.StartAtRisk(rental=cast.rental, codes="box", ahead_min=60))
    stage.happen(facts.ChargeShort(car=cast.car.id, rental=cast.rental, at=START, percent=31))
    [event] = timeline.of(cast.max.id, cast.rental, limit=50, cursor=None).items
    assert (event["kind"], event["by"]) == (snake("StartAtRisk"), "system")

"""Each condition turned false alone is the one that is unmet, and no other."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import delete, update

from app.billing import hold
from app.billing.models import Card, Customer, Payment
from app.billing.payout_models import FraudWarning
from app.cars import custody, reachability
from app.cars.models import Box
from app.communities import make as communities
from app.communities.models import Membership
from app.coverage.trip import Trip
from app.kit import clock, i18n
from app.kit.clock import z
from app.kit.db import new_id, session
from app.kit.errors import NotReady
from app.people import licence
from app.people.models import Acceptance, Clearance, Phone
from app.rentals import commands, readiness
from app.rentals.readiness import Asked, Condition
from payments.money import Money
from tests.coverage.factories import bind, doing
from tests.rentals.scene import Scene, other_rental

UNLOCK = (
    "state",
    "time",
    "car_back",
    "other_rental",
    "membership",
    "licence",
    "accepted",
    "phone",
    "payment",
    "cover",
    "command",
    "box",
    "capability",
    "charge",
    "photos",
    "safe",
    "clock",
    "doors",
    "battery_12v",
)
LOCK = ("state", "command", "box", "doors", "ignition", "keys", "place", "plugged", "photos", "reachable")


def set_time(scene: Scene) -> None:
    scene.rental.from_at = clock.now() + timedelta(hours=1)
    scene.rental.to_at = clock.now() + timedelta(hours=2)
    session.commit()


def let_another_hold_it(scene: Scene) -> None:
    other = other_rental(scene)
    doing(
        custody.take,
        scene.car,
        holder="driver",
        person=scene.olga.id,
        rental=other.id,
        at=custody_instant(scene),
    )


def custody_instant(scene: Scene) -> Any:
    return doing(custody.next_instant, scene.car)


def drive_another(scene: Scene) -> None:
    other_rental(scene).state = "active"
    session.commit()


def block_membership(scene: Scene) -> None:
    session.execute(update(Membership).where(Membership.person_id == scene.max.id).values(blocked=True))
    session.commit()


def accept_nothing(scene: Scene) -> None:
    session.execute(
        delete(Acceptance).where(
            Acceptance.person_id == scene.max.id, Acceptance.version.startswith("rental")
        )
    )
    session.commit()


def leave_phone_unconfirmed(scene: Scene) -> None:
    session.execute(update(Phone).where(Phone.id == scene.phone.id).values(confirmed_at=None))
    session.commit()


def leave_unpaid(scene: Scene) -> None:
    doing(_unpaid, scene)


def _unpaid(scene: Scene) -> None:
    _plan(scene, rent=1800)


def _plan(scene: Scene, *, rent: int, deposited: int = 0) -> None:
    """Not held before two days have gone by."""
    hold.plan(
        rental=scene.rental_id,
        driver=scene.max.id,
        payee=scene.olga.id,
        community=scene.community.id,
        amount=Money(rent, "EUR"),
        deposited=Money(deposited, "EUR"),
        starts_at=clock.now() + timedelta(days=3),
        card=_card(scene),
        on_session=False,
    )


def _card(scene: Scene) -> str:
    session.add(Customer(person_id=scene.max.id, key=f"customer:{scene.max.id}", made_at=clock.now()))
    session.flush()
    card = Card(id=new_id("crd"), person_id=scene.max.id, state="saved", made_at=clock.now())
    session.add(card)
    session.flush()
    return card.id


def make_uninsurable(scene: Scene) -> None:
    scene.car.inspection_until = date(2020, 1, 1)
    session.commit()


def open_a_command(scene: Scene) -> None:
    doing(commands.create, scene.car, scene.box.id, "ping", "driver", scene.caller(), scene.rental)


def silence_box(scene: Scene) -> None:
    session.execute(
        update(Box)
        .where(Box.car_id == scene.car_id)
        .values(last_heard_at=clock.now() - timedelta(minutes=26))
    )
    session.commit()


def want_charge(scene: Scene) -> None:
    scene.car.charge_rule = {"min_start": 90}
    session.commit()


def make_unsafe(scene: Scene) -> None:
    scene.car.unsafe = True
    session.commit()


def leave_a_door_open(scene: Scene) -> None:
    scene.reads(door_rr=True)


def drain_the_small_battery(scene: Scene) -> None:
    scene.box.watch = {
        "alerts": {"battery_12v_low": {"since": z(clock.now()), "rental": None, "owner": True}}
    }
    session.commit()


def warn(scene: Scene, kind: str) -> None:
    """The rent is held, and a bank says that an earlier payment of its driver is probably fraud."""
    leave_unpaid(scene)
    payment = session.execute(
        update(Payment).where(Payment.rental_id == scene.rental_id).values(state="held").returning(Payment.id)
    ).scalar_one()
    values = {"payment_id": payment, "person_id": scene.max.id, "made_at": clock.now()}
    session.add(FraudWarning(external_id=f"issfr_{payment}", kind=kind, **values))
    session.commit()


def ask_for_photos(scene: Scene, rule: str = "both") -> None:
    communities.change(scene.olga.id, scene.community.id, {"rules": {"photos": rule}}, lambda _: None)


UNLOCK_BROKEN: dict[str, Callable[[Scene], None]] = {
    "state": lambda scene: scene.set_state("ended"),
    "time": set_time,
    "car_back": let_another_hold_it,
    "other_rental": drive_another,
    "membership": block_membership,
    "accepted": accept_nothing,
    "phone": leave_phone_unconfirmed,
    "payment": leave_unpaid,
    "cover": make_uninsurable,
    "command": open_a_command,
    "box": silence_box,
    "charge": want_charge,
    "photos": ask_for_photos,
    "safe": make_unsafe,
    "doors": leave_a_door_open,
    "battery_12v": drain_the_small_battery,
}


def test_a_booked_rental_in_order_lacks_nothing(scene: Scene) -> None:
    assert scene.unmet("unlock") == []


@pytest.mark.parametrize("code", UNLOCK_BROKEN)
def test_one_thing_wrong_at_the_unlock_is_the_one_thing_named(scene: Scene, code: str) -> None:
    UNLOCK_BROKEN[code](scene)
    assert scene.unmet("unlock") == [code]


def test_a_warning_of_fraud_stops_what_costs_money_and_says_whom_to_ask(scene: Scene) -> None:
    warn(scene, "made_with_stolen_card")
    assert scene.unmet("unlock") == ["payment"]
    found = readiness.of(scene.car, scene.rental, "unlock", clock.now(), Asked(scene.max.id, None))
    (payment,) = [one for one in found if one.code == "payment"]
    assert payment.remedy == i18n.say("condition.unlock.payment.warned")
    session.execute(update(FraudWarning).values(cleared_at=clock.now(), cleared_by="op"))
    session.commit()
    assert scene.unmet("unlock") == []


def test_a_deposit_that_is_not_held_stops_the_unlock_and_is_named(scene: Scene) -> None:
    doing(_deposit_not_held, scene)
    assert scene.unmet("unlock") == ["payment"]
    found = readiness.of(scene.car, scene.rental, "unlock", clock.now(), Asked(scene.max.id, None))
    (payment,) = [one for one in found if one.code == "payment"]
    assert payment.remedy == i18n.say("condition.unlock.payment.deposit")
    session.execute(update(Payment).where(Payment.rental_id == scene.rental_id).values(state="held"))
    session.commit()
    assert scene.unmet("unlock") == []


def _deposit_not_held(scene: Scene) -> None:
    _plan(scene, rent=0, deposited=50_000)


def test_a_free_rental_is_opened_whatever_a_bank_says(scene: Scene) -> None:
    warn(scene, "misc")
    session.execute(
        update(Payment).where(Payment.rental_id == scene.rental_id).values(rental_id=new_id("ren"))
    )
    session.commit()
    assert scene.unmet("unlock") == []


def test_a_licence_not_cleared_is_named_and_keeps_the_insurer_away(scene: Scene) -> None:
    session.execute(delete(Clearance).where(Clearance.person_id == scene.max.id))
    session.commit()
    assert scene.unmet("unlock") == ["licence", "cover"]


def test_a_licence_that_ends_during_the_rental_is_named(scene: Scene) -> None:
    held = licence.of(scene.max.id)
    held.expires_on = (scene.rental.to_at - timedelta(days=1)).date()
    session.commit()
    assert "licence" in scene.unmet("unlock")


@pytest.mark.parametrize(
    ("config", "pin", "can"),
    [
        ({}, b"sealed", True),
        ({}, None, False),
        ({"how": "egpio_pulse", "unlock": {"port": 4}, "lock": {"port": 5}}, None, True),
        ({"how": "egpio_pulse", "unlock": {"port": 4}}, b"sealed", False),
    ],
)
def test_a_box_that_cannot_open_and_lock_as_it_is_set_up_is_said(
    scene: Scene, config: dict[str, Any], pin: bytes | None, *, can: bool
) -> None:
    session.execute(update(Box).where(Box.car_id == scene.car_id).values(config=config, pin_sealed=pin))
    session.commit()
    assert ("capability" not in scene.unmet("unlock")) is can


def test_capability_says_since_when_the_car_was_seen_to_open_and_to_lock(scene: Scene) -> None:
    def seen() -> Any:
        asked = Asked(scene.max.id, scene.phone.id)
        found = readiness.of(scene.car, scene.rental, "unlock", clock.now(), asked)
        return next(one for one in found if one.code == "capability").observed_at

    assert seen() is None
    earlier, later = clock.now() - timedelta(hours=2), clock.now() - timedelta(hours=1)
    proved = {"unlock": {"seen_at": z(earlier), "evidence": "strong"}}
    for capabilities, since in (
        (proved, None),
        ({**proved, "lock": {"seen_at": z(later), "evidence": "weak"}}, later),
    ):
        session.execute(update(Box).where(Box.car_id == scene.car_id).values(capabilities=capabilities))
        session.commit()
        session.expire_all()
        assert seen() == since


def test_without_a_box_there_is_neither_box_nor_capability(scene: Scene) -> None:
    scene.box.removed_at = clock.now()
    session.commit()
    assert {"box", "capability"} <= set(scene.unmet("unlock"))


def test_another_open_cover_means_the_car_is_not_back(scene: Scene) -> None:
    other = insured_trip(scene)
    bind(other)
    assert "car_back" in scene.unmet("unlock")


def insured_trip(scene: Scene) -> Any:
    now = clock.now()
    other = other_rental(scene)
    return Trip(other.id, scene.car, scene.max.id, scene.community.id, now, now + timedelta(hours=1))


# -- lock ------------------------------------------------------------------------------------------------------------


def ready_to_lock(scene: Scene) -> None:
    scene.set_state("active")


def open_door(scene: Scene) -> None:
    scene.reads(door_rr=True)


def start_engine(scene: Scene) -> None:
    scene.reads(drivable=True)


def take_keys(scene: Scene) -> None:
    scene.reads(keys_in_glove_box=False)


def stand_far_away(scene: Scene) -> None:
    scene.car.return_rule = {"kind": "zone", "radius_m": 500}
    session.commit()
    scene.reads(latitude=48.9, longitude=2.3522)


def want_the_plug(scene: Scene) -> None:
    scene.car.charge_rule = {"plug_below": 90}
    session.commit()


def park_out_of_reach(scene: Scene) -> None:
    here = reachability.cell(scene.car.no, 48.8566, 2.3522)
    doing(reachability.count, scene.car.no, here, reachability.Hours(1, 9))


LOCK_BROKEN: dict[str, Callable[[Scene], None]] = {
    "state": lambda scene: scene.set_state("ended"),
    "command": open_a_command,
    "box": silence_box,
    "doors": open_door,
    "ignition": start_engine,
    "keys": take_keys,
    "place": stand_far_away,
    "plugged": want_the_plug,
    "photos": ask_for_photos,
    "reachable": park_out_of_reach,
}


def test_a_rental_on_its_way_back_lacks_nothing(scene: Scene) -> None:
    ready_to_lock(scene)
    assert scene.unmet("lock") == []


@pytest.mark.parametrize("code", LOCK_BROKEN)
def test_one_thing_wrong_at_the_lock_is_the_one_thing_named(scene: Scene, code: str) -> None:
    ready_to_lock(scene)
    LOCK_BROKEN[code](scene)
    assert scene.unmet("lock") == [code]


@pytest.mark.parametrize("code", ["doors", "ignition", "place"])
def test_a_reading_older_than_a_minute_blocks_no_lock(scene: Scene, code: str) -> None:
    ready_to_lock(scene)
    LOCK_BROKEN[code](scene)
    clock.forward(timedelta(seconds=61))
    assert code not in scene.unmet("lock")


def test_a_silent_sensor_leaves_the_keys_to_the_drivers_word(scene: Scene) -> None:
    ready_to_lock(scene)
    clock.forward(timedelta(seconds=61))
    assert "keys" not in scene.unmet("lock", keys_in_glove_box=True)
    assert "keys" in scene.unmet("lock", keys_in_glove_box=False)


def test_the_box_never_blocks_a_lock(scene: Scene) -> None:
    ready_to_lock(scene)
    silence_box(scene)
    asked = readiness.Asked(scene.max.id, scene.phone.id, keys_in_glove_box=True)
    readiness.require(readiness.of(scene.car, scene.rental, "lock", clock.now(), asked))


@pytest.mark.parametrize(
    ("rule", "asked_at"),
    [("none", []), ("start", ["unlock"]), ("end", ["lock"]), ("both", ["unlock", "lock"])],
)
def test_the_rule_of_the_community_says_when_photos_are_asked_for(
    scene: Scene, rule: str, asked_at: list[str]
) -> None:
    ask_for_photos(scene, rule)
    at_unlock = "photos" in scene.unmet("unlock")
    ready_to_lock(scene)
    at_lock = "photos" in scene.unmet("lock")
    assert (at_unlock, at_lock) == ("unlock" in asked_at, "lock" in asked_at)


# -- both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "codes"), [("unlock", UNLOCK), ("lock", LOCK)])
def test_every_condition_is_listed_in_the_order_of_the_contract(
    scene: Scene, step: str, codes: tuple[str, ...]
) -> None:
    asked = readiness.Asked(scene.max.id, scene.phone.id, keys_in_glove_box=True)
    found = readiness.of(scene.car, scene.rental, step, clock.now(), asked)
    assert tuple(one.code for one in found) == codes
    assert set(codes) - {"capability", "licence", "clock"} == set(
        UNLOCK_BROKEN if step == "unlock" else LOCK_BROKEN
    )


@pytest.mark.parametrize(
    ("step", "broken"),
    [
        ("unlock", leave_a_door_open),
        ("unlock", drain_the_small_battery),
        ("lock", park_out_of_reach),
        ("lock", ask_for_photos),
    ],
)
def test_what_is_only_said_refuses_nothing(scene: Scene, step: str, broken: Callable[[Scene], None]) -> None:
    if step == "lock":
        ready_to_lock(scene)
    broken(scene)
    asked = readiness.Asked(scene.max.id, scene.phone.id, keys_in_glove_box=True)
    readiness.require(readiness.of(scene.car, scene.rental, step, clock.now(), asked))


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "it is due on "), ("fr", "elle est attendue "), ("de", "erwartet wird es am ")],
)
def test_a_car_that_is_out_says_when_it_is_due(app: Flask, scene: Scene, language: str, words: str) -> None:
    other = other_rental(scene)
    other.car_id, other.car_no, other.state = scene.car_id, scene.car.no, "active"
    other.driver_id = scene.olga.id
    session.commit()
    let_another_hold_it(scene)
    asked = readiness.Asked(scene.max.id, scene.phone.id)
    with app.test_request_context(headers={"Accept-Language": language}):
        found = readiness.of(scene.car, scene.rental, "unlock", clock.now(), asked)
    [back] = [one for one in found if one.code == "car_back"]
    due = other.to_at.astimezone(ZoneInfo(scene.car.time_zone))
    assert words in (back.remedy or "")
    assert f"{due:%H:%M}" in (back.remedy or "")


def test_only_unmet_blocking_conditions_refuse() -> None:
    with pytest.raises(NotReady) as refused:
        readiness.require(
            [
                Condition("time", met=True),
                Condition("box", met=False, blocking=False),
                Condition("keys", met=False, remedy="Put them back."),
            ]
        )
    assert [one["code"] for one in refused.value.members["conditions"]] == ["keys"]
    assert refused.value.detail == "Put them back."

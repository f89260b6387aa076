"""What operators do at the command line, and whom it is told to."""

import json
import threading
import time
from typing import Any

from flask import Flask
from sqlalchemy import text

from app.cars.models import Car
from app.coverage import blocks, master_policies
from app.kit import clock, rights
from app.kit.db import session
from app.operator import act
from app.people.models import Person
from app.rentals.claim import Claim, claim
from app.rentals.models import Command
from app.sealer import seal
from tests import factories
from tests.coverage.factories import doing
from tests.operator.operators_desk import Desk
from tests.rentals.scene import make

WHY = ("--reason", "a test asks for it")


def run(app: Flask, *arguments: str) -> Any:
    done = app.test_cli_runner().invoke(args=["operator", *arguments])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_who_is_no_longer_an_operator_signs_in_like_everybody(app: Flask, op: Desk) -> None:
    run(app, "person", "remove-operator", op.person.email, *WHY)
    assert op.call("GET", "/jobs").status_code == 401
    assert op.sign_in(None).status_code == 201
    assert op.call("GET", "/jobs").status_code == 403
    assert session.get_one(Person, op.person.id).totp_sealed is None
    again = app.test_cli_runner().invoke(
        args=["operator", "person", "remove-operator", op.person.email, *WHY]
    )
    assert again.exit_code == 1
    assert "No operator has this address" in again.output


def test_facts_of_another_cluster_are_sealed_after_a_restamp(app: Flask) -> None:
    factories.person()
    session.execute(text("update facts set xid = '9000000000000000000' where position is null"))
    session.commit()
    while seal():
        pass
    left = "select count(*) from facts where position is null"
    assert session.execute(text(left)).scalar_one() > 0
    session.rollback()
    assert run(app, "fact", "restamp", *WHY)["facts"] > 0
    while seal():
        pass
    assert session.execute(text(left)).scalar_one() == 0


def told(kind: str, **field: str) -> int:
    (name, value), *_ = field.items()
    found: int = session.execute(
        text("select count(*) from facts where kind = :kind and data ->> :name = :value"),
        {"kind": kind, "name": name, "value": value},
    ).scalar_one()
    session.rollback()
    return found


def test_barring_a_car_is_told_once_and_lifting_it_too(app: Flask) -> None:
    car = factories.car(factories.person()).id
    for _ in range(2):
        run(app, "car", "safe", car, "--unsafe", *WHY)
    assert (told("CarBarred", car=car), told("CarUnbarred", car=car)) == (1, 0)
    for _ in range(2):
        run(app, "car", "safe", car, *WHY)
    assert (told("CarBarred", car=car), told("CarUnbarred", car=car)) == (1, 1)


def test_a_car_is_barred_once_an_unlock_under_way_has_reached_its_box(house: Flask, app: Flask) -> None:
    """Whoever is about to publish holds the driver's right: barring waits for it, and a later claim sees it."""
    scene = make()
    command = scene.unlock().id
    done: list[float] = []

    def bar() -> None:
        with house.app_context():
            act.set_safe(scene.car_id, safe=False, by="test", reason="brakes")
            done.append(time.monotonic())

    barring = threading.Thread(target=bar)
    with rights.used(scene.max.id) as use:
        assert claim(command, "boxlink-test") is Claim.MINE
        barring.start()
        barring.join(0.3)
        assert done == []
        published = time.monotonic()
        use.done()
    barring.join(10)
    house.extensions.pop("glovebox-rights").dispose()
    assert done[0] > published


def test_an_unlock_of_a_barred_car_is_never_published(app: Flask) -> None:
    scene = make()
    command = scene.unlock().id
    act.set_safe(scene.car_id, safe=False, by="test", reason="brakes")
    assert claim(command, "boxlink-test") is Claim.NO_LONGER
    session.expire_all()
    assert session.get_one(Command, command).state == "created"
    assert session.get_one(Car, scene.car_id).unsafe


def test_a_driver_whom_an_insurer_refused_is_let_in_again(app: Flask) -> None:
    scene = make()
    policy = master_policies.in_force(scene.car.country, clock.now())
    assert policy is not None
    doing(blocks.block, policy.insurer_id, scene.max.id, "cov_" + "0" * 32, "sanctions")
    run(app, "insurer", "lift-block", policy.insurer_id, scene.max.id, *WHY)
    session.expire_all()
    assert not blocks.of(scene.max.id)

"""A new password for the box: both accounts work until the box is heard on the new one, or the old is cut."""

import dataclasses
from datetime import UTC, datetime

import pytest
from flask import Flask

from app.cars import box as boxes
from app.cars import readings, rotate
from app.cars.models import Box
from app.cars.wait_for_broker import wait_loaded
from app.kit.db import session
from app.kit.errors import InUse, Unavailable
from carbox.box import BoxState, Reading
from tests import factories
from tests.cars.street import BOX, broker
from tests.communities.circle import Voice
from tests.rentals.scene import make

AT = datetime(2026, 8, 1, tzinfo=UTC)


def paired(house: Flask, olga: Voice) -> tuple[str, str]:
    """The car and the username of its box, which has been heard."""
    car = factories.car(olga.person).id
    with broker(house):
        username: str = olga("PUT", f"/cars/{car}/box", BOX, want=200)["credentials"]["username"]
    said(username)
    return car, username


def rotated(house: Flask, olga: Voice, car: str, old: str = "keep", **headers: str) -> dict[str, object]:
    with broker(house):
        answer: dict[str, object] = olga("POST", f"/cars/{car}/box/rotate?old={old}", want=200, **headers)
    return answer


def said(username: str, *, retained: bool = False, up: bool = True) -> None:
    """The box, or the broker for it, says something under this name."""
    state = BoxState({"connected": Reading("connected", up, AT, retained)})
    readings.take(username, state)


def names() -> set[str]:
    session.rollback()
    return set(boxes.accounts())


def test_old_and_new_account_work_side_by_side(house: Flask, olga: Voice) -> None:
    car, old = paired(house, olga)
    answer = rotated(house, olga, car)
    new = answer["credentials"]["username"]  # type: ignore[index]
    assert new == f"{old}-2"
    assert {old, new} <= names()
    assert (answer["next_username"], answer["state"]) == (new, "heard")
    assert "two accounts" in str(answer["warning"])
    shown = olga("GET", f"/cars/{car}/box", want=200)
    assert (shown["next_username"], "warning" in shown) == (new, False)
    assert f"config set server.v3 topic.prefix ovms/{new}/" in str(answer["credentials"])


def test_the_old_account_is_cut_when_the_box_is_heard_on_the_new_one(house: Flask, olga: Voice) -> None:
    car, old = paired(house, olga)
    rotated(house, olga, car)
    said(old)
    assert {old, f"{old}-2"} <= names()
    said(f"{old}-2")
    assert f"{old}-2" in names()
    assert old not in names()
    shown = olga("GET", f"/cars/{car}/box", want=200)
    assert (shown["next_username"], shown["state"]) == (None, "heard")
    assert boxes.find(car).username == f"{old}-2"


def test_what_the_broker_kept_or_says_for_the_box_proves_nothing(house: Flask, olga: Voice) -> None:
    car, old = paired(house, olga)
    rotated(house, olga, car)
    said(f"{old}-2", retained=True)
    said(f"{old}-2", up=False)
    assert old in names()


def test_the_owner_cuts_the_old_account_of_an_open_rotation(house: Flask, olga: Voice) -> None:
    car, old = paired(house, olga)
    rotated(house, olga, car)
    answer = rotated(house, olga, car, "cut")
    assert (answer["credentials"], answer["next_username"], answer["state"]) == (None, None, "provisioned")
    assert "out of reach" in str(answer["warning"])
    assert f"{old}-2" in names()
    assert old not in names()
    said(f"{old}-2")
    assert olga("GET", f"/cars/{car}/box", want=200)["state"] == "heard"


def test_the_owner_cuts_the_old_account_at_once(house: Flask, olga: Voice) -> None:
    car, old = paired(house, olga)
    answer = rotated(house, olga, car, "cut")
    assert answer["credentials"]["username"] == f"{old}-2"  # type: ignore[index]
    assert old not in names()


def test_lines_that_got_lost_are_made_anew_under_another_name(house: Flask, olga: Voice) -> None:
    car, old = paired(house, olga)
    rotated(house, olga, car)
    again = rotated(house, olga, car)
    assert again["credentials"]["username"] == f"{old}-3"  # type: ignore[index]
    assert {old, f"{old}-3"} <= names()
    assert f"{old}-2" not in names()


def test_a_broker_that_does_not_take_the_new_account_leaves_all_as_it_was(
    house: Flask, slow_broker: Flask, olga: Voice
) -> None:
    car, old = paired(house, olga)
    rotated(house, olga, car)
    before = {name: boxes.accounts()[name] for name in (old, f"{old}-2")}
    late = dataclasses.replace(olga, house=slow_broker)
    for how in ("keep", "cut"):
        assert late("POST", f"/cars/{car}/box/rotate?old={how}", want=503) == "unavailable"
        assert before.items() <= boxes.accounts().items()
        assert f"{old}-3" not in names()
    assert olga("GET", f"/cars/{car}/box", want=200)["state"] == "heard"
    assert boxes.find(car).connected


def test_an_account_that_another_has_overtaken_is_not_shown_and_takes_nothing_back(
    house: Flask, slow_broker: Flask, olga: Voice
) -> None:
    """Two owners at once: the lines of the first name an account that the broker knows no longer."""
    car, old = paired(house, olga)
    for second_is_loaded in (False, True):
        first, _, made = rotate.rotate(olga.id, car)
        _, _, later = rotate.rotate(olga.id, car)
        if second_is_loaded:
            boxes.mark_loaded(boxes.accounts())
        with slow_broker.test_request_context(), pytest.raises(Unavailable):
            wait_loaded(made, olga.id)
        session.expire_all()
        assert session.get_one(Box, first.id).next_username == later.username
    with slow_broker.test_request_context():
        wait_loaded(later, olga.id)
    assert {old, later.username} <= names()


def test_a_replaced_box_takes_both_its_accounts_with_it(house: Flask, olga: Voice) -> None:
    car, old = paired(house, olga)
    rotated(house, olga, car)
    with broker(house):
        olga("PUT", f"/cars/{car}/box", BOX, want=200, If_Match=olga.etag(f"/cars/{car}/box"))
    assert not {old, f"{old}-2"} & names()


@pytest.mark.usefixtures("app")
def test_a_rotation_is_refused_while_the_car_is_lent_and_finished_all_the_same() -> None:
    """The box may be heard on its new account at any time: then that is where it is."""
    scene = make()
    boxes.mark_loaded(boxes.accounts())

    row, _, _ = rotate.rotate(scene.olga.id, scene.car_id)
    new = row.next_username
    assert new is not None
    scene.unlock()
    for cut_old in (False, True):
        with pytest.raises(InUse):
            rotate.rotate(scene.olga.id, scene.car_id, cut_old=cut_old)
    said(new)
    session.expire_all()
    assert scene.box.username == new


def test_a_second_account_that_is_not_loaded_holds_up_nothing(house: Flask, olga: Voice) -> None:
    """Boxlink must be told: a box waits as long as the account made last is not known to the broker."""
    car, _ = paired(house, olga)
    with house.app_context():
        row, _, made = rotate.rotate(olga.id, car)
        assert made.before is not None
        boxes.mark_loaded({made.before.username: made.before.password_hash})
        session.expire_all()
        assert session.get_one(Box, row.id).loaded_at is None
        boxes.mark_loaded(boxes.accounts())
        session.expire_all()
        assert session.get_one(Box, row.id).loaded_at is not None

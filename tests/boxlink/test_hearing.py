"""Which boxes a boxlink hears, as boxes and boxlinks come and go."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from flask import Flask

from app.boxlink.hearing import Hearing
from app.boxlink.sharing import Member
from app.cars import hear, readings
from app.kit import clock
from app.kit.db import session
from carbox.box import Box, BoxAddress, BrokerDown, CarBox
from tests.cars.test_readings import paired, row, said
from tests.rentals.scene import Scene


@dataclass
class Door:
    """A door that notes what it is told to hear."""

    said: list[tuple[str, str]] = field(default_factory=list)
    heard: set[str] = field(default_factory=set)
    down: bool = False

    def watch(self, box: Box) -> None:
        self.heard.add(box.address.username)
        self.said.append(("watch", box.address.username))

    def forget(self, address: BoxAddress) -> None:
        self.heard.remove(address.username)

    def ask(self, box: Box, names: tuple[str, ...]) -> None:
        assert "door_fl" in names
        if self.down:
            raise BrokerDown
        self.said.append(("ask", box.address.username))


class Place:
    """Two boxlinks, their doors, and what they have in hand."""

    def __init__(self) -> None:
        self.members = (Member(""), Member(""))
        self.doors = (Door(), Door())
        self.in_hand: set[str] = set()
        self.hearings = [
            Hearing(cast("CarBox", door), member, lambda: self.in_hand)
            for door, member in zip(self.doors, self.members, strict=True)
        ]
        self.both = self.members[0].living | self.members[1].living

    def divided(self, *living: int) -> None:
        for hearing, member in zip(self.hearings, self.members, strict=True):
            member.living = frozenset(living) if living else self.both
            hearing.divide()

    def whose(self, username: str) -> int:
        return next(n for n, member in enumerate(self.members) if member.has(username))


@pytest.fixture
def two() -> Place:
    return Place()


def number(member: Member) -> int:
    return int(member.name.removeprefix("glovebox-"), 16)


def readable() -> set[str]:
    """The boxes in service, but for those that other tests have left with a PIN that nobody can read."""
    return {box.address.username for box in hear.wired(hear.names())}


def test_a_box_whose_pin_cannot_be_read_keeps_no_other_from_being_heard(app: Flask, two: Place) -> None:
    broken, sound = paired(), paired()
    row(broken).pin_sealed = b"sealed"
    session.commit()
    two.divided()
    assert sound in two.doors[two.whose(sound)].heard
    assert not any(broken in door.heard for door in two.doors)


def test_each_box_is_heard_by_one_of_them_and_a_new_one_too(app: Flask, two: Place) -> None:
    for _ in range(6):
        paired()
    two.divided()
    one, other = (door.heard for door in two.doors)
    assert one | other == readable()
    assert not one & other
    new = paired()
    two.divided()
    assert new in two.doors[two.whose(new)].heard


def test_a_box_that_is_taken_out_is_heard_no_longer(app: Flask, two: Place) -> None:
    username = paired()
    two.divided()
    assert username in two.doors[two.whose(username)].heard
    row(username).removed_at = clock.now()
    session.commit()
    two.divided()
    assert not any(username in door.heard for door in two.doors)


def test_the_survivor_hears_all_and_asks_cars_on_the_move_first(scene: Scene, two: Place) -> None:
    resting, lent, driven = paired(), scene.box.username, paired()
    readings.take(driven, said(drivable=True))
    readings.take(resting, said(drivable=False))
    scene.unlock()
    survivor = two.members[0]
    two.divided(number(survivor))
    door = two.doors[0]
    assert door.heard == readable()
    asked = [username for what, username in door.said if what == "ask"]
    assert {lent, driven} <= set(asked)
    assert resting not in asked
    last_asked = max(n for n, (what, _) in enumerate(door.said) if what == "ask")
    assert last_asked < door.said.index(("watch", resting))
    before = list(door.said)
    two.hearings[0].divide()
    assert door.said == before


def test_a_box_with_a_command_in_hand_is_heard_until_that_is_done(app: Flask, two: Place) -> None:
    moves = next(name for name in iter(paired, "") if moved(two, name))
    two.divided(number(two.members[0]))
    two.in_hand = {moves}
    two.divided()
    assert all(moves in door.heard for door in two.doors)
    assert [hearing.unfinished for hearing in two.hearings] == [True, False]
    two.in_hand = set()
    two.divided()
    assert [moves in door.heard for door in two.doors] == [False, True]
    assert not two.hearings[0].unfinished


def moved(two: Place, username: str) -> bool:
    """Whether it goes to the second once both live."""
    two.members[1].living = two.both
    return two.members[1].has(username)


def test_a_broker_that_is_away_keeps_no_box_from_being_heard(app: Flask, two: Place) -> None:
    username = paired()
    readings.take(username, said(drivable=True))
    two.doors[0].down = True
    two.divided(number(two.members[0]))
    assert username in two.doors[0].heard


def test_a_box_whose_password_changes_is_heard_under_both_accounts(app: Flask, two: Place) -> None:
    username = paired()
    box = row(username)
    box.next_username, box.next_password_hash = f"{username}-2", box.password_hash
    session.commit()
    two.divided()
    for name in (username, f"{username}-2"):
        assert name in two.doors[two.whose(name)].heard
        assert [one.wiring.pin for one in hear.wired([name])] == ["4711"]


def test_wiring_comes_with_the_name(app: Flask) -> None:
    username = paired()
    found: list[Any] = hear.wired([username, "box-nobody"])
    assert [one.address.username for one in found] == [username]
    assert found[0].wiring.pin == "4711"
    assert found[0].wiring.key_sensor is not None
    assert row(username).removed_at is None

"""Commands among several boxlinks: sent by the one whose box it is, and settled by whoever is to."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import Engine, update

from app.boxlink.commands import Commands
from app.boxlink.inbox import Listener
from app.boxlink.sharing import Member
from app.kit.db import session
from app.rentals.claim import Claim, claim
from app.rentals.models import Command
from carbox.box import Answer, AnswerKind, Box, CarBox, Evidence
from tests.rentals.scene import Scene

OPENED = Answer(AnswerKind.CONFIRMED, Evidence.STRONG, effect=True, dead=True)


class Door:
    """A box that opens when told."""

    up = True

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.asked: list[str] = []

    def ask(self, box: Box, names: tuple[str, ...]) -> None:
        assert "locked" in names
        self.asked.append(box.address.username)

    def alive(self, box: Box) -> bool:
        return box.address.username.startswith("box-")

    def send(self, box: Box, command: object, *, command_id: str, on_sent: Any, **_: Any) -> Answer:
        del box, command
        self.sent.append(command_id)
        on_sent()
        return OPENED


class Link:
    """The commands of one boxlink of two."""

    def __init__(self, app: Flask) -> None:
        self.door, self.listener, self.member, self.other = Door(), Listener(), Member(""), Member("")
        self.commands = Commands(
            app,
            app.extensions["glovebox"].settings,
            cast("CarBox", self.door),
            self.listener,
            self.member,
            threading.Event(),
        )


@pytest.fixture
def link(house: Flask) -> Iterator[Link]:
    made = Link(house)
    yield made
    made.commands.finish()
    rights: Engine | None = house.extensions.pop("glovebox-rights", None)
    if rights is not None:
        rights.dispose()


def state(command: str) -> str:
    session.rollback()
    session.expire_all()
    return session.get_one(Command, command).state


def test_a_command_to_the_box_of_another_is_left_to_it(scene: Scene, link: Link) -> None:
    command = scene.unlock().id
    link.member.living = link.other.living
    link.commands._take_mine(command)
    assert (state(command), link.door.sent, link.commands.in_hand()) == ("created", [], set())
    link.member.living = frozenset({int(link.member.name.removeprefix("glovebox-"), 16)})
    link.commands._take_mine(command)
    assert (state(command), link.door.sent, link.commands.in_hand()) == ("confirmed", [command], set())


def test_a_late_answer_waits_while_the_boxlink_that_asked_lives(scene: Scene, link: Link) -> None:
    command = scene.unlock().id
    assert claim(command, link.other.name) is Claim.MINE
    link.member.living = link.member.living | link.other.living
    link.commands._apply_late(scene.box.username, command, OPENED)
    assert state(command) == "sent"
    assert link.listener.late.get(timeout=1) == (scene.box.username, command, OPENED)


def test_a_late_answer_to_a_dead_boxlink_is_applied_at_once(scene: Scene, link: Link) -> None:
    command = scene.unlock().id
    assert claim(command, link.other.name) is Claim.MINE
    link.commands._apply_late(scene.box.username, command, OPENED)
    assert (state(command), link.door.asked) == ("reconciled", [scene.box.username])
    session.expire_all()
    assert scene.rental.state == "active"
    assert link.listener.late.empty()


def test_an_answer_under_the_account_of_another_box_proves_nothing(scene: Scene, link: Link) -> None:
    command = scene.unlock().id
    assert claim(command, link.other.name) is Claim.MINE
    link.commands._apply_late("box-of-another", command, OPENED)
    assert state(command) == "sent"
    assert scene.rental.state == "unlocking"
    assert link.listener.late.empty()


def test_a_command_whose_boxlink_died_is_given_up_by_who_hears_the_box_and_the_car_is_asked(
    scene: Scene, link: Link
) -> None:
    command = scene.unlock().id
    assert claim(command, link.other.name) is Claim.MINE
    session.execute(
        update(Command)
        .where(Command.id == command)
        .values(claimed_at=Command.claimed_at - timedelta(minutes=1))
    )
    session.commit()
    mine, link.member.living = link.member.living, link.other.living
    link.commands._give_up()
    assert (state(command), link.door.asked.count(scene.box.username)) == ("sent", 0)
    link.member.living = mine
    link.commands._give_up()  # and what other tests have left without an answer
    assert (state(command), link.door.asked.count(scene.box.username)) == ("unknown", 1)

"""Two boxlinks in one place: they share the boxes, and what one leaves behind when it is killed the other takes up."""

import time
from collections.abc import Callable, Iterator

import pytest

from app.boxlink.sharing import LIVES, owner
from app.demo_cast import until
from app.kit.clock import z
from tests.faults.stack import Stack, long_run
from tests.flows.friends import WAIT, Friends

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]
TAKEN_OVER_WITHIN_S = 30.0


def living(stack: Stack) -> set[int]:
    rows = stack.sql(
        "select distinct objid from pg_locks where locktype = 'advisory' and classid = %s and objsubid = 2",
        LIVES,
    )
    return {int(number) for (number,) in rows}


@pytest.fixture
def two(stack: Stack) -> Iterator[dict[str, int]]:
    """The name of each boxlink's process, and its number."""
    (first,) = until(lambda: living(stack), "the first boxlink", 60)
    stack.start_boxlink("boxlink2")
    until(lambda: len(living(stack)) == 2, "the second boxlink", 60)
    (second,) = living(stack) - {first}
    yield {"boxlink": first, "boxlink2": second}
    stack.parts.pop("boxlink2").stop()
    until(lambda: len(living(stack)) == 1, "one boxlink", 60)


def circle_of(stack: Stack, two: dict[str, int], name: str) -> Friends:
    """Friends whose box is heard by that boxlink."""
    while True:
        circle = Friends(stack)
        if owner(circle.street.username, two.values()) == two[name]:
            return circle


def says_nothing_unasked(circle: Friends) -> None:
    """As in its twenty minutes between two full reports: what is learnt now is learnt by asking."""
    circle.street.do("config", name="server.v3/updatetime.sendall", value="1000000")


def begun(circle: Friends) -> tuple[str, str]:
    """A rental whose unlock has been asked and not waited for; its command."""
    rental = circle.book()
    circle.ready(rental)
    return rental, str(circle.max.post(f"/rentals/{rental}/unlock", want=202)["id"])


def state(circle: Friends, rental: str, command: str, *states: str) -> Callable[[], str | None]:
    def look() -> str | None:
        found = str(circle.max.get(f"/rentals/{rental}/commands/{command}")["state"])
        return found if found in states else None

    return look


@long_run
def test_two_boxlinks_share_the_boxes_and_each_sends_to_its_own(stack: Stack, two: dict[str, int]) -> None:
    circles = {name: circle_of(stack, two, name) for name in two}
    for name, circle in circles.items():
        rental = circle.book()
        circle.unlock(rental)
        circle.wake()
        circle.lock(rental)
        sent_by = stack.sql(
            "select distinct claimed_by from commands c join boxes b on b.id = c.box_id where b.username = %s",
            circle.street.username,
        )
        assert sent_by == [(f"glovebox-{two[name]:08x}",)]
    stack.settles()
    stack.check(*circles.values())


@long_run
def test_one_is_killed_and_the_other_takes_up_its_boxes_and_its_command(
    stack: Stack, two: dict[str, int]
) -> None:
    driven, tapped, other = (circle_of(stack, two, name) for name in ("boxlink2", "boxlink2", "boxlink"))
    out = driven.book()
    driven.unlock(out)
    says_nothing_unasked(tapped)
    tapped.street.fault("slow", seconds=4, times=1)
    rental, command = begun(tapped)
    until(lambda: tapped.commands("unlock"), "the command at the box")
    stack.kill("boxlink2")
    killed, before = time.monotonic(), z(driven.now())
    # nothing happens at the car that is out, so that its doors are known anew only because somebody asked
    until(
        lambda: driven.olga.get(f"/cars/{driven.car}/state")["doors"]["at"] > before,
        "the doors of a car that is out",
        TAKEN_OVER_WITHIN_S,
    )
    driven.wake()
    assert time.monotonic() - killed < TAKEN_OVER_WITHIN_S
    tapped.becomes(rental, "active", 60)
    until(state(tapped, rental, command, "unknown", "dead", "reconciled"), "the command to be settled", 60)
    other.unlock(other.book())
    for circle in (driven, tapped, other):
        assert [one["executed"] for one in circle.commands("unlock")] == [1]
    tapped.max.post(f"/rentals/{rental}/lock", {"keys_in_glove_box": True}, headers=WAIT, want=200)
    stack.settles()
    stack.check(driven, tapped, other)


@long_run
def test_the_one_that_writes_the_accounts_is_killed_and_a_new_box_gets_in(
    stack: Stack, two: dict[str, int]
) -> None:
    stack.kill("boxlink")
    circle = Friends(stack)
    circle.unlock(circle.book())
    assert [one["executed"] for one in circle.commands("unlock")] == [1]
    stack.revive("boxlink")
    until(lambda: len(living(stack) - {two["boxlink"]}) == 2, "both again", 60)


@long_run
def test_a_command_that_nobody_answered_ends_unknown_and_is_not_sent_again(
    stack: Stack, two: dict[str, int]
) -> None:
    circle = circle_of(stack, two, "boxlink2")
    circle.street.fault("mute", times=1)
    rental, command = begun(circle)
    until(lambda: circle.commands("unlock"), "the command at the box")
    stack.kill("boxlink2")
    until(state(circle, rental, command, "unknown", "dead"), "the command to be given up", 60)
    shown = circle.rental(rental)
    assert (shown["state"], shown["unlock_unknown"]) == ("unlocking", True)
    circle.max.post(f"/rentals/{rental}/unlock", headers=WAIT, want=200)
    circle.becomes(rental, "active")
    assert [one["executed"] for one in circle.commands("unlock")] == [0, 1]
    circle.lock(rental)
    stack.settles()
    stack.check(circle)


@long_run
@pytest.mark.must_hold("boxlink killed between publish and answer: lock, and nothing is said unasked")
def test_a_lock_whose_boxlink_is_killed_ends_the_rental_by_what_the_car_is_asked(
    stack: Stack, two: dict[str, int]
) -> None:
    circle = circle_of(stack, two, "boxlink2")
    rental = circle.book()
    circle.unlock(rental)
    says_nothing_unasked(circle)
    circle.street.fault("answer_lost", times=1)
    path = f"/rentals/{rental}/lock"
    command = str(circle.max.post(path, {"keys_in_glove_box": True}, want=202)["id"])
    until(lambda: circle.commands("lock"), "the command at the box")
    stack.kill("boxlink2")
    until(state(circle, rental, command, "unknown", "dead", "reconciled"), "the command to be settled", 60)
    circle.becomes(rental, "ended", TAKEN_OVER_WITHIN_S)
    assert [one["executed"] for one in circle.commands("lock")] == [1]
    stack.settles()
    stack.check(circle)

"""What the service stands on goes away and comes back, or does not answer: all settles, and nobody blocks anybody."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from app.demo_cast import Actor, CarOnTheStreet, until
from tests.faults.stack import Stack, long_run
from tests.flows.friends import WAIT, Friends
from tests.races.at_once import shot

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]
SILENT = 24


def lends_again(circle: Friends) -> None:
    """A whole rental, from booking to lock."""
    rental = circle.book()
    circle.unlock(rental)
    circle.lock(rental)
    circle.becomes(rental, "ended")


def works(who: Actor) -> None:
    """The API may answer 5xx for a moment; then it is well again."""
    until(lambda: shot(who, "GET", "/me")().status == 200, "the API to be well")


@long_run
def test_the_database_cuts_every_connection_and_all_goes_on(stack: Stack) -> None:
    circle = Friends(stack)
    rental = circle.lent()
    assert stack.cut_database() > 3
    works(circle.max)
    stack.cut_database()
    works(circle.max)
    circle.lock(rental)
    lends_again(circle)
    stack.settles()
    stack.check(circle)


@pytest.mark.must_hold("database restarted while a command is out")
@long_run
def test_the_database_restarts_while_a_command_is_out_and_the_answer_is_kept(stack: Stack) -> None:
    circle = Friends(stack)
    rental = circle.book()
    circle.ready(rental)
    circle.street.fault("slow", seconds=1, times=1)
    number = circle.max.post(f"/rentals/{rental}/unlock", want=202)["id"]
    until(lambda: circle.commands("unlock"), "the command at the box")
    stack.restart_database()
    works(circle.max)
    circle.becomes(rental, "active", 60)
    assert circle.max.get(f"/rentals/{rental}/commands/{number}")["state"] == "confirmed"
    circle.lock(rental)
    lends_again(circle)
    stack.settles()
    stack.check(circle)
    assert all(stack.parts[name].process.poll() is None for name in ("api", "worker", "boxlink"))


@long_run
def test_the_broker_restarts_and_boxes_open_again(stack: Stack) -> None:
    circle = Friends(stack)
    rental = circle.lent()
    stack.restart_broker()
    until(lambda: circle.street.state()["connected"], "the box at the broker", 60)

    def locked() -> bool:
        done = circle.lock(rental, want=(200, 202, 409, 504))
        return bool(done.get("state") == "confirmed")

    until(locked, "the lock", 60)
    lends_again(circle)
    stack.settles()
    stack.check(circle)


def test_silent_boxes_block_nobody(stack: Stack) -> None:
    olga = Actor(stack, "Olga Owner").register()
    cars = [olga.add_car() for _ in range(SILENT + 1)]
    with ThreadPoolExecutor(4) as pool:
        streets: list[CarOnTheStreet] = list(pool.map(olga.pair_box, cars))
    for street in streets[1:]:
        # nor does it say by itself, as each 20 minutes of its own, that it is there
        street.do("config", name="server.v3/updatetime.sendall", value="1000000")
        street.fault("silent")
    time.sleep(5.5)
    calls = [
        shot(olga, "POST", f"/cars/{car}/commands", {"kind": "unlock"}, Prefer="wait=20") for car in cars[1:]
    ]
    with ThreadPoolExecutor(SILENT) as pool:
        waiting = [pool.submit(call) for call in calls]
        time.sleep(0.5)
        slowest = 0.0
        for _ in range(5):
            began = time.monotonic()
            assert requests.get(f"{stack.url}/healthz", timeout=5).ok
            slowest = max(slowest, time.monotonic() - began)
        began = time.monotonic()
        done = shot(olga, "POST", f"/cars/{cars[0]}/commands", {"kind": "unlock"}, **WAIT)()
        took = time.monotonic() - began
        answers = [one.result() for one in waiting]
    assert (done.status, done.body["state"]) == (200, "confirmed")
    assert slowest < 1
    assert took < 3, "the answering box waited for the silent ones"
    assert {(one.status, one.slug) for one in answers} == {(409, "box-refused")}
    assert all(not street.log() for street in streets[1:])

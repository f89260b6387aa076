"""Any process may be killed with -9 at any moment: what was acknowledged survives, exactly once."""

import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from app.demo_cast import Actor, until
from tests.faults.stack import Stack, in_background, long_run
from tests.flows.friends import PRICED, WAIT, Friends
from tests.races.at_once import Shot, shot

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]


def begun(circle: Friends) -> tuple[str, str]:
    """A rental whose unlock has been asked and not waited for; its command."""
    rental = circle.book()
    circle.ready(rental)
    command = circle.max.post(f"/rentals/{rental}/unlock", want=202)
    return rental, str(command["id"])


def command(circle: Friends, rental: str, command: str) -> Any:
    return circle.max.get(f"/rentals/{rental}/commands/{command}")


def in_state(circle: Friends, rental: str, number: str, *states: str, within_s: float = 60) -> Any:
    def look() -> Any:
        found = command(circle, rental, number)
        return found if found["state"] in states else None

    return until(look, f"the command to be {' or '.join(states)}", within_s)


def again(call: Callable[[], Shot], within_s: float = 60) -> Shot:
    """What a client does: the same request with the same key until there is an answer that is one."""

    def look() -> Shot | None:
        try:
            answer = call()
        except requests.RequestException:
            time.sleep(0.2)
            return None
        return answer if answer.status < 500 and answer.slug != "idempotency-busy" else None

    return until(look, "an answer", within_s)


@pytest.mark.must_hold("API killed while an unlock waits")
def test_the_api_dies_while_an_unlock_waits_and_the_retry_gets_its_state(stack: Stack) -> None:
    circle = Friends(stack)
    rental = circle.book()
    circle.ready(rental)
    circle.street.fault("slow", seconds=2, times=1)
    tap = shot(circle.max, "POST", f"/rentals/{rental}/unlock", key=secrets.token_urlsafe(16), **WAIT)
    came = in_background(tap)
    until(lambda: circle.commands("unlock"), "the command at the box")
    stack.kill("api")
    assert isinstance(came(), requests.RequestException)
    stack.revive("api")
    settled = again(tap)
    assert (settled.status, settled.body["state"]) == (200, "confirmed"), settled
    assert [one["executed"] for one in circle.commands("unlock")] == [1]
    circle.becomes(rental, "active")
    circle.lock(rental)
    stack.settles()
    stack.check(circle)


@pytest.mark.must_hold("boxlink killed between publish and answer: the box does nothing")
def test_boxlink_dies_with_a_command_in_hand_and_it_is_unknown_never_sent_again(stack: Stack) -> None:
    circle = Friends(stack)
    circle.street.fault("mute", times=1)
    rental, number = begun(circle)
    in_state(circle, rental, number, "sent")
    until(lambda: circle.commands("unlock"), "the command at the box")
    stack.kill("boxlink")
    stack.revive("boxlink")
    in_state(circle, rental, number, "unknown", "dead")
    shown = circle.rental(rental)
    assert (shown["state"], shown["unlock_unknown"], shown["cover"]["state"]) == ("unlocking", True, "bound")
    assert len(circle.commands("unlock")) == 1
    circle.max.post(f"/rentals/{rental}/unlock", headers=WAIT, want=200)
    assert circle.becomes(rental, "active")["cover"]["id"] == shown["cover"]["id"]
    assert [one["executed"] for one in circle.commands("unlock")] == [0, 1]
    circle.lock(rental)
    stack.settles()
    stack.check(circle)


@pytest.mark.must_hold("boxlink killed between publish and answer: the answer comes meanwhile")
@long_run
def test_boxlink_dies_and_the_answer_it_did_not_hear_still_opens_the_rental(stack: Stack) -> None:
    circle = Friends(stack)
    circle.street.fault("slow", seconds=2, times=1)
    rental, number = begun(circle)
    until(lambda: circle.commands("unlock"), "the command at the box")
    stack.kill("boxlink")
    until(lambda: circle.commands("unlock")[0]["answer"], "the box's answer")
    stack.revive("boxlink")
    circle.becomes(rental, "active", 60)
    in_state(circle, rental, number, "unknown", "dead", "reconciled", within_s=5)
    assert [one["executed"] for one in circle.commands("unlock")] == [1]
    circle.lock(rental)
    stack.settles()
    stack.check(circle)


@pytest.mark.must_hold("no boxlink at all")
@long_run
def test_without_any_boxlink_an_unlock_ends_refused_and_is_never_sent(stack: Stack) -> None:
    circle = Friends(stack)
    rental = circle.book()
    circle.ready(rental)
    stack.kill("boxlink")
    try:
        number = circle.max.post(f"/rentals/{rental}/unlock", want=202)["id"]
        settled = in_state(circle, rental, number, "refused", within_s=20)
        assert settled["problem"] == "box-refused"
        shown = circle.becomes(rental, "booked", 5)
        assert shown["cover"]["state"] == "void"
    finally:
        stack.revive("boxlink")
    path = f"/rentals/{rental}/unlock"
    until(
        lambda: circle.max.post(path, headers=WAIT, want=(200, 409, 504)).get("state") == "confirmed",
        "the unlock",
    )
    assert len(circle.commands("unlock")) == 1
    circle.lock(rental)
    stack.settles()
    stack.check(circle)


@long_run
def test_a_worker_dies_amid_jobs_and_another_tells_and_charges_once(stack: Stack) -> None:
    circle = Friends(stack, PRICED)
    circle.max.save_card()
    rental = circle.book(0, 3)
    circle.payment(rental, "held")
    circle.unlock(rental)
    stack.slow_captures(3)
    circle.lock(rental)
    until(lambda: stack.sql("select 1 from procrastinate_jobs where status = 'doing'"), "a job at work")
    stack.kill("worker")
    stack.revive("worker2")
    stack.settles()
    circle.payment(rental, "captured")
    stack.check(circle)
    kinds = [
        one["kind"]
        for one in circle.max.get("/me/messages", limit=100)["items"]
        if one.get("rental") == rental
    ]
    assert kinds.count("payment_done.driver") == 1, kinds
    stack.kill("worker2")
    del stack.parts["worker2"]
    stack.revive("worker")


@pytest.mark.must_hold("workers killed while people are told and pushed to")
@long_run
def test_workers_die_while_people_are_told_and_each_fact_comes_once_to_each_and_to_their_phones(
    stack: Stack,
) -> None:
    circle = Friends(stack, approval="always", street=False)
    asked = [circle.quote(2 * n, 2 * n + 1) for n in range(1, 25)]
    for round_ in range(3):
        for quote in asked[round_ * 8 : round_ * 8 + 8]:
            circle.max.post("/rentals", circle.booking(quote), want=201)
        time.sleep(0.2 * round_)
        stack.kill("worker")
        stack.revive("worker")
    stack.settles(120)
    told = stack.sql(
        "select m.id, count(*) over (partition by m.fact_seq, m.person_id) from facts f left join messages m"
        " on m.fact_seq = f.seq and m.person_id = cast(%s as uuid)"
        " where f.kind = 'RentalAsked' and f.data->>'rental' = any(%s)",
        circle.olga.id[4:],
        [one["id"] for one in circle.max.get("/rentals", limit=100)["items"]],
    )
    assert [count for _, count in told] == [1] * len(asked)
    assert all(message is not None for message, _ in told)
    pushed = {one["message"]["data"]["message"] for one in circle.olga.pushes()}
    assert {f"msg_{message.hex}" for message, _ in told} <= pushed


@long_run
def test_the_sealer_dies_and_positions_stay_dense(stack: Stack) -> None:
    olga = Actor(stack, "Olga Owner").register()
    for round_ in range(3):
        calls = [
            shot(olga, "POST", "/communities", {"name": f"Circle {n}", "kind": "circle"}) for n in range(40)
        ]
        done = in_background(lambda calls=calls: [call() for call in calls])  # type: ignore[misc]
        time.sleep(0.1 + 0.15 * round_)
        stack.kill("worker")
        stack.revive("worker")
        answers = done()
        assert isinstance(answers, list)
        assert {one.status for one in answers} == {201}
    stack.settles(90)
    stack.log_is_whole()

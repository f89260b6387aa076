"""What goes wrong between us and a car's door: it opens inside custody and cover, once, and all is calm within a minute."""

import time
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from app.demo_cast import Actor, until
from carbox.grant import BadGrant
from carbox.phone import PhoneInHand, near
from tests.faults.stack import Stack, long_run
from tests.flows.friends import SILENT_BOX, WAIT, Friends
from tests.races.at_once import at_once, shot

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]
BODY = {"keys_in_glove_box": True}
STALLED_S = 30


def holds(case: str) -> pytest.MarkDecorator:
    return pytest.mark.must_hold(case)


def booked(stack: Stack) -> tuple[Friends, str]:
    circle = Friends(stack)
    rental = circle.book()
    circle.ready(rental)
    return circle, rental


def lent(stack: Stack) -> tuple[Friends, str]:
    circle = Friends(stack)
    return circle, circle.lent()


AT_ONCE = (200, 202, 504)


def tap(circle: Friends, rental: str) -> str:
    """Unlock, and wait for nothing."""
    return _number(circle.max.post(f"/rentals/{rental}/unlock", want=AT_ONCE))


def tap_lock(circle: Friends, rental: str) -> str:
    return _number(circle.max.post(f"/rentals/{rental}/lock", BODY, want=AT_ONCE))


def _number(answer: Any) -> str:
    """Of the command, also where it had settled before the API came to its answer."""
    return str(answer.get("id") or answer["command"])


def settled(circle: Friends, rental: str, number: str, within_s: float = 30) -> str:
    def look() -> Any:
        state = circle.max.get(f"/rentals/{rental}/commands/{number}")["state"]
        return state if state not in ("created", "sent") else None

    return str(until(look, "the command to settle", within_s))


def at_the_box(circle: Friends, kind: str, count: int = 1) -> None:
    until(lambda: len(circle.commands(kind)) >= count, f"{kind} at the box")


def done(circle: Friends, kind: str, count: int = 1) -> None:
    until(lambda: len([one for one in circle.commands(kind) if one["done_at"]]) >= count, f"{kind} done", 60)


def ends(circle: Friends, rental: str) -> None:
    """The driver locks, as often as it takes."""
    path = f"/rentals/{rental}/lock"

    def locked() -> bool:
        answer = circle.max.post(path, BODY, headers=WAIT, want=(200, 202, 409, 504))
        return answer.get("state") == "confirmed" or circle.state(rental) == "ended"

    until(locked, "the lock", 60)
    circle.becomes(rental, "ended")


# -- the link ----------------------------------------------------------------------------------------------------------


@long_run
@holds("link stalled, not cut, for 30 s after the command: unlock")
def test_an_unlock_on_a_stalled_link_opens_late_inside_a_cover_that_never_stopped(stack: Stack) -> None:
    circle, rental = booked(stack)
    circle.street.fault("stalls", seconds=STALLED_S)
    number = tap(circle, rental)
    assert settled(circle, rental, number) == "unknown"
    between = circle.rental(rental)
    assert (between["state"], between["cover"]["state"]) == ("unlocking", "bound")
    assert circle.commands("unlock") == []
    shown = circle.becomes(rental, "active", STALLED_S + 15)
    assert shown["cover"] == {"id": between["cover"]["id"], "state": "active"}
    assert circle.max.pushed("opened_late", rental)
    ends(circle, rental)
    stack.must_hold(circle)


@long_run
@holds("link stalled, not cut, for 30 s after the command: lock")
def test_a_lock_on_a_stalled_link_ends_the_rental_when_it_is_done(stack: Stack) -> None:
    circle, rental = lent(stack)
    circle.street.fault("stalls", seconds=STALLED_S)
    assert settled(circle, rental, tap_lock(circle, rental)) == "unknown"
    between = circle.rental(rental)
    assert (between["state"], between["cover"]["state"]) == ("locking", "active")
    assert between["meter_stopped_at"] is not None
    assert circle.becomes(rental, "ended", STALLED_S + 15)["cover"]["state"] == "closed"
    stack.must_hold(circle)


@holds("connection cut between execution and acknowledgement: unlock")
def test_an_unlock_whose_connection_is_cut_before_the_answer_is_known_when_the_box_is_back(
    stack: Stack,
) -> None:
    circle, rental = booked(stack)
    circle.street.fault("cut", times=1)
    tap(circle, rental)
    circle.becomes(rental, "active", 30)
    ends(circle, rental)
    assert [one["executed"] for one in circle.commands("unlock")] == [1]
    stack.must_hold(circle)


@long_run
@holds("connection cut between execution and acknowledgement: lock")
def test_a_lock_whose_connection_is_cut_before_the_answer_ends_when_the_box_is_back(stack: Stack) -> None:
    circle, rental = lent(stack)
    circle.street.fault("cut", times=1)
    tap_lock(circle, rental)
    circle.becomes(rental, "ended", 30)
    assert [one["executed"] for one in circle.commands("lock")] == [1]
    stack.must_hold(circle)


@long_run
@holds("box dies between execution and acknowledgement, and comes back with what it had kept")
def test_a_box_that_crashes_while_it_unlocks_is_believed_when_a_door_opens(stack: Stack) -> None:
    circle, rental = booked(stack)
    circle.street.fault("crash", seconds=1, times=1)
    number = tap(circle, rental)
    done(circle, "unlock")
    assert settled(circle, rental, number) in ("unknown", "dead")
    circle.street.fault("none")
    until(lambda: circle.street.state()["connected"], "the box to be back")
    circle.street.do("doors", fl="open")
    circle.becomes(rental, "active", 30)
    circle.street.do("doors", fl="closed")
    ends(circle, rental)
    stack.must_hold(circle)


@long_run
@holds("broker killed and restarted mid-unlock")
@pytest.mark.parametrize("away_s", [0, 4])
def test_a_broker_that_is_killed_amid_an_unlock_comes_back_and_the_door_is_known(
    stack: Stack, away_s: int
) -> None:
    circle, rental = booked(stack)
    circle.street.fault("slow", seconds=2, times=1)
    number = tap(circle, rental)
    at_the_box(circle, "unlock")
    stack.kill_broker()
    time.sleep(away_s)
    stack.start_broker()
    until(lambda: circle.street.state()["connected"], "the box at the broker", 60)
    settled(circle, rental, number)
    circle.becomes(rental, "active", 60)
    ends(circle, rental)
    assert [one["executed"] for one in circle.commands("unlock")] == [1]
    stack.must_hold(circle)


@long_run
@holds("box gone after the command and back later: unlock")
def test_a_box_that_is_gone_after_the_unlock_is_heard_when_it_is_back(stack: Stack) -> None:
    circle, rental = booked(stack)
    circle.street.fault("slow", seconds=2, times=1)
    number = tap(circle, rental)
    at_the_box(circle, "unlock")
    circle.street.fault("offline")
    done(circle, "unlock")
    assert settled(circle, rental, number) in ("unknown", "dead")
    between = circle.rental(rental)
    assert (between["state"], between["cover"]["state"]) == ("unlocking", "bound")
    circle.street.fault("none")
    assert circle.becomes(rental, "active", 30)["cover"]["id"] == between["cover"]["id"]
    ends(circle, rental)
    stack.must_hold(circle)


@long_run
@holds("box gone after the command and back later: lock")
def test_a_box_that_is_gone_after_the_lock_ends_the_rental_when_it_is_back(stack: Stack) -> None:
    circle, rental = lent(stack)
    circle.street.fault("slow", seconds=2, times=1)
    number = tap_lock(circle, rental)
    at_the_box(circle, "lock")
    circle.street.fault("offline")
    done(circle, "lock")
    assert settled(circle, rental, number) in ("unknown", "dead")
    assert circle.rental(rental)["cover"]["state"] == "active"
    circle.street.fault("none")
    circle.becomes(rental, "ended", 30)
    stack.must_hold(circle)


# -- what a box says ---------------------------------------------------------------------------------------------------


@long_run
@holds("duplicate and late responses")
@pytest.mark.parametrize("fault", [{"kind": "answers_twice"}, {"kind": "late", "seconds": 8}])
def test_answers_that_come_twice_or_late_are_one_command(stack: Stack, fault: dict[str, Any]) -> None:
    circle, rental = booked(stack)
    circle.street.fault(**fault)
    tap(circle, rental)
    circle.becomes(rental, "active", 30)
    number = tap_lock(circle, rental)
    circle.becomes(rental, "ended", 30)
    assert settled(circle, rental, number) in ("confirmed", "reconciled")
    assert [one["executed"] for one in circle.street.log()] == [1, 1]
    circle.street.fault("none")
    if "seconds" in fault:
        time.sleep(fault["seconds"])
    assert circle.state(rental) == "ended"
    stack.must_hold(circle)


class Intruder:
    """Another car's box, by its own account, on the same broker."""

    def __init__(self, stack: Stack, circle: Friends) -> None:
        other = circle.olga.add_car()
        given = circle.olga.put(f"/cars/{other}/box", SILENT_BOX)["credentials"]
        self.heard: list[str] = []
        self.username = given["username"]
        client = Client(CallbackAPIVersion.VERSION2, client_id=given["username"], protocol=MQTTv311)
        client.username_pw_set(given["username"], given["password"])
        client.on_message = self._on_message
        client.connect("127.0.0.1", int(stack.environment["GLOVEBOX_MQTT_PORT"]))
        client.loop_start()
        self.client = client

    def _on_message(self, _client: Client, _user: object, message: MQTTMessage) -> None:
        self.heard.append(message.topic)

    def says(self, topic: str, text: str) -> None:
        self.client.publish(topic, text, qos=1).wait_for_publish(5)

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@long_run
@holds("a box replays another's data")
def test_a_box_that_speaks_for_another_is_not_heard_and_hears_nothing_of_it(stack: Stack) -> None:
    circle, rental = lent(stack)
    intruder, street = Intruder(stack, circle), circle.street
    tree = f"ovms/{street.username}/{street.state()['vehicle']}"
    intruder.client.subscribe(f"{tree}/#", 1)
    circle.street.fault("mute", times=1)
    number = tap_lock(circle, rental)
    at_the_box(circle, "lock")
    intruder.says(f"{tree}/client/glovebox/response/{number}", "Vehicle locked\n")
    for metric, text in (("v/d/fl", "no"), ("v/e/locked", "yes"), ("s/v3/connected", "yes")):
        intruder.says(f"{tree}/metric/{metric}", text)
    assert settled(circle, rental, number) == "refused"
    shown = circle.rental(rental)
    assert (shown["state"], shown["cover"]["state"]) == ("active", "active")
    assert intruder.heard == []
    intruder.leave()
    ends(circle, rental)
    stack.must_hold(circle)


def locked_in_vain(circle: Friends, rental: str) -> None:
    """The driver's lock did not reach the box, and stays without an answer."""
    circle.street.fault("offline")
    until(lambda: not circle.street.state()["connected"], "the box to be gone")
    circle.max.refused("POST", f"/rentals/{rental}/lock", BODY, slug="box-silent", headers=WAIT)
    assert circle.state(rental) == "locking"


@holds("stale restored locked = yes: a box reboots after a lock that never reached it")
def test_a_box_that_reboots_ends_no_rental_by_the_lock_it_remembers(stack: Stack) -> None:
    circle, rental = lent(stack)
    locked_in_vain(circle, rental)
    heard = circle.olga.get(f"/cars/{circle.car}/box")["last_heard_at"]
    circle.street.do("lock", locked=True)  # by the key: the box sees it, and keeps it
    circle.street.do("reboot", seconds=0.2)
    circle.street.do("lock", locked=False)  # while it is dead
    circle.street.fault("none")
    path = f"/cars/{circle.car}/box"
    until(lambda: circle.olga.get(path)["last_heard_at"] > heard, "the box to be heard again")
    time.sleep(1)
    truth = circle.street.state()["car"]
    shown = circle.rental(rental)
    assert (truth["locked"], shown["state"], shown["cover"]["state"]) == (False, "locking", "active")
    ends(circle, rental)
    assert circle.street.state()["car"]["locked"] is True
    stack.must_hold(circle)


# -- who asks, and when ------------------------------------------------------------------------------------------------


@holds("clock off by five minutes: the phone's")
def test_a_phone_whose_clock_is_off_opens_nothing_until_it_is_right(stack: Stack) -> None:
    circle, rental = booked(stack)
    for skew in (300, -300):
        circle.max.clock_off_s = skew
        circle.max.refused("POST", f"/rentals/{rental}/unlock", slug="signature-invalid", headers=WAIT)
    circle.max.clock_off_s = 0
    assert circle.street.log() == []
    circle.unlock(rental)
    ends(circle, rental)
    stack.must_hold(circle)


def second_phone(circle: Friends) -> Actor:
    """Max on another phone, with a key of its own."""
    first = circle.max
    other = Actor(circle.place, first.name, language=first.language, signs=True)
    other.email, other.id = first.email, first.id
    other.sign_in()
    other.phone = other.post("/me/phones", other.phone_body(), want=201)["id"]
    other.post(f"/me/phones/{other.phone}/confirm", {"code": other.code()}, want=204)
    other.renew()
    return other


@long_run
@holds("two phones tap at once: the driver's two")
def test_two_phones_of_the_driver_tap_at_once_and_the_door_opens_once(stack: Stack) -> None:
    circle, rental = booked(stack)
    other = second_phone(circle)
    path = f"/rentals/{rental}/unlock"
    answers = at_once([shot(who, "POST", path, **WAIT) for who in (circle.max, other)])
    assert len({one.body["id"] for one in answers}) == 1, answers
    circle.becomes(rental, "active")
    ends(circle, rental)
    assert [one["executed"] for one in circle.commands("unlock")] == [1]
    stack.must_hold(circle)


@long_run
@holds("two phones tap at once: the driver's and the owner's")
@pytest.mark.parametrize("later_s", [0.0, 0.01, 0.03])
def test_driver_and_owner_tap_at_once_and_one_of_them_opens(stack: Stack, later_s: float) -> None:
    circle = Friends(stack)
    rental = circle.book(0.2, 2)
    circle.ready(rental)
    own = shot(circle.olga, "POST", f"/cars/{circle.car}/commands", {"kind": "unlock"}, **WAIT)
    mine = shot(circle.max, "POST", f"/rentals/{rental}/unlock", after_s=later_s, **WAIT)
    answers = at_once([own, mine])
    assert any(one.status == 200 for one in answers), answers
    assert {one.slug for one in answers if one.status != 200} <= {"command-open", "not-ready", "car-lent"}
    if circle.state(rental) == "booked":
        circle.unlock(rental)
    ends(circle, rental)
    stack.must_hold(circle)


# -- without signal ----------------------------------------------------------------------------------------------------


@long_run
@holds("garage rental start to end offline")
def test_a_rental_in_a_garage_starts_and_ends_without_signal(stack: Stack) -> None:
    companion = stack.control("simulator", "POST", "companions")
    circle = Friends(stack, box={"companion": companion["companion"]})
    issuers = circle.olga.get(f"/cars/{circle.car}/box")["grant_issuers"]
    stack.control("simulator", "POST", "companions", companion=companion["companion"], issuers=issuers)
    rental = circle.book()
    assert circle.max.key is not None
    phone = PhoneInHand(circle.max.key, circle.max.get(f"/rentals/{rental}/grant"))
    circle.street.do("garage", inside=True)
    with near(companion["port"]) as box:
        phone.do("unlock", box)
        circle.street.do("keys", in_glove_box=False)
        circle.street.do("drive", km=3)
        time.sleep(1)  # a box counts whole seconds
        with pytest.raises(BadGrant, match="glove box"):
            phone.do("lock", box)
        circle.street.do("keys", in_glove_box=True)
        phone.do("lock", box)
        with pytest.raises(BadGrant, match="ended"):
            phone.do("unlock", box)
    assert circle.state(rental) == "booked"
    upload = circle.max.post("/me/offline-receipts", {"receipts": phone.records})
    assert upload["results"] == ["accepted", "accepted"]
    shown = circle.becomes(rental, "ended")
    assert shown["cover"]["state"] == "closed"
    circle.street.do("garage", inside=False)
    until(lambda: circle.street.state()["connected"], "the box to be heard again")
    stack.must_hold(circle)


# -- a lock that is refused --------------------------------------------------------------------------------------------

HOME, FAR = {"latitude": 48.8566, "longitude": 2.3522}, {"latitude": 48.9, "longitude": 2.3522}
Hand = tuple[str, dict[str, Any]]
REASONS: tuple[tuple[str, Hand | None, Hand], ...] = (
    ("place", ("position", FAR), ("position", HOME)),
    ("doors", ("doors", {"fl": "open"}), ("doors", {"fl": "closed"})),
    ("ignition", ("ignition", {"on": True}), ("ignition", {"on": False})),
    ("keys", ("keys", {"in_glove_box": False}), ("keys", {"in_glove_box": True})),
    ("plugged", None, ("plug", {"plugged": True})),
)
"""What is in the way of the lock, the hand that puts it there, and the hand that takes it away."""


def refused_for(circle: Friends, rental: str, code: str) -> None:
    until(lambda: code in circle.unmet(rental, "lock"), f"{code} to be in the way")
    refusal = circle.max.refused("POST", f"/rentals/{rental}/lock", BODY, slug="not-ready", headers=WAIT)
    assert code in [one["code"] for one in refusal["conditions"]]
    goes_on(circle, rental)


def goes_on(circle: Friends, rental: str) -> None:
    shown = circle.rental(rental)
    assert (shown["state"], shown["cover"]["state"], shown["meter_stopped_at"]) == ("active", "active", None)


@long_run
@holds("lock refused with each reason")
def test_a_lock_that_is_refused_for_any_reason_leaves_the_rental_as_it_was(stack: Stack) -> None:
    circle = Friends(
        stack, car={"return": {"kind": "zone", "radius_m": 500}, "charge_rule": {"plug_below": 90}}
    )
    rental = circle.lent()
    for code, spoil, mend in REASONS:
        if spoil is not None:
            circle.street.do(spoil[0], **spoil[1])
        refused_for(circle, rental, code)
        circle.street.do(mend[0], **mend[1])
        until(lambda code=code: code not in circle.unmet(rental, "lock"), f"{code} to be mended")  # type: ignore[misc]
    assert circle.commands("lock") == []
    circle.street.fault("slow", seconds=2, times=1)
    circle.max.post(f"/rentals/{rental}/pause", want=202)
    circle.max.refused("POST", f"/rentals/{rental}/lock", BODY, slug="command-open", headers=WAIT)
    until(lambda: circle.rental(rental)["paused"], "the pause")
    circle.max.post(f"/rentals/{rental}/unlock", headers=WAIT, want=200)
    circle.street.fault("refuse", times=1)
    refusal = circle.max.refused("POST", f"/rentals/{rental}/lock", BODY, slug="box-refused", headers=WAIT)
    assert refusal["reason"] == "not_done"
    goes_on(circle, rental)
    ends(circle, rental)
    stack.must_hold(circle)

"""What goes wrong at the car's door, and what it costs: nothing that did not happen."""

import pytest

from app.demo_cast import until
from app.supervisor import Supervisor
from tests.flows.friends import PRICED, WAIT, Friends


def refused_lock(friends: Friends, rental: str, slug: str = "not-ready", **body: bool) -> list[str]:
    path, stated = f"/rentals/{rental}/lock", {"keys_in_glove_box": True, **body}
    refusal = friends.max.refused("POST", path, stated, slug=slug, headers=WAIT)
    return [one["code"] for one in refusal["conditions"]]


def seen(friends: Friends, name: str, value: object) -> None:
    path = f"/cars/{friends.car}/state"
    until(lambda: friends.max.get(path)[name]["value"] == value, f"{name} to be {value}")


def silence(friends: Friends) -> None:
    """The box is out of reach: what is asked of it from now on does not come to it after all."""
    friends.street.fault("offline")
    until(lambda: not friends.street.state()["connected"], "the box to be gone")


def test_a_box_that_refuses_leaves_the_rental_booked_and_the_cover_void(friends: Friends) -> None:
    rental = friends.book()
    friends.ready(rental)
    friends.street.fault("refuse", times=1)
    refusal = friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="box-refused", headers=WAIT)
    assert refusal["reason"] == "not_done"
    shown = friends.rental(rental)
    assert (shown["state"], shown["cover"]["state"], shown["actual"]) == ("booked", "void", None)
    assert friends.olga.get(f"/cars/{friends.car}/custody", at=shown["span"]["from"])["holder"] == "owner"
    assert friends.max.pushed("unlock_failed", rental)


def test_after_a_refusal_the_next_unlock_opens(friends: Friends) -> None:
    rental = friends.book()
    friends.ready(rental)
    friends.street.fault("refuse", times=1)
    friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="box-refused", headers=WAIT)
    friends.street.fault("none")
    assert friends.unlock(rental)["state"] == "confirmed"
    assert friends.rental(rental)["cover"]["state"] == "active"


def test_an_unreachable_box_is_sent_nothing_and_the_rental_stays_booked(friends: Friends) -> None:
    rental = friends.book()
    friends.ready(rental)
    silence(friends)
    refusal = friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="box-refused", headers=WAIT)
    assert refusal["reason"] == "unreachable"
    shown = friends.rental(rental)
    assert (shown["state"], shown["cover"]["state"]) == ("booked", "void")
    assert friends.commands("unlock") == []


def test_an_unlock_the_box_swallowed_is_silent_and_surely_not_done(friends: Friends) -> None:
    """It answers what it is asked of the car, and the car is shut: nothing opened."""
    rental = friends.book()
    friends.ready(rental)
    friends.street.fault("mute", times=1)
    friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="box-silent", headers=WAIT)
    shown = friends.rental(rental)
    assert (shown["state"], shown["cover"]["state"]) == ("booked", "void")


def test_an_unlock_whose_answer_was_lost_is_believed_by_what_the_car_shows(friends: Friends) -> None:
    rental = friends.book()
    friends.ready(rental)
    friends.street.fault("answer_lost", times=1)
    friends.max.post(f"/rentals/{rental}/unlock", headers={"Prefer": "wait=0"}, want=202)
    shown = friends.becomes(rental, "active", 20)
    assert shown["cover"]["state"] == "active"
    assert len(friends.commands("unlock")) == 1


def test_a_door_that_opens_late_does_so_inside_its_cover_and_the_driver_is_told(friends: Friends) -> None:
    rental = friends.book()
    friends.ready(rental)
    friends.street.fault("slow", seconds=12, times=1)  # five for an answer, three for a look at the car
    friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="box-silent", headers=WAIT)
    between = friends.rental(rental)
    assert (between["state"], between["unlock_unknown"], between["cover"]["state"]) == (
        "unlocking",
        True,
        "bound",
    )
    shown = friends.becomes(rental, "active")
    assert shown["cover"] == {"id": between["cover"]["id"], "state": "active"}
    assert friends.max.pushed("opened_late", rental)
    assert [one["executed"] for one in friends.commands("unlock")] == [1]


def test_a_silent_box_at_the_lock_stops_the_meter_and_keeps_the_cover(priced: Friends) -> None:
    rental = priced.book(0, 3)
    priced.unlock(rental)
    priced.drive(5)
    priced.street.fault("silent")
    body = {"keys_in_glove_box": True}
    priced.max.refused("POST", f"/rentals/{rental}/lock", body, slug="box-silent", headers=WAIT)
    shown = priced.rental(rental)
    assert (shown["state"], shown["cover"]["state"]) == ("locking", "active")
    assert shown["meter_stopped_at"] is not None


def test_the_lock_after_a_silence_ends_it_and_charged_and_covered_minutes_differ(place: Supervisor) -> None:
    friends = Friends(place, {**PRICED, "late_grace_min": 1440})
    friends.max.save_card()
    rental = friends.book(0, 3)
    friends.unlock(rental)
    friends.drive(5)
    silence(friends)
    body = {"keys_in_glove_box": True}
    friends.max.refused("POST", f"/rentals/{rental}/lock", body, slug="box-silent", headers=WAIT)
    until(lambda: friends.rental(rental)["meter_stopped_at"], "the command to be given up")
    friends.street.fault("none")
    friends.forward("30m")
    friends.becomes(rental, "locking")
    friends.lock(rental)
    receipt = friends.max.get(f"/rentals/{rental}/receipt")
    assert receipt["covered_minutes"] >= receipt["charged_minutes"] + 29


def test_driving_on_after_a_silent_lock_runs_the_meter_again(priced: Friends) -> None:
    rental = priced.book(0, 3)
    priced.unlock(rental)
    priced.drive(5)
    silence(priced)
    body = {"keys_in_glove_box": True}
    priced.max.refused("POST", f"/rentals/{rental}/lock", body, slug="box-silent", headers=WAIT)
    priced.street.fault("none")
    priced.street.do("ignition", on=True)
    priced.street.do("drive", km=3)
    until(lambda: priced.rental(rental)["meter_stopped_at"] is None, "the meter to run")


def test_getting_back_in_after_a_silent_lock_makes_it_active_again(friends: Friends) -> None:
    rental = friends.lent()
    silence(friends)
    body = {"keys_in_glove_box": True}
    friends.max.refused("POST", f"/rentals/{rental}/lock", body, slug="box-silent", headers=WAIT)
    friends.street.fault("none")
    friends.max.post(f"/rentals/{rental}/unlock", headers=WAIT, want=200)
    shown = friends.rental(rental)
    assert (shown["state"], shown["meter_stopped_at"]) == ("active", None)


def test_a_box_that_locks_by_itself_after_a_silence_ends_the_rental(friends: Friends) -> None:
    rental = friends.lent()
    friends.street.fault("answer_lost", times=1)
    body = {"keys_in_glove_box": True}
    friends.max.post(f"/rentals/{rental}/lock", body, want=202)
    assert friends.becomes(rental, "ended", 20)["cover"]["state"] == "closed"


def test_a_box_that_refuses_the_lock_leaves_the_rental_active(friends: Friends) -> None:
    rental = friends.lent()
    friends.street.fault("refuse", times=1)
    body = {"keys_in_glove_box": True}
    friends.max.refused("POST", f"/rentals/{rental}/lock", body, slug="box-refused", headers=WAIT)
    shown = friends.rental(rental)
    assert (shown["state"], shown["meter_stopped_at"]) == ("active", None)
    assert friends.max.pushed("lock_refused", rental)


@pytest.mark.parametrize("door", ["fl", "trunk"])
def test_with_a_door_open_the_car_is_not_locked(friends: Friends, door: str) -> None:
    rental = friends.lent()
    friends.street.do("doors", **{door: "open"})
    until(lambda: friends.max.get(f"/cars/{friends.car}/state")["doors"]["value"], "the open door")
    assert refused_lock(friends, rental) == ["doors"]
    assert friends.state(rental) == "active"
    friends.street.do("doors", **{door: "closed"})
    until(lambda: not friends.max.get(f"/cars/{friends.car}/state")["doors"]["value"], "the closed door")
    assert friends.lock(rental)["state"] == "confirmed"


def test_a_door_opened_as_the_car_locks_is_seen_and_the_rental_goes_on(friends: Friends) -> None:
    rental = friends.lent()
    friends.street.do("doors", rl="open")
    body = {"keys_in_glove_box": True}
    answer = friends.max.call("POST", f"/rentals/{rental}/lock", body, headers=WAIT, want=(409,))
    assert "doors" in [one["code"] for one in answer["conditions"]]
    assert friends.state(rental) == "active"


def test_without_the_keys_in_the_glove_box_the_car_is_not_locked(friends: Friends) -> None:
    rental = friends.lent()
    friends.street.do("keys", in_glove_box=False)
    seen(friends, "keys_in_glove_box", False)
    assert refused_lock(friends, rental) == ["keys"]
    friends.street.do("keys", in_glove_box=True)
    seen(friends, "keys_in_glove_box", True)
    assert friends.lock(rental)["state"] == "confirmed"


def test_without_a_sensor_the_drivers_word_counts(place: Supervisor) -> None:
    config = {"how": "native", "pin": "4711"}
    friends = Friends(place, box={"key_sensor": False, "config": config})
    rental = friends.lent()
    assert refused_lock(friends, rental, keys_in_glove_box=False) == ["keys"]
    assert friends.lock(rental)["state"] == "confirmed"


def test_a_car_that_is_on_is_not_locked(friends: Friends) -> None:
    rental = friends.lent()
    friends.street.do("ignition", on=True)
    seen(friends, "drivable", True)
    assert refused_lock(friends, rental) == ["ignition"]


def test_outside_its_return_zone_the_car_is_not_locked(place: Supervisor) -> None:
    friends = Friends(place, car={"return": {"kind": "zone", "radius_m": 500}})
    rental = friends.lent()
    friends.drive(1)
    unmet = until(lambda: "place" in friends.unmet(rental, "lock"), "the place to be seen")
    assert unmet
    assert refused_lock(friends, rental) == ["place"]


def test_below_its_charge_rule_the_car_is_plugged_in_first(place: Supervisor) -> None:
    friends = Friends(place, car={"charge_rule": {"plug_below": 90}})
    rental = friends.lent()
    friends.park()
    assert refused_lock(friends, rental) == ["plugged"]
    friends.street.do("plug", plugged=True)
    seen(friends, "plugged", True)
    assert friends.lock(rental)["state"] == "confirmed"


def test_an_open_command_keeps_others_out(friends: Friends) -> None:
    rental = friends.lent()
    friends.street.fault("slow", seconds=1.5, times=1)
    friends.max.post(f"/rentals/{rental}/pause", want=202)
    friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="command-open")
    until(lambda: friends.rental(rental)["paused"], "the pause")


def test_once_out_only_the_lock_ends_it(friends: Friends) -> None:
    rental, why = friends.lent(), {"reason": "changed my mind"}
    path = f"/rentals/{rental}"
    refusal = friends.max.refused("POST", f"{path}/cancel", why, slug="step-not-allowed")
    assert (refusal["state"], refusal["remedy"]) == ("active", "lock")
    friends.olga.refused("POST", f"{path}/cancel", why, slug="step-not-allowed")
    friends.max.refused("POST", f"{path}/withdraw", slug="step-not-allowed")
    for step in ("approve", "decline"):
        friends.olga.refused("POST", f"{path}/{step}", slug="step-not-allowed")


def test_while_unlocking_a_cancellation_points_to_the_lock(friends: Friends) -> None:
    rental = friends.book()
    friends.ready(rental)
    friends.street.fault("slow", seconds=2, times=1)
    friends.max.post(f"/rentals/{rental}/unlock", want=202)
    body = {"reason": "changed my mind"}
    refusal = friends.max.refused("POST", f"/rentals/{rental}/cancel", body, slug="step-not-allowed")
    assert (refusal["state"], refusal["remedy"]) == ("unlocking", "lock")
    friends.becomes(rental, "active")

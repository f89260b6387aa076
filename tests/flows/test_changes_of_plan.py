"""Longer, later, not at all: what happens when a rental does not go as planned."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.demo_cast import Actor, hours, inst, until
from app.supervisor import Supervisor
from tests.flows.friends import PRICED, WAIT, Friends
from tests.flows.known import known


def longer(friends: Friends, rental: str, ends: float = 4) -> Any:
    body = {"rental": rental, "to": inst(friends.now() + hours(ends))}
    return friends.max.post("/quotes", body, want=201)


def extend(friends: Friends, rental: str, quote: Any, want: int) -> Any:
    return friends.max.post(f"/rentals/{rental}/extend", {"quote": quote["id"]}, want=want)


def test_an_extension_is_taken_at_once_where_the_terms_allow_it(place: Supervisor) -> None:
    friends = Friends(place, {"extension": "auto"})
    rental = friends.lent(0, 2)
    quote = longer(friends, rental)
    shown = extend(friends, rental, quote, 200)
    assert (shown["span"]["to"], shown["extension"]) == (quote["to"], None)
    assert friends.max.pushed("extension_approved", rental)
    friends.max.refused("POST", "/quotes", friends.span(3, 3.5), slug="car-taken")


def lent_after_asking(place: Supervisor, ends: float = 2) -> tuple[Friends, str]:
    """Where the owner is asked about everything."""
    friends = Friends(place, approval="always")
    rental = friends.book(0, ends)
    friends.olga.post(f"/rentals/{rental}/approve", want=200)
    friends.unlock(rental)
    return friends, rental


def test_an_extension_needs_no_yes_where_a_booking_needs_none(friends: Friends) -> None:
    rental = friends.lent(0, 2)
    quote = longer(friends, rental)
    assert extend(friends, rental, quote, 200)["span"]["to"] == quote["to"]


def test_an_extension_is_asked_and_the_owner_agrees(place: Supervisor) -> None:
    friends, rental = lent_after_asking(place)
    quote = longer(friends, rental)
    shown = extend(friends, rental, quote, 202)
    assert (shown["extension"]["state"], shown["span"]["to"] < quote["to"]) == ("asked", True)
    assert friends.olga.pushed("extension_asked", rental)
    done = friends.olga.post(f"/rentals/{rental}/extension/approve", want=200)
    assert done["span"]["to"] == quote["to"]


def test_an_extension_is_asked_and_the_owner_declines(place: Supervisor) -> None:
    friends, rental = lent_after_asking(place)
    before = friends.rental(rental)["span"]
    extend(friends, rental, longer(friends, rental), 202)
    friends.olga.post(f"/rentals/{rental}/extension/decline", want=200)
    shown = friends.rental(rental)
    assert (shown["span"], shown["extension"]) == (before, None)
    assert friends.max.pushed("extension_declined", rental)
    friends.quote(3, 4)


def test_an_extension_nobody_answers_lapses_at_the_planned_end(place: Supervisor) -> None:
    friends, rental = lent_after_asking(place, 1)
    extend(friends, rental, longer(friends, rental), 202)
    friends.forward("61m")
    until(lambda: friends.rental(rental)["extension"] is None, "the extension to lapse")
    assert friends.max.pushed("extension_declined", rental)


def test_the_difference_of_an_extension_is_held_before_it_is_taken(place: Supervisor) -> None:
    friends = Friends(place, {**PRICED, "extension": "auto"})
    friends.max.save_card()
    rental = friends.lent(0, 2)
    quote = longer(friends, rental, 4)
    extend(friends, rental, quote, 202)
    until(lambda: friends.rental(rental)["span"]["to"] == quote["to"], "the longer end")
    rows = friends.max.get(f"/rentals/{rental}/payments")["items"]
    assert [(one["purpose"], one["state"]) for one in rows] == [("rent", "held"), ("extras", "held")]
    total = friends.rental(rental)["quote"]["total"]["amount"]
    friends.forward("3h")
    friends.lock(rental)
    shown = friends.rental(rental)
    assert shown["final_price"]["total"]["amount"] == quote["total"]["amount"] > total


def test_an_extended_cover_is_endorsed(place: Supervisor) -> None:
    friends = Friends(place, {"extension": "auto"})
    rental = friends.lent(0, 2)
    extend(friends, rental, longer(friends, rental), 200)
    cover = friends.rental(rental)["cover"]["id"]

    def told() -> bool:
        found = friends.place.control("insurer", "GET", "covers", cover=cover)["covers"]
        return friends.rental(rental)["span"]["to"] in json.dumps(found)

    until(told, "the insurer to know of the later end")


def test_once_late_there_is_no_extension_and_it_says_what_applies(friends: Friends) -> None:
    rental = friends.lent(0, 1)
    quote = longer(friends, rental)
    friends.forward("61m")
    body = {"rental": rental, "to": inst(friends.now() + hours(2))}
    friends.max.refused("POST", "/quotes", body, slug="step-not-allowed")
    refusal = friends.max.refused(
        "POST", f"/rentals/{rental}/extend", {"quote": quote["id"]}, slug="step-not-allowed"
    )
    assert "tariff" in refusal["detail"]
    assert "extend" not in friends.rental(rental)["links"]


def test_a_late_rental_tells_everybody_and_its_cover_goes_on(friends: Friends) -> None:
    nina = known(friends.place, "Nina New", language="en")
    friends.let_in(nina)
    rental = friends.lent(0, 1)
    friends.book(1.5, 2.5, nina)
    friends.forward("65m")
    shown = until(lambda: friends.rental(rental)["late"] and friends.rental(rental), "the lateness")
    assert shown["late"]["since"] == shown["span"]["to"]
    assert shown["cover"]["state"] == "active"
    for who in (friends.max, friends.olga, nina):
        assert who.pushed("rental_late")


def test_a_car_that_is_out_stays_taken_while_it_is_late(friends: Friends) -> None:
    friends.lent(0, 1)
    friends.forward("62m")

    def taken() -> bool:
        friends.max.call("POST", "/quotes", friends.span(0.05, 0.2), want=(201, 409))
        assert friends.max.last is not None
        return friends.max.last.status_code == 409

    until(taken, "the occupancy to grow")
    friends.forward("30m")
    until(taken, "the occupancy to grow on")


def test_growing_stops_where_the_next_booking_begins(friends: Friends) -> None:
    nina = known(friends.place, "Nina New")
    friends.let_in(nina)
    rental = friends.lent(0, 1)
    following = friends.book(1.1, 3, nina)
    friends.forward("64m")
    until(lambda: friends.rental(rental)["late"], "the lateness")
    assert friends.rental(following, nina)["state"] == "booked"
    assert friends.lock(rental)["state"] == "confirmed"
    friends.clear(nina)
    assert friends.unmet(following, who=nina) == []


def test_a_late_rental_pays_the_tariff_and_after_the_grace_the_fee(priced: Friends) -> None:
    rental = priced.lent(0, 1)
    priced.forward("2h")
    priced.lock(rental)
    lines = {one["code"] for one in priced.rental(rental)["final_price"]["lines"]}
    assert [one for one in lines if "late" in one]
    assert priced.rental(rental)["final_price"]["total"]["amount"] >= 600 + 1500


def test_who_does_not_come_loses_the_slot(place: Supervisor) -> None:
    friends = Friends(place, {"no_show_min": 15})
    rental = friends.book(0.05, 3)
    friends.wake()
    friends.place.flask("clock", "forward", "19m")
    friends.becomes(rental, "no_show")
    friends.quote(0.1, 1)
    assert friends.max.told("rental_no_show", rental)


def test_who_could_not_come_because_the_box_is_unheard_pays_nothing(priced: Friends) -> None:
    rental = priced.book(0.05, 3)
    priced.payment(rental, "held")
    priced.street.vanish()
    priced.place.flask("clock", "forward", "64m")
    priced.becomes(rental, "cancelled")
    assert priced.payment(rental, "released")


@pytest.mark.parametrize("who", ["max", "olga"])
def test_a_booking_is_cancelled_by_either_and_the_slot_is_free(friends: Friends, who: str) -> None:
    rental = friends.book(1, 2)
    actor: Actor = getattr(friends, who)
    assert actor.post(f"/rentals/{rental}/cancel", {"reason": "rain"}, want=200)["state"] == "cancelled"
    friends.quote(1, 2)


def test_a_cancellation_needs_its_reason(friends: Friends) -> None:
    rental = friends.book(1, 2)
    friends.max.refused("POST", f"/rentals/{rental}/cancel", {}, slug="validation")


# -- closed by hand --------------------------------------------------------------------------------------------------


def close(friends: Friends, rental: str, slug: str, who: Actor | None = None) -> Any:
    body = {"i_have_the_car": True}
    return (who or friends.olga).refused("POST", f"/rentals/{rental}/close", body, slug=slug)


def test_before_the_planned_end_and_without_an_unanswered_lock_nobody_closes(friends: Friends) -> None:
    rental = friends.lent()
    assert [one["code"] for one in close(friends, rental, "not-ready")["conditions"]] == ["state"]


def test_the_driver_does_not_close_by_hand(friends: Friends) -> None:
    rental = friends.lent(0, 0.2)
    friends.forward("13m")
    close(friends, rental, "not-allowed", friends.max)


def test_a_booked_rental_is_not_closed(friends: Friends) -> None:
    close(friends, friends.book(), "step-not-allowed")


def test_who_does_not_have_the_car_does_not_close(friends: Friends) -> None:
    rental = friends.lent()
    body = {"i_have_the_car": False}
    friends.olga.refused("POST", f"/rentals/{rental}/close", body, slug="validation")


def test_a_car_seen_in_use_is_not_closed(friends: Friends) -> None:
    rental = friends.lent(0, 0.2)
    friends.forward("13m")
    friends.street.do("ignition", on=True)
    path = f"/cars/{friends.car}/state"
    until(lambda: friends.olga.get(path)["drivable"]["value"] is True, "the ignition to be seen")
    assert "ignition" in [one["code"] for one in close(friends, rental, "not-ready")["conditions"]]


def test_a_driver_who_still_has_it_keeps_the_owner_from_closing(friends: Friends) -> None:
    rental = friends.lent(0, 0.2)
    friends.forward("13m")
    friends.max.post(f"/rentals/{rental}/still-have-it", want=200)
    assert "car_back" in [one["code"] for one in close(friends, rental, "not-ready")["conditions"]]


def test_after_the_planned_end_the_owner_who_has_the_car_closes_it(friends: Friends) -> None:
    rental = friends.lent(0, 0.2)
    friends.forward("13m")
    friends.olga.post(f"/rentals/{rental}/close", {"i_have_the_car": True}, want=200)
    assert friends.state(rental) == "ended"
    assert friends.max.pushed("rental_closed_by_hand", rental)


def test_after_an_unanswered_lock_the_owner_closes_before_the_planned_end(friends: Friends) -> None:
    rental = friends.lent()
    friends.park()
    friends.street.fault("offline")
    until(lambda: not friends.street.state()["connected"], "the box to be gone")
    body = {"keys_in_glove_box": True}
    friends.max.refused("POST", f"/rentals/{rental}/lock", body, slug="box-silent", headers=WAIT)
    friends.olga.post(f"/rentals/{rental}/close", {"i_have_the_car": True}, want=200)
    assert friends.state(rental) == "ended"


def test_the_cover_of_a_rental_closed_by_hand_goes_on_while_the_driver_may_object(friends: Friends) -> None:
    rental = friends.lent(0, 0.2)
    friends.forward("13m")
    friends.olga.post(f"/rentals/{rental}/close", {"i_have_the_car": True}, want=200)
    assert friends.rental(rental)["cover"]["state"] == "active"
    friends.place.flask("clock", "forward", "16m")
    until(lambda: friends.rental(rental)["cover"]["state"] == "closed", "the cover to close")


def test_a_driver_who_objects_to_a_close_by_hand_stays_covered(friends: Friends) -> None:
    rental = friends.lent(0, 0.2)
    friends.forward("13m")
    friends.olga.post(f"/rentals/{rental}/close", {"i_have_the_car": True}, want=200)
    friends.max.post(f"/rentals/{rental}/still-have-it", want=200)
    friends.place.flask("clock", "forward", "20m")
    friends.wake()
    assert friends.rental(rental)["cover"]["state"] == "active"


def test_an_operator_closes_what_no_box_can(friends: Friends) -> None:
    rental = friends.lent()
    friends.place.flask("operator", "rental", "close", rental, "--reason", "towed")
    shown = friends.rental(rental)
    assert (shown["state"], shown["cover"]["state"]) == ("ended", "closed")


def test_a_paid_rental_is_settled_when_the_time_for_charges_is_over(friends: Friends) -> None:
    rental = friends.lent()
    friends.lock(rental)
    ended = datetime.fromisoformat(friends.rental(rental)["actual"]["to"])
    friends.place.flask("clock", "forward", "13d")
    assert friends.state(rental) == "ended"
    friends.place.flask("clock", "forward", "25h")
    friends.becomes(rental, "settled")
    assert friends.now() - ended > timedelta(days=14)

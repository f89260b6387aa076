"""The same thing, asked by many at the same moment: one effect, and a clean refusal for each of the others."""

import itertools
import secrets
from collections import Counter

import pytest

from app.demo_cast import until
from app.supervisor import Supervisor
from tests.flows.friends import SILENT_BOX, WAIT, Friends
from tests.flows.known import known
from tests.races.at_once import at_once, shot


def test_of_16_bookings_of_one_slot_one_wins_and_15_hear_car_taken(place: Supervisor) -> None:
    circle = Friends(place, street=False)
    drivers = [circle.max, *(known(place, f"Driver {n}") for n in range(3))]
    for driver in drivers[1:]:
        circle.let_in(driver)
    calls = []
    for number in range(16):
        driver = drivers[number % len(drivers)]
        quote = driver.post("/quotes", circle.span(24, 26), want=201)
        calls.append(shot(driver, "POST", "/rentals", circle.booking(quote)))
    answers = at_once(calls)
    assert Counter((one.status, one.slug) for one in answers) == {(201, ""): 1, (409, "car-taken"): 15}
    assert all("free_nearby" in one.body for one in answers if one.status == 409)
    booked = circle.olga.get("/rentals", **{"as": "owner", "state": "booked"})["items"]
    assert len(booked) == 1


def test_overlapping_bookings_never_both_stand(place: Supervisor) -> None:
    circle = Friends(place, street=False)
    starts = (24, 24.5, 25, 25.5, 26, 26.5, 27, 27.5)
    calls = [
        shot(circle.max, "POST", "/rentals", circle.booking(circle.quote(start, start + 1)))
        for start in starts
    ]
    answers = at_once(calls)
    assert {one.status for one in answers} <= {201, 409}
    spans = sorted((one.body["span"]["from"], one.body["span"]["to"]) for one in answers if one.status == 201)
    assert spans
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))


def test_of_bookings_of_two_cars_in_a_week_of_one_rental_one_is_taken(place: Supervisor) -> None:
    circle = Friends(place, rules={"per_week": 1}, street=False)
    other = circle.olga.add_car()
    circle.olga.offer(other, circle.community, {"currency": "EUR"})
    circle.olga.put(f"/cars/{other}/box", SILENT_BOX)
    calls = []
    for car in (circle.car, other) * 4:
        quote = circle.max.post("/quotes", {**circle.span(1, 2), "car": car}, want=201)
        calls.append(shot(circle.max, "POST", "/rentals", circle.booking(quote)))
    answers = at_once(calls)
    assert Counter(one.status for one in answers) == {201: 1, 409: 7}


@pytest.mark.parametrize("round_", range(6))
def test_of_approve_and_withdraw_one_is_done_and_the_other_told_why_not(
    place: Supervisor, round_: int
) -> None:
    circle = Friends(place, approval="always", street=False)
    rental = circle.book(24, 26)
    approve, withdraw = at_once(
        [
            shot(circle.olga, "POST", f"/rentals/{rental}/approve", after_s=0.002 * (round_ % 3)),
            shot(circle.max, "POST", f"/rentals/{rental}/withdraw"),
        ]
    )
    assert sorted((approve.status, withdraw.status)) == [200, 409]
    loser = approve if approve.status == 409 else withdraw
    assert loser.slug == "step-not-allowed"
    assert circle.state(rental) == ("booked" if approve.status == 200 else "withdrawn")


@pytest.mark.must_hold("eight taps at once on one phone")
def test_eight_taps_on_unlock_are_one_command(circle: Friends) -> None:
    rental = circle.book()
    until(lambda: circle.max.get(f"/rentals/{rental}/readiness", step="unlock")["ready"] or None, "readiness")
    answers = at_once([shot(circle.max, "POST", f"/rentals/{rental}/unlock", **WAIT) for _ in range(8)])
    assert {one.status for one in answers} <= {200, 202}, answers
    assert len({one.body["id"] for one in answers}) == 1
    circle.becomes(rental, "active")
    log = circle.street.log()
    assert [one["executed"] for one in log] == [1]


def test_a_link_for_one_makes_one_member(place: Supervisor) -> None:
    circle = Friends(place, street=False)
    link = circle.olga.post(
        f"/communities/{circle.community}/invitations", {"uses": 1, "label": "one"}, want=201
    )
    before = len(circle.olga.get(f"/communities/{circle.community}/members")["items"])
    strangers = [known(place, f"Stranger {n}") for n in range(5)]
    answers = at_once([shot(one, "POST", f"/invitations/{link['code']}/accept") for one in strangers])
    assert sorted(one.status for one in answers)[1:] == [410] * 4, answers
    assert {one.slug for one in answers if one.status == 410} == {"invitation-gone"}
    assert len(circle.olga.get(f"/communities/{circle.community}/members")["items"]) == before + 1


def test_one_person_accepting_five_times_is_one_member_and_one_use(place: Supervisor) -> None:
    circle = Friends(place, street=False)
    link = circle.olga.post(f"/communities/{circle.community}/invitations", {"uses": 5}, want=201)
    stranger = known(place, "Stranger")
    answers = at_once([shot(stranger, "POST", f"/invitations/{link['code']}/accept") for _ in range(5)])
    done = [one for one in answers if one.status < 300]
    assert len(done) == 1
    assert {one.slug for one in answers if one not in done} == {"already-exists"}


def test_twelve_posts_with_one_key_are_one_rental(place: Supervisor) -> None:
    circle = Friends(place, street=False)
    body, key = circle.booking(circle.quote(24, 26)), secrets.token_urlsafe(16)
    answers = at_once([shot(circle.max, "POST", "/rentals", body, key=key) for _ in range(12)])
    made = [one for one in answers if one.status == 201]
    assert {one.slug for one in answers if one.status != 201} <= {"idempotency-busy"}
    assert len({one.body["id"] for one in made}) == 1
    assert len(circle.max.get("/rentals")["items"]) == 1


def test_one_key_for_two_different_bodies_makes_one_of_them(place: Supervisor) -> None:
    olga, key = known(place, "Olga Owner"), secrets.token_urlsafe(16)
    bodies = [{"name": f"Circle {n}", "kind": "circle"} for n in range(6)]
    answers = at_once([shot(olga, "POST", "/communities", body, key=key) for body in bodies])
    assert [one.status for one in answers].count(201) == 1
    assert {one.slug for one in answers if one.status != 201} <= {
        "idempotency-busy",
        "idempotency-key-reused",
    }
    assert len(olga.get("/communities")["items"]) == 1

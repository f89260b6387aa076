"""Another car in place of one that fails before the unlock: price and cover kept, and everybody told."""

from typing import Any

import pytest

from app.billing import hold
from app.cars import box as boxes
from app.cars.models import Car
from app.communities import make as communities
from app.communities.models import Membership
from app.kit import clock
from app.kit.db import session
from tests.billing.desk import Desk
from tests.rentals.plans import HOUR, Plan, plan
from tests.rentals.test_feeds import events


@pytest.fixture
def two(desk: Desk) -> tuple[Plan, str]:
    """A second car, Nina's, that costs more."""
    made = plan(desk)
    return made, made.car(made.nina, {"currency": "EUR", "hour": 900})


def bar(one: Plan) -> None:
    """Olga finds her car unsafe."""
    body = {"part": "wheels", "text": "A flat tyre.", "unsafe": True}
    one.post(one.lending.olga, f"/cars/{one.lending.car_id}/damages", 201, body)


def swap(one: Plan, rental: str, car: str, status: int = 201, **body: Any) -> Any:
    return one.post(one.lending.max, f"/rentals/{rental}/swap", status, {"car": car, **body})


def test_the_slot_of_the_failed_car_is_free_at_once_where_no_grant_is_out(two: tuple[Plan, str]) -> None:
    one, other = two
    rental = one.book(begins=3)
    bar(one)
    new = swap(one, rental, other)["id"]
    assert one.slot(one.lending.car_id, rental) == []
    assert [kind for kind, _, _ in one.slot(other, new)] == ["rental", "buffer"]


def test_the_driver_pays_the_frozen_price_and_the_other_owner_earns_by_it(two: tuple[Plan, str]) -> None:
    one, other = two
    rental = one.book(hours=2)
    bar(one)
    new = swap(one, rental, other)["id"]
    one.lending.car_id = other
    one.lending.unlock(new)
    one.follow()
    one.forward(1)
    shown = one.ends(new)
    total = shown["final_price"]["total"]["amount"]
    assert 900 <= total <= 910, "two hours of the first car's price, half of the unused one given back"
    assert one.money(new) == {"state": "captured", "captured": total, "refunded": 0}
    assert one.covers(new) == [(other, "closed")]
    assert one.desk.owes(one.nina.id) == -shown["final_price"]["shares"]["owner"]["amount"] < 0
    assert one.desk.owes(one.lending.olga.id) == 0


def test_who_has_booked_a_car_that_is_found_unsafe_hears_it_while_another_is_free(
    two: tuple[Plan, str],
) -> None:
    one, _ = two
    rental = one.book(begins=100)
    one.news()
    bar(one)
    assert one.news() == {"Max": ["booked_at_risk.driver"]}
    told = one.message(one.lending.max, "booked_at_risk.driver")
    assert [action["link"].rsplit("/", 1)[-1] for action in told["actions"]] == ["alternatives", "swap"]
    assert rental in told["actions"][0]["link"]


def test_a_later_change_of_terms_touches_neither_the_frozen_quote_nor_what_took_its_place(
    two: tuple[Plan, str],
) -> None:
    one, other = two
    rental = one.book(begins=3)
    path = f"/cars/{one.lending.car_id}/communities/{one.lending.community}/terms"
    one.ask(one.lending.olga, "PUT", path, body={"currency": "EUR", "hour": 5000})
    bar(one)
    made = swap(one, rental, other)
    assert made["quote"]["total"]["amount"] == 1200
    assert (
        made["quote"]["terms_version"]
        == one.get(one.lending.max, f"/rentals/{rental}")["quote"]["terms_version"]
    )


def test_a_late_car_is_swapped_until_its_driver_says_to_be_back_in_time(two: tuple[Plan, str]) -> None:
    one, other = two
    out = one.out(hours=1)
    waiting = one.book(begins=4, hours=2, who=one.nina)
    mine = one.car(one.lending.olga, {})
    refused = one.post(one.nina, f"/rentals/{waiting}/swap", 409, {"car": mine})
    assert refused["type"] == "/problems/step-not-allowed"
    one.forward(1.5)
    one.hear(one.lending.car_id, other, mine)
    told = one.message(one.nina, "rental_late.next_driver")
    assert [action["link"].rsplit("/", 1)[-1] for action in told["actions"]] == ["alternatives", "swap"]
    body = {"back_at": clock.z(clock.now() + HOUR)}
    one.post(one.lending.max, f"/rentals/{out}/late", 200, body)
    one.post(one.nina, f"/rentals/{waiting}/swap", 409, {"car": mine})
    body = {"back_at": clock.z(clock.now() + 5 * HOUR)}
    one.post(one.lending.max, f"/rentals/{out}/late", 200, body)
    found = one.get(one.nina, f"/rentals/{waiting}/alternatives")["items"]
    assert [car["id"] for car in found] == [mine], "not Nina's own, nor the car that is late"
    assert one.post(one.nina, f"/rentals/{waiting}/swap", 201, {"car": mine})["car"] == mine
    assert one.told(one.lending.olga, waiting)[-1] == "rental_swapped.owner"


def test_a_missing_car_is_said_by_its_driver_at_the_start_alone(two: tuple[Plan, str]) -> None:
    one, other = two
    one.companion(one.lending.car_id)
    rental = one.book(begins=1)
    one.get(one.lending.max, f"/rentals/{rental}/grant")
    assert swap(one, rental, other, 409)["type"] == "/problems/step-not-allowed"
    assert swap(one, rental, other, 409, missing=True)["type"] == "/problems/step-not-allowed"
    one.forward(1.1)
    one.hear(one.lending.car_id, other)
    assert swap(one, rental, other, 409)["type"] == "/problems/step-not-allowed"
    made = swap(one, rental, other, missing=True)
    assert [grant.revoked_for for grant in one.grants(rental)] == ["swapped"]
    assert "not where it should be" in one.message(one.lending.olga, "rental_swapped.owner")["body"]
    [rent, _] = one.slot(other, made["id"])
    assert rent[1] > clock.now() - HOUR / 60, "of the other car only what is left is taken"


def has_return_place(one: Plan, radius_m: int = 200) -> None:
    """Olga's car is brought back to its place."""
    session.get_one(Car, one.lending.car_id).return_rule = {"kind": "place", "radius_m": radius_m}
    session.commit()


def test_a_car_that_its_box_reports_at_its_place_is_not_missing(two: tuple[Plan, str]) -> None:
    one, other = two
    has_return_place(one)
    rental = one.book(hours=4)
    one.hear(one.lending.car_id, other)
    refused = swap(one, rental, other, 409, missing=True)
    assert (refused["type"], "cancel" in refused["steps"]) == ("/problems/step-not-allowed", True)
    assert "at its place" in refused["detail"]
    assert "48.8" not in str(refused), "no coordinates"
    assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "booked"
    bar(one)
    swap(one, rental, other, missing=True)
    assert "not where it should be" not in one.message(one.lending.olga, "rental_swapped.owner")["body"]


@pytest.mark.parametrize("why", ["elsewhere", "long ago", "far in a wide zone", "never said", "carried off"])
def test_without_a_late_reading_at_its_place_the_drivers_word_is_taken(
    two: tuple[Plan, str], why: str
) -> None:
    one, other = two
    has_return_place(one, 5000 if why == "far in a wide zone" else 200)
    rental = one.book(hours=4)
    far = {"latitude": 48.8666} if why in ("elsewhere", "far in a wide zone") else {}
    one.hear(one.lending.car_id, **far)
    box = boxes.find(one.lending.car_id)
    if why == "never said":
        box.state = {name: said for name, said in box.state.items() if name != "latitude"}
    if why == "carried off":
        since = {"since": clock.z(clock.now()), "rental": None, "owner": False}
        box.watch = {**box.watch, "alerts": {"carried": since}}
    if why == "long ago":
        long_ago = {"value": 48.8566, "at": clock.z(clock.now() - 11 * HOUR / 60)}
        box.state = {**box.state, "latitude": long_ago}
    session.commit()
    swap(one, rental, other, missing=True)
    assert "not where it should be" in one.message(one.lending.olga, "rental_swapped.owner")["body"]


def test_the_time_to_come_runs_from_a_swap_after_the_start(two: tuple[Plan, str]) -> None:
    one, other = two
    rental = one.book(hours=4)
    one.forward(0.9)
    one.hear(one.lending.car_id, other)
    bar(one)
    new = swap(one, rental, other)["id"]
    one.forward(0.5)
    assert one.get(one.lending.max, f"/rentals/{new}")["state"] == "booked"
    one.hear(other)
    one.forward(0.6)
    assert one.get(one.lending.max, f"/rentals/{new}")["state"] in ("no_show", "cancelled")


def test_only_what_can_be_swapped_to_is_offered_and_the_rest_is_refused_with_its_reason(desk: Desk) -> None:
    one = plan(desk)
    silent, abroad = one.car(one.nina, {}), one.car(one.nina, {})
    taken, good = one.car(one.nina, {}), one.car(one.nina, {})
    mine = session.query(Membership).filter_by(
        community_id=one.lending.community, person_id=one.lending.max.id
    )
    mine.one().role = "manager"
    session.commit()
    own = one.car(one.lending.max, {})
    rental = one.book(begins=0.5)
    one.book(begins=1, who=one.lending.olga, car=taken)
    boxes.find(silent).last_heard_at = clock.now() - 2 * HOUR
    session.get_one(Car, abroad).country = "BE"
    session.commit()
    bar(one)
    found = one.get(one.lending.max, f"/rentals/{rental}/alternatives")["items"]
    assert [car["id"] for car in found] == [good]
    assert found[0]["total"] == {"amount": 1200, "currency": "EUR"}
    slugs = {
        silent: "not-ready",
        abroad: "not-allowed",
        taken: "car-taken",
        own: "own-car",
        one.lending.car_id: "validation",
    }
    for car, slug in slugs.items():
        answer = swap(
            one, rental, car, {"not-allowed": 403, "own-car": 409, "validation": 422}.get(slug, 409)
        )
        assert answer["type"] == f"/problems/{slug}", car
    assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "booked"
    assert one.money(rental)["state"] == "held"
    swap(one, rental, good)
    assert swap(one, rental, good, 409)["type"] == "/problems/step-not-allowed"


def test_where_owners_are_asked_only_who_agreed_already_lends_without_asking(desk: Desk) -> None:
    one = plan(desk)
    same, another = one.car(one.lending.olga, {}), one.car(one.nina, {})
    rules = {"rules": {"approval": "always"}}
    communities.change(one.lending.olga.id, one.lending.community, rules, lambda _: None)
    rental = one.book(begins=3)
    one.post(one.lending.olga, f"/rentals/{rental}/approve")
    bar(one)
    found = one.get(one.lending.max, f"/rentals/{rental}/alternatives")["items"]
    assert [car["id"] for car in found] == [same]
    assert swap(one, rental, another, 403)["type"] == "/problems/not-allowed"
    assert swap(one, rental, same)["car"] == same


def test_the_other_cars_policy_judges_anew(two: tuple[Plan, str]) -> None:
    one, other = two
    rental = one.book(begins=3)
    bar(one)
    session.get_one(Car, other).declared_value = {"amount": 9_000_000, "currency": "EUR"}
    session.commit()
    refused = swap(one, rental, other, 409)
    assert refused["type"] == "/problems/not-insurable"
    assert one.get(one.lending.max, f"/rentals/{rental}")["state"] == "booked"


def test_named_drivers_go_with_the_driver(two: tuple[Plan, str]) -> None:
    one, _ = two
    mine = one.car(one.lending.olga, {})
    rental = one.book(begins=3)
    one.ask(one.lending.max, "PUT", f"/rentals/{rental}/drivers/{one.nina.id}", 200)
    bar(one)
    made = swap(one, rental, mine)
    assert [driver["id"] for driver in made["named_drivers"]] == [one.nina.id]
    assert one.told(one.nina, made["id"]) == ["driver_named"]


def test_only_the_driver_swaps_and_a_stranger_knows_nothing_of_it(two: tuple[Plan, str]) -> None:
    one, other = two
    rental = one.book(begins=3)
    bar(one)
    one.post(one.lending.olga, f"/rentals/{rental}/swap", 403, {"car": other})
    one.post(one.nina, f"/rentals/{rental}/swap", 404, {"car": other})
    swap(one, rental, "car_" + "0" * 32, 404)


def test_calendars_count_the_swap_among_the_changes_of_both(two: tuple[Plan, str]) -> None:
    one, other = two
    max_ = one.lending.max
    url = one.post(max_, "/me/calendar-feeds", 201, {})["url"]

    def read() -> dict[str, tuple[int, str]]:
        found = events(one.desk.app, "/feeds/" + url.partition("/feeds/")[2])
        return {
            str(event["UID"]).partition("@")[0]: (int(event["SEQUENCE"]), str(event["STATUS"]))
            for event in found
        }

    rental = one.book(begins=30)
    assert read() == {rental: (0, "CONFIRMED")}
    bar(one)
    new = swap(one, rental, other)["id"]
    assert read() == {rental: (1, "CANCELLED"), new: (0, "CONFIRMED")}
    one.post(max_, f"/rentals/{new}/cancel", 200, {"reason": "another plan"})
    assert read()[new] == (1, "CANCELLED")


def test_what_is_not_held_yet_is_held_for_the_rental_that_took_its_place(two: tuple[Plan, str]) -> None:
    one, other = two
    rental = one.book(begins=30)
    assert one.money(rental)["state"] == "hold_due"
    bar(one)
    new = swap(one, rental, other)["id"]
    one.forward(7)
    assert one.money(new)["state"] == "held"
    assert hold.all_of(rental) == []

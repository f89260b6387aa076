from typing import Any

import pytest

from app.demo_cast import Actor, CarOnTheStreet, hours, inst, until
from app.supervisor import Supervisor
from tests.flows.friends import WAIT, Friends
from tests.flows.known import known

WHOLE: dict[str, Any] = {
    "plate": "GLV-777-XY",
    "vin": "WME4533391K123456",
    "make": "smart",
    "model": "EQ forfour",
    "powertrain": "electric",
    "seats": 4,
    "country": "FR",
    "time_zone": "Europe/Paris",
    "home": {"lat": 48.8566, "lon": 2.3522, "label": "Place de la Mairie"},
    "return": {"kind": "zone", "radius_m": 500},
    "note": "Second key at the concierge.",
    "charge_rule": {"min_start": 20, "plug_below": 30},
    "yearly_cost": {"amount": 360_000, "currency": "EUR"},
    "first_registration": "2024-05-01",
    "inspection_until": "2036-05-01",
    "declared_value": {"amount": 1_500_000, "currency": "EUR"},
}


@pytest.fixture
def olga(place: Supervisor) -> Actor:
    return known(place, "Olga Owner")


@pytest.fixture
def paired(olga: Actor) -> tuple[str, CarOnTheStreet]:
    car = olga.add_car()
    return car, olga.pair_box(car)


def command(who: Actor, car: str, kind: str, **options: Any) -> Any:
    return who.post(f"/cars/{car}/commands", {"kind": kind}, headers=WAIT, **options)


def test_a_car_comes_back_with_every_field_it_was_given(olga: Actor) -> None:
    made = olga.post("/cars", WHOLE, want=201)
    home = {**WHOLE["home"], "exact": True}
    assert {**made, "home": {**made["home"], "exact": True}} == {
        **WHOLE,
        "home": home,
        "id": made["id"],
        "owner": olga.id,
        "community": None,
        "state": "no_box",
    }
    assert olga.get(f"/cars/{made['id']}") == made
    olga.call("DELETE", f"/cars/{made['id']}", want=204)


def test_a_plate_is_registered_once_however_it_is_written(olga: Actor) -> None:
    car = olga.add_car()
    plate = olga.get(f"/cars/{car}")["plate"].lower().replace("-", " ")
    olga.refused("POST", "/cars", {**WHOLE, "plate": plate}, slug="already-exists")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seats", 0),
        ("seats", 10),
        ("vin", "WME4533391K12345O"),
        ("country", "US"),
        ("time_zone", "Europe/Nowhere"),
        ("powertrain", "steam"),
        ("home", {"lat": 91, "lon": 0, "label": ""}),
        ("declared_value", {"amount": 1_500_000, "currency": "GBP"}),
    ],
)
def test_a_car_with_a_field_that_cannot_be_is_refused_by_name(olga: Actor, field: str, value: Any) -> None:
    refusal = olga.refused("POST", "/cars", {**WHOLE, field: value}, slug="validation")
    assert {one["pointer"].split("/")[1] for one in refusal["errors"]} == {field}


def test_a_change_needs_the_state_it_was_made_on(olga: Actor) -> None:
    car = olga.add_car()
    assert olga.patch(f"/cars/{car}", {"seats": 3})["seats"] == 3
    olga.refused("PATCH", f"/cars/{car}", {"seats": 4}, slug="precondition-required")
    stale = {"If-Match": '"0000"'}
    olga.refused("PATCH", f"/cars/{car}", {"seats": 4}, slug="precondition-failed", headers=stale)


def test_a_stranger_does_not_learn_that_a_car_exists(olga: Actor) -> None:
    car = olga.add_car()
    charlie = known(olga.place, "Charlie Stranger")
    charlie.refused("GET", f"/cars/{car}", slug="not-found")
    charlie.refused("POST", f"/cars/{car}/commands", {"kind": "unlock"}, slug="not-found")


def test_a_paired_box_is_heard_and_its_password_shown_once(
    paired: tuple[str, CarOnTheStreet], olga: Actor
) -> None:
    shown = olga.get(f"/cars/{paired[0]}/box")
    assert (shown["state"], shown.get("credentials")) == ("heard", None)
    assert shown["config"]["pin"] == "****"
    assert olga.get(f"/cars/{paired[0]}")["state"] == "ready"


def test_with_nobody_else_in_custody_olga_pings_unlocks_and_locks(
    paired: tuple[str, CarOnTheStreet], olga: Actor
) -> None:
    car, street = paired
    for kind in ("ping", "unlock", "lock"):
        done = command(olga, car, kind, want=200)
        assert (done["state"], done["evidence"]) == ("confirmed", "strong")
        assert street.state()["car"]["locked"] is (kind != "unlock")
    assert [one["line"].split()[0] for one in street.log()] == ["unlock", "lock"]


def test_custody_stays_with_the_owner_who_opens_her_own_car(
    paired: tuple[str, CarOnTheStreet], olga: Actor
) -> None:
    command(olga, paired[0], "unlock", want=200)
    held = olga.get(f"/cars/{paired[0]}/custody", at=inst(olga.now()))
    assert (held["holder"], held["first_name"], held["to"]) == ("owner", "Olga", None)


def test_the_state_of_the_car_is_read_without_a_place(
    paired: tuple[str, CarOnTheStreet], olga: Actor
) -> None:
    def told() -> Any:
        state = olga.get(f"/cars/{paired[0]}/state")
        return state if (state["locked"]["value"], state["charge_percent"]["value"]) == (True, 80) else None

    state = until(told, "lock and charge")
    assert not [name for name in state if "lat" in name or "lon" in name]


def test_a_box_works_on_its_old_account_until_it_is_heard_on_the_new_one(
    paired: tuple[str, CarOnTheStreet], olga: Actor
) -> None:
    car, street = paired
    given = olga.post(f"/cars/{car}/box/rotate", want=200)["credentials"]
    street.fault("reconnect")
    assert until(lambda: command(olga, car, "ping", want=(200, 409)).get("state") == "confirmed", "a ping")
    olga.place.control(
        "simulator",
        "POST",
        "boxes",
        **{name: given[name] for name in ("username", "password", "vehicle")},
        profile="DEMO",
        pin="4711",
    )
    until(lambda: olga.get(f"/cars/{car}/box")["next_username"] is None, "a word on the new account")

    def refused() -> bool:
        street.fault("reconnect")
        return bool(street.state()["refused"])

    until(refused, "the old password to be refused")
    assert until(lambda: command(olga, car, "ping", want=(200, 409)).get("state") == "confirmed", "a ping")


def test_a_box_taken_out_is_cut_from_the_broker(paired: tuple[str, CarOnTheStreet], olga: Actor) -> None:
    car, street = paired
    olga.call("DELETE", f"/cars/{car}/box", want=204)
    olga.refused("GET", f"/cars/{car}/box", slug="not-found")

    def cut() -> bool:
        street.fault("reconnect")
        return bool(street.state()["refused"])

    until(cut, "the account to be cut")
    assert olga.get(f"/cars/{car}")["state"] == "no_box"


def test_a_box_cannot_be_taken_out_of_a_lent_car(friends: Friends) -> None:
    rental = friends.lent()
    refusal = friends.olga.refused("DELETE", f"/cars/{friends.car}/box", slug="in-use")
    assert refusal["by"] == [f"rental {rental}"]
    friends.olga.refused("POST", f"/cars/{friends.car}/box/rotate", slug="in-use")


def test_a_car_with_a_booking_cannot_be_removed(friends: Friends) -> None:
    rental = friends.book(1, 2)
    refusal = friends.olga.refused("DELETE", f"/cars/{friends.car}", slug="in-use")
    assert f"rental {rental}" in refusal["by"]


def test_every_command_of_the_owner_is_refused_while_the_car_is_lent(friends: Friends) -> None:
    friends.lent()
    before = len(friends.street.log())
    for kind in ("unlock", "lock", "ping", "charge_start"):
        body = {"kind": kind}
        friends.olga.refused("POST", f"/cars/{friends.car}/commands", body, slug="car-lent")
    assert len(friends.street.log()) == before


def test_after_the_lock_the_car_is_the_owners_to_open_again(friends: Friends) -> None:
    rental = friends.lent()
    friends.lock(rental)
    done = friends.olga.post(f"/cars/{friends.car}/commands", {"kind": "unlock"}, headers=WAIT, want=200)
    assert done["state"] == "confirmed"


def test_a_member_reads_a_point_near_the_home_and_not_the_plate(friends: Friends) -> None:
    seen = friends.max.get(f"/cars/{friends.car}")
    assert (seen["plate"], seen["vin"], seen["home"]["exact"]) == (None, None, False)
    assert abs(seen["home"]["lat"] - 48.8566) <= 0.0046
    assert seen["home"]["label"] == ""


def test_plate_and_place_show_to_the_driver_from_one_hour_before_the_start(friends: Friends) -> None:
    rental = friends.book(2, 3)
    assert friends.rental(rental)["plate"] is None
    friends.max.refused("GET", f"/cars/{friends.car}/place", slug="place-hidden")
    friends.forward("61m")
    shown = friends.rental(rental)
    assert (shown["plate"], shown["place"]["exact"]) == (friends.plate, True)
    assert friends.max.get(f"/cars/{friends.car}/place")["exact"] is True


def test_while_the_car_is_lent_its_place_is_hidden_from_the_owner(friends: Friends) -> None:
    friends.lent()
    friends.olga.refused("GET", f"/cars/{friends.car}/place", slug="place-hidden")
    assert friends.max.get(f"/cars/{friends.car}/place")["exact"] is True


def test_custody_answers_who_held_the_car_at_an_instant(friends: Friends) -> None:
    before = inst(friends.now())
    rental = friends.lent()
    during = inst(friends.now())
    friends.lock(rental)
    path = f"/cars/{friends.car}/custody"
    assert friends.olga.get(path, at=before)["holder"] == "owner"
    held = friends.olga.get(path, at=during)
    assert (held["holder"], held["rental"], held["first_name"]) == ("driver", rental, "Max")
    assert friends.olga.get(path, at=inst(friends.now()))["holder"] == "owner"
    later = inst(friends.now() + hours(1))
    friends.olga.refused("GET", path, slug="validation", at=later)

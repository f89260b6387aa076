from app.demo_cast import until
from app.supervisor import Supervisor
from tests.flows.friends import WAIT, Friends

UNLOCK = (
    "state time car_back other_rental membership licence accepted phone payment cover command box capability"
    " charge photos safe clock doors battery_12v"
)


def test_readiness_shows_every_condition_of_the_unlock_ahead(friends: Friends) -> None:
    rental = friends.book()
    seen = friends.max.get(f"/rentals/{rental}/readiness", step="unlock")
    assert seen["ready"] is True
    assert [one["code"] for one in seen["conditions"]] == UNLOCK.split()


def test_only_the_driver_asks_for_readiness(friends: Friends) -> None:
    rental = friends.book()
    friends.olga.refused("GET", f"/rentals/{rental}/readiness?step=unlock", slug="not-allowed")


def test_readiness_and_unlock_name_the_same_conditions(friends: Friends) -> None:
    rental = friends.book(2, 3)
    ahead = friends.max.get(f"/rentals/{rental}/readiness", step="unlock")["conditions"]
    refusal = friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="not-ready")
    unmet = [one for one in ahead if not one["met"]]
    assert [one["code"] for one in unmet] == [one["code"] for one in refusal["conditions"]] == ["time"]
    assert unmet[0]["remedy"]


def test_the_unlock_opens_the_car_and_begins_the_rental(friends: Friends) -> None:
    rental = friends.book()
    done = friends.unlock(rental)
    assert (done["kind"], done["state"], done["evidence"]) == ("unlock", "confirmed", "strong")
    shown = friends.rental(rental)
    assert (shown["state"], shown["actual"]["to"], shown["paused"]) == ("active", None, False)
    assert friends.street.state()["car"]["locked"] is False


def test_odometer_and_charge_move_while_max_drives(friends: Friends) -> None:
    friends.lent()
    path = f"/cars/{friends.car}/state"
    before = friends.max.get(path)
    friends.drive(38)

    def driven() -> bool:
        now = friends.max.get(path)
        further = now["odometer_km"]["value"] - before["odometer_km"]["value"]
        return abs(further - 38) < 1 and bool(
            now["charge_percent"]["value"] < before["charge_percent"]["value"]
        )

    until(driven, "the drive to be seen")


def test_a_pause_locks_and_the_rental_goes_on(friends: Friends) -> None:
    rental = friends.lent()
    done = friends.max.post(f"/rentals/{rental}/pause", headers=WAIT, want=200)
    assert (done["kind"], done["state"]) == ("lock", "confirmed")
    shown = friends.rental(rental)
    assert (shown["state"], shown["paused"]) == ("active", True)
    assert shown["cover"]["state"] == "active"
    assert friends.street.state()["car"]["locked"] is True


def test_a_resume_opens_again_under_the_same_cover(friends: Friends) -> None:
    rental = friends.lent()
    cover = friends.rental(rental)["cover"]
    friends.max.post(f"/rentals/{rental}/pause", headers=WAIT, want=200)
    friends.max.post(f"/rentals/{rental}/unlock", headers=WAIT, want=200)
    shown = friends.rental(rental)
    assert (shown["state"], shown["paused"], shown["cover"]) == ("active", False, cover)
    assert friends.street.state()["car"]["locked"] is False


def test_a_resume_asks_for_nothing_but_driver_and_phone(friends: Friends) -> None:
    """Late, with a licence that no longer stands: they must be able to get back in."""
    rental = friends.lent(0, 1)
    friends.max.post(f"/rentals/{rental}/pause", headers=WAIT, want=200)
    friends.max.record_licence()
    friends.forward("3h")
    assert friends.max.post(f"/rentals/{rental}/unlock", headers=WAIT, want=200)["state"] == "confirmed"


def test_a_lock_with_keys_and_doors_in_order_ends_the_rental(friends: Friends) -> None:
    rental = friends.lent()
    friends.drive(12)
    assert friends.unmet(rental, "lock") in ([], ["keys"])
    done = friends.lock(rental)
    assert (done["kind"], done["state"], done["evidence"]) == ("lock", "confirmed", "strong")
    shown = friends.rental(rental)
    assert shown["state"] == "ended"
    assert shown["actual"]["to"] is not None
    assert shown["links"] == {"self": f"/v1/rentals/{rental}"}
    assert friends.street.state()["car"]["locked"] is True


def test_both_get_the_same_receipt(friends: Friends) -> None:
    rental = friends.lent()
    friends.max.refused("GET", f"/rentals/{rental}/receipt", slug="not-found")
    friends.drive(12)
    friends.lock(rental)
    mine, hers = (who.get(f"/rentals/{rental}/receipt") for who in (friends.max, friends.olga))
    assert mine == hers
    assert (mine["km"], mine["plate"], mine["driver"], mine["total"]["amount"]) == (
        12,
        friends.plate,
        "Max",
        0,
    )


def test_both_read_the_same_timeline(friends: Friends) -> None:
    rental = friends.lent()
    friends.lock(rental)

    def told(who: str) -> list[str]:
        items = getattr(friends, who).get(f"/rentals/{rental}/timeline")["items"]
        return [one["kind"] for one in items]

    wanted = {
        "rental_booked",
        "unlock_asked",
        "cover_bound",
        "rental_started",
        "lock_asked",
        "rental_ended",
        "cover_closed",
    }
    until(lambda: "receipt_ready" in told("max"), "the receipt")
    assert wanted <= set(told("max"))
    assert told("max") == told("olga")


def test_an_early_end_frees_the_rest_of_the_slot(friends: Friends) -> None:
    rental = friends.lent(0, 6)
    friends.max.refused("POST", "/quotes", friends.span(1, 2), slug="car-taken")
    friends.lock(rental)
    friends.quote(1, 2)


def test_fifteen_minutes_early_the_car_opens_when_it_is_free(friends: Friends) -> None:
    rental = friends.book(0.24, 2)
    assert friends.unlock(rental)["state"] == "confirmed"


def test_a_driver_has_one_car_at_a_time(friends: Friends) -> None:
    friends.lent(0, 1)
    other = Friends(friends.place)
    other.let_in(friends.max)
    other.olga.clear_licence(other.community, friends.max.id)
    rental = other.book(who=friends.max)
    assert other.unmet(rental, who=friends.max) == ["other_rental"]


def test_the_driver_pings_and_charges_while_the_car_is_his(friends: Friends) -> None:
    rental = friends.lent()
    for kind in ("ping", "charge_stop"):
        path = f"/cars/{friends.car}/commands"
        friends.max.post(path, {"kind": kind}, headers=WAIT, want=(200, 409))
    body = {"kind": "lock"}
    friends.max.refused("POST", f"/cars/{friends.car}/commands", body, slug="not-allowed")
    friends.lock(rental)
    friends.max.refused("POST", f"/cars/{friends.car}/commands", {"kind": "ping"}, slug="not-allowed")


def test_a_charge_rule_wants_enough_charge_at_the_start(place: Supervisor) -> None:
    friends = Friends(place, car={"charge_rule": {"min_start": 50}})
    rental = friends.book()
    friends.street.do("battery", percent=30)
    friends.street.do("ignition", on=True)
    friends.street.do("ignition", on=False)
    until(lambda: friends.unmet(rental) == ["charge"], "the low charge to be seen")
    friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="not-ready")

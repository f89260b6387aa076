"""Swaps beside what opens the failed car: whoever has it is covered for just as long, and one who never opens it is not."""

import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from app.demo_cast import inst, until
from app.supervisor import Supervisor
from carbox.phone import PhoneInHand, near
from tests.flows.friends import WAIT, Friends, two
from tests.flows.test_7_cover import Insurer
from tests.races.at_once import Shot, at_once, shot

UNUSED = {"conditional", "void"}
"""States of covers under which nobody has had a car."""
JITTERS = ((0.0, 0.0), (0.0, 0.012))
"""How long the swap waits, and how long what it races."""


@dataclass
class Garage:
    """Max has booked the car in front of whose companion he stands; another of Olga's, on the street, is spare."""

    circle: Friends
    port: int
    insurer: Insurer
    spare: str
    rental: str = ""
    phone: PhoneInHand = field(default_factory=PhoneInHand)

    def book(self, *, granted: bool) -> None:
        circle = self.circle
        self.rental = circle.book()
        circle.ready(self.rental)
        assert circle.max.key is not None
        self.phone = PhoneInHand(circle.max.key)
        if granted:
            self.phone.fetched = circle.max.get(f"/rentals/{self.rental}/grant")

    def at_the_box(self, verb: str) -> None:
        with near(self.port) as box:
            self.phone.do(verb, box)

    def beside_the_swap(
        self, method: str, path: str, body: Any, jitter: tuple[float, float], **headers: Any
    ) -> tuple[Shot, Shot]:
        """What became of the swap, and of the call of the same moment; neither is an error of ours."""
        max_ = self.circle.max
        asked = {"car": self.spare, "missing": True}
        swap = shot(max_, "POST", f"/rentals/{self.rental}/swap", asked, after_s=jitter[0])
        other = shot(max_, method, path, body, after_s=jitter[1], **headers)
        swapped, answered = at_once([swap, other])
        assert swapped.status in (201, 409), swapped
        assert answered.status < 500, answered
        return swapped, answered

    # -- what must hold

    def covers(self, car: str) -> list[Any]:
        """What the insurer reads of the car's covers, the oldest first."""
        plate = self.circle.olga.get(f"/cars/{car}")["plate"]
        items = self.insurer.ask("/covers", limit=100)["items"]
        return [one for one in reversed(items) if one["car"]["plate"] == plate]

    def standing(self, car: str, *wanted: str) -> list[Any]:
        """The covers of the car, once they are sealed in these states; no two of them at one instant."""

        def look() -> Any:
            found = self.covers(car)
            return (found,) if [one["state"] for one in found] == list(wanted) else None

        try:
            found: list[Any] = until(look, f"covers {wanted}")[0]
        except TimeoutError as late:
            raise TimeoutError(f"{late}: they are {[one['state'] for one in self.covers(car)]}") from late
        lasting = [one["liability"] for one in found if one["state"] not in UNUSED]
        for before, after in pairwise(lasting):
            assert before["to"] is not None
            assert before["to"] <= after["from"]
        return found

    def holder(self, car: str, at: str) -> Any:
        return self.circle.olga.get(f"/cars/{car}/custody", at=at)

    def held_as_covered(self, rental: str, car: str, *states: str) -> None:
        """The last cover is for the very span for which the driver of this rental has had the car."""
        span = self.standing(car, *states)[-1]["liability"]
        held = self.holder(car, span["from"])
        assert (held["holder"], held["rental"]) == ("driver", rental)
        assert (held["from"], held["to"]) == (span["from"], span["to"])

    def never_opened(self, rental: str, car: str, *states: str) -> None:
        """Olga has the car, and of its covers none has begun."""
        assert set(states) <= UNUSED
        self.standing(car, *states)
        assert self.holder(car, inst(self.circle.now()))["holder"] == "owner"
        assert self.circle.state(rental) in ("booked", "cancelled")

    def one_goes_on(self, swapped: Shot) -> None:
        """Of the two rentals at most one is out, and the booking stands once."""
        states = [self.circle.state(self.rental)]
        if swapped.status == 201:
            states.append(self.circle.state(swapped.body["id"]))
            assert states == ["cancelled", "booked"]
        else:
            assert swapped.slug == "step-not-allowed"
            assert states == ["active"]

    def the_new_one_is_driven(self, swapped: Shot) -> None:
        """It has a cover of its own, on the other car."""
        made, max_ = swapped.body["id"], self.circle.max
        until(lambda: not self.circle.unmet(made), "the other car to be ready")
        max_.post(f"/rentals/{made}/unlock", headers=WAIT, want=200)
        self.circle.becomes(made, "active")
        self.held_as_covered(made, self.spare, "active")


@pytest.fixture
def garage(place: Supervisor) -> Garage:
    people = two(place)
    ahead_s = round(people[0].now().timestamp() - time.time())
    companion = place.control("simulator", "POST", "companions", ahead_s=ahead_s)
    circle = Friends(place, people=people, box={"companion": companion["companion"]})
    issuers = circle.olga.get(f"/cars/{circle.car}/box")["grant_issuers"]
    place.control("simulator", "POST", "companions", companion=companion["companion"], issuers=issuers)
    spare = circle.olga.add_car()
    circle.olga.offer(spare, circle.community, {})
    circle.olga.pair_box(spare)
    insurer = Insurer(place, place.parts["insurer"].ready["our_client"])
    return Garage(circle, companion["port"], insurer, spare)


@pytest.mark.parametrize("jitter", JITTERS)
def test_of_a_swap_and_the_receipts_of_the_failed_car_its_use_is_covered_whichever_comes_first(
    garage: Garage, jitter: tuple[float, float]
) -> None:
    garage.book(granted=True)
    garage.at_the_box("unlock")
    body = {"receipts": garage.phone.records}
    swapped, told = garage.beside_the_swap("POST", "/me/offline-receipts", body, jitter)
    assert told.body["results"] == ["accepted"]
    garage.one_goes_on(swapped)
    failed = garage.circle.car
    garage.held_as_covered(garage.rental, failed, "active")
    assert garage.covers(garage.spare) == []
    time.sleep(1)  # a box counts whole seconds
    garage.at_the_box("lock")
    body = {"receipts": garage.phone.records[1:]}
    assert garage.circle.max.post("/me/offline-receipts", body)["results"] == ["accepted"]
    garage.held_as_covered(garage.rental, failed, "closed")


@pytest.mark.parametrize("granted", [True, False])
def test_of_a_swap_and_a_grant_asked_anew_nothing_is_covered_but_what_a_grant_may_open(
    garage: Garage, *, granted: bool
) -> None:
    garage.book(granted=granted)
    path = f"/rentals/{garage.rental}/grant"
    swapped, fetched = garage.beside_the_swap("GET", path, None, (0.0, 0.0))
    assert swapped.status == 201
    assert (fetched.status, fetched.slug) in ((200, ""), (409, "not-ready"))
    garage.one_goes_on(swapped)
    out = granted or fetched.status == 200
    garage.never_opened(garage.rental, garage.circle.car, *(["conditional"] if out else []))
    garage.circle.max.refused("GET", path, slug="not-ready")
    garage.the_new_one_is_driven(swapped)


@pytest.mark.parametrize("jitter", JITTERS)
def test_of_a_swap_and_an_unlock_of_the_failed_car_one_is_done_and_covered(
    garage: Garage, jitter: tuple[float, float]
) -> None:
    garage.book(granted=True)
    path = f"/rentals/{garage.rental}/unlock"
    swapped, unlocked = garage.beside_the_swap("POST", path, None, jitter, **WAIT)
    assert sorted((swapped.status, unlocked.status)) in ([200, 409], [201, 409])
    garage.one_goes_on(swapped)
    if swapped.status == 201:
        assert garage.circle.commands("unlock") == []
        garage.never_opened(garage.rental, garage.circle.car, "conditional")
        garage.the_new_one_is_driven(swapped)
    else:
        garage.held_as_covered(garage.rental, garage.circle.car, "active")
        assert garage.covers(garage.spare) == []

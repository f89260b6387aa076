"""Swaps beside other swaps, bookings and cancellations of the same moment: one is done, and the other is told why not."""

from dataclasses import dataclass
from typing import Any

import pytest

from app.demo_cast import Actor, hours, inst, until
from app.supervisor import Supervisor
from tests.flows.friends import PRICED, SILENT_BOX, Friends
from tests.flows.known import known
from tests.races.at_once import Shot, at_once, shot

JITTERS = (0.0, 0.004, 0.008)


@dataclass
class Lot:
    """Two cars that are unsafe, with a driver who has booked each, and one that is well and spare. All of it priced."""

    circle: Friends
    drivers: list[Actor]
    unsafe: list[str]
    spare: str
    begins: float = 24

    @property
    def cars(self) -> list[str]:
        return [*self.unsafe, self.spare]

    def next_slot(self) -> list[str]:
        """Later than everything before, so far ahead that nothing is held yet; both drivers' rentals then."""
        self.begins += 6
        return [self.book(who, car) for who, car in zip(self.drivers, self.unsafe, strict=True)]

    def quote(self, who: Actor, car: str) -> dict[str, Any]:
        quoted = who.post("/quotes", {**self.span(), "car": car}, want=201)
        return self.circle.booking(quoted)

    def book(self, who: Actor, car: str) -> str:
        return str(who.post("/rentals", self.quote(who, car), want=201)["id"])

    def span(self) -> dict[str, str]:
        now = self.circle.now()
        return {"from": inst(now + hours(self.begins)), "to": inst(now + hours(self.begins + 2))}

    def held(self) -> dict[str, list[str]]:
        """By car, the rentals that hold it around the present slot."""
        now = self.circle.now()
        around = {
            "from": inst(now + hours(self.begins - 1)),
            "to": inst(now + hours(self.begins + 3)),
        }
        found = {}
        for car in self.cars:
            items = self.circle.olga.get(f"/cars/{car}/calendar", **around)["items"]
            found[car] = [one["ref"] for one in items if one["kind"] == "held"]
        return found

    def must_hold(self) -> None:
        """Every rental that stands has its own car, once, and its own money; one that does not has neither."""
        held, lately = self.held(), inst(self.circle.now() + hours(self.begins - 1))
        assert all(len(refs) <= 1 for refs in held.values()), held
        for who in self.drivers:
            for rental in who.get("/rentals", limit=100)["items"]:
                stands = rental["state"] == "booked"
                assert stands or rental["state"] == "cancelled"
                self.wait_for_money(who, rental)
                if rental["span"]["from"] > lately:
                    assert held[rental["car"]].count(rental["id"]) == stands

    def wait_for_money(self, who: Actor, rental: dict[str, Any]) -> None:
        """One hold that is due a day before where it stands; where not, it went on or is given up a moment later."""
        wanted = (["hold_due"],) if rental["state"] == "booked" else ([], ["released"])

        def is_so() -> bool:
            found = who.get(f"/rentals/{rental['id']}/payments")["items"]
            return [one["state"] for one in found] in wanted

        until(is_so, f"the money of {rental['id']}")


@pytest.fixture(scope="module")
def lot(place: Supervisor) -> Lot:
    circle = Friends(place, PRICED, street=False)
    charlie = known(place, "Charlie Stranger")
    circle.let_in(charlie)
    circle.clear(charlie)
    cars = [circle.car]
    for _ in range(2):
        car = circle.olga.add_car()
        circle.olga.offer(car, circle.community, PRICED)
        circle.olga.put(f"/cars/{car}/box", SILENT_BOX)
        cars.append(car)
    drivers = [circle.max, charlie]
    for one in drivers:
        one.save_card()
    for car in cars[:2]:
        body = {"part": "wheels", "text": "A flat tyre.", "unsafe": True}
        circle.olga.post(f"/cars/{car}/damages", body, want=201)
    return Lot(circle, drivers, cars[:2], cars[2])


def swap(who: Actor, rental: str, car: str, after_s: float = 0.0) -> Any:
    return shot(who, "POST", f"/rentals/{rental}/swap", {"car": car}, after_s=after_s)


def the_loser(answers: list[Shot], *slugs: str) -> Shot:
    """Of two answers the refusal, which has one of these reasons; the other is a success."""
    lost = [one for one in answers if one.status >= 300]
    assert [(one.status, one.slug in slugs) for one in lost] == [(409, True)], answers
    return lost[0]


@pytest.mark.parametrize("after_s", JITTERS)
def test_of_two_swaps_to_one_car_one_has_it_and_the_other_keeps_what_they_had(
    lot: Lot, after_s: float
) -> None:
    rentals = lot.next_slot()
    answers = at_once(
        [
            swap(who, rental, lot.spare, pause)
            for who, rental, pause in zip(lot.drivers, rentals, (0.0, after_s), strict=True)
        ]
    )
    lost = answers.index(the_loser(answers, "car-taken"))
    won = answers[1 - lost].body["id"]
    assert answers[lost].body["free_nearby"]
    assert lot.drivers[lost].get(f"/rentals/{rentals[lost]}")["state"] == "booked"
    held = lot.held()
    assert held[lot.spare] == [won]
    assert held[lot.unsafe[1 - lost]] == [], "the failed car of who swapped is free"
    lot.must_hold()


@pytest.mark.parametrize("after_s", JITTERS)
def test_of_a_swap_and_a_booking_of_one_car_one_has_it(lot: Lot, after_s: float) -> None:
    rentals = lot.next_slot()
    max_, charlie = lot.drivers
    booking = shot(charlie, "POST", "/rentals", lot.quote(charlie, lot.spare))
    answers = at_once([swap(max_, rentals[0], lot.spare, after_s), booking])
    the_loser(answers, "car-taken")
    assert len(lot.held()[lot.spare]) == 1
    lot.must_hold()


@pytest.mark.parametrize("who", ["driver", "owner"])
@pytest.mark.parametrize("after_s", JITTERS)
def test_of_a_swap_and_a_cancellation_one_is_done(lot: Lot, after_s: float, who: str) -> None:
    rental = lot.next_slot()[0]
    canceller = lot.drivers[0] if who == "driver" else lot.circle.olga
    cancel = shot(canceller, "POST", f"/rentals/{rental}/cancel", {"reason": "another plan"}, after_s=after_s)
    answers = at_once([swap(lot.drivers[0], rental, lot.spare, 0.004), cancel])
    lost = the_loser(answers, "step-not-allowed")
    assert lost.body["state"] == "cancelled"
    held = lot.held()
    assert held[lot.unsafe[0]] == []
    assert held[lot.spare] == ([answers[0].body["id"]] if lost is answers[1] else [])
    lot.must_hold()


def test_of_one_rental_swapped_twice_at_once_one_swap_is_made(lot: Lot) -> None:
    rental = lot.next_slot()[0]
    answers = at_once([swap(lot.drivers[0], rental, lot.spare) for _ in range(3)])
    assert sorted(one.status for one in answers) == [201, 409, 409]
    assert {one.slug for one in answers if one.status == 409} == {"step-not-allowed"}
    lot.must_hold()

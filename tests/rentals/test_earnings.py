"""A car lent at cost never brings more in a year than its owner has stated as its cost."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.billing import hold
from app.cars.models import Car
from app.facts import CostCovered, CostNotStated
from app.kit import clock
from app.kit.clock import z
from app.kit.db import new_id, release, session
from app.kit.facts import FactRow
from app.messages.told import TABLE
from app.rentals import access, cancel, earnings
from app.rentals import end as ending
from tests.billing.desk import Desk
from tests.coverage.factories import doing
from tests.rentals.lending import AT_COST, Lending, build
from tests.rentals.test_fares import amounts, books


def at_cost(desk: Desk, yearly_cost: int | None, *, per_kwh: int = 0) -> Lending:
    lending = build(desk, {**AT_COST, "per_kwh": per_kwh}, fare="at_cost")
    lending.states(yearly_cost)
    return lending


def facts_of(kind: type, car: str) -> list[dict[str, Any]]:
    session.expire_all()
    rows = session.scalars(select(FactRow).where(FactRow.kind == kind.__name__).order_by(FactRow.seq))
    return [row.data for row in rows if row.data["car"] == car]


def brought(lending: Lending) -> tuple[str, int, int, int]:
    found = lending.earnings()
    return found["state"], *(found[name]["amount"] for name in ("earned", "promised", "left"))


def test_beyond_the_stated_cost_a_rental_pays_energy_alone_and_its_owner_is_told_once(desk: Desk) -> None:
    lending = at_cost(desk, 5000, per_kwh=40)
    assert brought(lending) == ("open", 0, 0, 5000)
    first = lending.lend(km=100, charge=70)
    assert amounts(first["final_price"]["lines"]) == {"km": 3000, "energy": 70}
    assert brought(lending) == ("open", 3000, 0, 2000)
    second = lending.lend(km=100, charge=60)
    assert amounts(second["final_price"]["lines"]) == {"km": 3000, "cost_covered": -1000, "energy": 70}
    assert brought(lending) == ("covered", 5000, 0, 0)
    quote = lending.quote(km=100)
    assert amounts(quote["lines"]) == {"km": 3000, "cost_covered": -3000, "energy": 422}
    third = lending.lend(km=10, charge=50)
    assert third["final_price"]["total"]["amount"] == 70
    assert books(third["id"]) == {"owner": 70, "insurer": 0, "platform": 0, "vat": 0}
    assert brought(lending) == ("covered", 5000, 0, 0)
    [told] = facts_of(CostCovered, lending.car_id)
    assert (told["amount"], told["currency"]) == (5000, "EUR")


def test_without_a_stated_cost_nothing_but_energy_is_paid_and_nothing_is_held(desk: Desk) -> None:
    lending = at_cost(desk, None)
    shown = lending.lend(km=100)
    assert shown["final_price"]["total"]["amount"] == 0
    assert hold.all_of(shown["id"]) == []
    assert brought(lending) == ("not_stated", 0, 0, 0)
    assert len(facts_of(CostNotStated, lending.car_id)) == 1
    lending.states(5000)
    assert lending.lend(km=100)["final_price"]["total"]["amount"] == 3000
    lending.states(None)
    lending.lend(km=10)
    assert len(facts_of(CostNotStated, lending.car_id)) == 2


def test_what_open_rentals_are_quoted_at_is_taken_off_and_comes_back_with_a_cancellation(desk: Desk) -> None:
    lending = at_cost(desk, 5000)
    later = clock.now() + timedelta(hours=4)
    promised = lending.book(lending.quote(km=100, begins=later))
    assert brought(lending) == ("open", 0, 3000, 2000)
    assert amounts(lending.quote(km=100)["lines"]) == {"km": 3000, "cost_covered": -1000}
    cancel.cancel(lending.max.id, promised, "plans")
    assert brought(lending) == ("open", 0, 0, 5000)


def test_a_vehicle_taken_out_and_added_again_has_brought_what_it_brought(desk: Desk) -> None:
    lending = at_cost(desk, 3000)
    lending.lend(km=100)
    car = lending.car
    again = Car(
        **{c.key: getattr(car, c.key) for c in Car.__table__.columns if c.key != "no"} | {"id": new_id("car")}
    )
    car.removed_at = clock.now()
    session.flush()
    session.add(again)
    session.commit()
    assert earnings.of(lending.olga.id, again.id, None)["earned"]["amount"] == 3000


def test_a_longer_rental_is_not_in_its_own_way(desk: Desk) -> None:
    lending = at_cost(desk, 3000)
    rental = lending.book(lending.quote(hours=2, km=100))
    assert brought(lending) == ("open", 0, 3000, 0)
    until = lending.rental(rental).to_at + timedelta(hours=1)
    longer = lending._ask("POST", "/v1/quotes", lending.headers, 201, json={"rental": rental, "to": z(until)})
    assert longer["total"]["amount"] == 3000


def test_what_was_booked_with_nothing_to_pay_is_not_lengthened_at_a_price(desk: Desk) -> None:
    lending = at_cost(desk, 3000)
    promised = lending.book(lending.quote(km=100, begins=clock.now() + timedelta(hours=4)))
    rental = lending.book(lending.quote(hours=2, km=100))
    assert hold.all_of(rental) == []
    cancel.cancel(lending.max.id, promised, "plans")
    until = lending.rental(rental).to_at + timedelta(hours=1)
    longer = lending._ask("POST", "/v1/quotes", lending.headers, 201, json={"rental": rental, "to": z(until)})
    assert longer["total"]["amount"] == 3000
    headers = {**lending.headers, "Idempotency-Key": "one-hour-longer"}
    refused = lending._ask("POST", f"/v1/rentals/{rental}/extend", headers, 409, json={"quote": longer["id"]})
    assert refused["type"] == "/problems/step-not-allowed"
    assert "book anew" in refused["detail"]


def test_a_rental_costs_no_more_than_its_quote_allowed_when_the_cost_is_raised_later(desk: Desk) -> None:
    lending = at_cost(desk, 1000)
    rental = lending.book(lending.quote(km=100))
    lending.unlock(rental)
    lending.states(100_000)
    assert lending.end(rental, km=100)["final_price"]["total"]["amount"] == 1000


def test_a_priced_rental_counts_and_is_never_cut(desk: Desk) -> None:
    lending = build(desk, {"currency": "EUR", "hour": 600})
    lending.states(500)
    assert lending.lend(km=10)["final_price"]["total"]["amount"] == 1200
    assert brought(lending) == ("covered", 1200, 0, 0)
    assert facts_of(CostCovered, lending.car_id) == []


def test_two_that_are_settled_at_once_do_not_both_take_the_rest(desk: Desk) -> None:
    lending = at_cost(desk, 4000)
    now = clock.now()
    quotes = [lending.quote(hours=1, km=10, begins=now + timedelta(hours=hours)) for hours in (2, 5)]
    rentals = [lending.book(quote) for quote in quotes]
    for rental in rentals:
        row = lending.rental(rental)
        row.started_at, row.odometer_start, row.odometer_end = row.from_at, 1100.0, 1200.0
        session.commit()
    gate = threading.Barrier(2)

    def finish(rental: str) -> None:
        with desk.app.app_context():
            gate.wait()

            def work() -> None:
                car, found = access.locked(rental)
                price = ending.price_of(car, found, found.to_at, None)
                earnings.count(car, found, price, found.to_at)
                found.state, found.over_at, found.final_price = "ended", found.to_at, price.to_dict()

            doing(work)
            release()

    threads = [threading.Thread(target=finish, args=(rental,)) for rental in rentals]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    totals = [lending.rental(one).final_price for one in rentals]
    assert sorted(one["total"]["amount"] for one in totals if one) == [1000, 3000]
    assert brought(lending)[1] == 4000


@pytest.mark.parametrize(
    ("at", "year"),
    [
        (datetime(2027, 12, 31, 22, 59, tzinfo=UTC), 2027),
        (datetime(2027, 12, 31, 23, 0, tzinfo=UTC), 2028),
    ],
)
def test_a_year_begins_at_midnight_in_the_cars_zone(at: datetime, year: int) -> None:
    assert earnings.year_of(Car(time_zone="Europe/Paris"), at) == year


def test_another_year_has_its_own_cost(desk: Desk) -> None:
    lending = at_cost(desk, 3000)
    lending.lend(km=100)
    following = clock.now().year + 1
    found = lending.earnings(year=following)
    assert (found["state"], found["left"]["amount"]) == ("open", 3000)


def test_only_who_runs_the_car_reads_what_it_brought(desk: Desk) -> None:
    lending = at_cost(desk, 3000)
    lending._ask("GET", f"/v1/cars/{lending.car_id}/earnings", lending.headers, 403)


def test_the_owner_reads_that_the_cost_is_covered(desk: Desk) -> None:
    lending = at_cost(desk, 3000)
    lending.lend(km=100)
    [told] = facts_of(CostCovered, lending.car_id)
    assert TABLE[CostCovered][0].kind == "cost_covered.owner"
    assert told["year"] == clock.now().year

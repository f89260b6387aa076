"""Extensions beside the table of changes of plan: how long one may last, and what a late car keeps without it."""

from datetime import datetime, timedelta

import pytest

from app.kit import clock
from app.kit.clock import z
from tests.billing.desk import Desk
from tests.rentals.plans import HOUR, plan
from tests.rentals.test_changes_of_plan import extend


def test_an_extension_ends_where_the_terms_let_no_rental_last_longer(desk: Desk) -> None:
    one = plan(desk, {"extension": "auto", "max_min": 180})
    rental = one.out(hours=2)
    ends = datetime.fromisoformat(one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"])
    body = {"rental": rental, "to": z(ends + HOUR + timedelta(minutes=1))}
    refused = one.post(one.lending.max, "/quotes", 409, body)
    assert (refused["type"], refused["rule"], refused["limit"]) == ("/problems/outside-rules", "max_min", 180)
    assert extend(one, rental, 1)


@pytest.mark.parametrize("answer", ["decline", "none"])
def test_a_car_that_is_late_stays_held_when_its_extension_comes_to_nothing(desk: Desk, answer: str) -> None:
    one = plan(desk)
    rental = one.out_by_leave(hours=1)
    back = clock.now() + 4 * HOUR
    one.post(one.lending.max, f"/rentals/{rental}/late", 200, {"back_at": z(back)})
    extend(one, rental, 1)
    if answer == "decline":
        one.post(one.lending.olga, f"/rentals/{rental}/extension/decline")
    else:
        one.forward(1.1)
    assert one.get(one.lending.max, f"/rentals/{rental}")["extension"] is None
    ends = {kind: to for kind, _, to in one.slot(one.lending.car_id, rental)}
    assert z(ends["rental"]) == z(back)
    assert ends["buffer"] > ends["rental"]

"""Extensions beside the table of changes of plan: how long one may last, and what a late car keeps without it."""

from datetime import datetime, timedelta

import pytest

from app.kit import clock
from app.kit.clock import z
from app.kit.db import session
from app.rentals import extend as extending
from tests.billing.desk import Desk
from tests.rentals.barring import bar
from tests.rentals.plans import HOUR, Plan, plan
from tests.rentals.test_changes_of_plan import extend, longer


def test_an_extension_ends_where_the_terms_let_no_rental_last_longer(desk: Desk) -> None:
    one = plan(desk, {"extension": "auto", "max_min": 180})
    rental = one.out(hours=2)
    ends = datetime.fromisoformat(one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"])
    body = {"rental": rental, "to": z(ends + HOUR + timedelta(minutes=1))}
    refused = one.post(one.lending.max, "/quotes", 409, body)
    assert (refused["type"], refused["rule"], refused["limit"]) == ("/problems/outside-rules", "max_min", 180)
    assert extend(one, rental, 1)


def test_the_owner_of_a_car_that_is_no_longer_lent_there_is_asked_whatever_the_terms_say(desk: Desk) -> None:
    one = plan(desk, {"extension": "auto"})
    rental, lent = one.out(hours=2), one.lending
    one.ask(lent.olga, "DELETE", f"/cars/{lent.car_id}/communities/{lent.community}", 204)
    extend(one, rental, 1)
    assert one.get(lent.max, f"/rentals/{rental}")["extension"]["state"] == "asked"
    one.post(lent.olga, f"/rentals/{rental}/extension/approve")
    assert one.get(lent.max, f"/rentals/{rental}")["extension"] is None


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


# -- who may not book any more


def gone(one: Plan, how: str) -> None:
    """Max is no member any more, or may not book; what follows waits for `follow`."""
    session.rollback()
    bar(one.lending.max.id, how, community=one.lending.community, by=one.lending.olga.id)


@pytest.mark.parametrize("how", ["left", "removed", "blocked"])
def test_who_may_not_book_any_more_keeps_the_car_to_the_planned_end_and_no_longer(
    desk: Desk, how: str
) -> None:
    one = plan(desk, {"extension": "auto"})
    rental = one.out(hours=1)
    before = longer(one, rental, 1)
    gone(one, how)
    one.follow()
    shown = one.get(one.lending.max, f"/rentals/{rental}")
    assert "extend" not in shown["links"]
    body = {"rental": rental, "to": z(datetime.fromisoformat(shown["span"]["to"]) + HOUR)}
    for path, asked in (("/quotes", body), (f"/rentals/{rental}/extend", {"quote": before})):
        refused = one.post(one.lending.max, path, 403, asked)
        assert refused["type"] == "/problems/not-allowed"
        assert "runs to the lock" in refused["detail"]
    shown = one.get(one.lending.max, f"/rentals/{rental}")
    assert (shown["state"], shown["span"]["to"] < body["to"]) == ("active", True)


@pytest.mark.parametrize("how", ["removed", "blocked", "suspended"])
def test_an_extension_asked_for_lapses_when_the_driver_may_not_book_any_more(desk: Desk, how: str) -> None:
    one = plan(desk)
    rental = one.out_by_leave(hours=1)
    ends = one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"]
    extend(one, rental, 1)
    one.news()
    gone(one, how)
    early = one.post(one.lending.olga, f"/rentals/{rental}/extension/approve", 409)
    one.follow()
    late = one.post(one.lending.olga, f"/rentals/{rental}/extension/approve", 409)
    for refused in (early, late):
        assert refused["type"] == "/problems/step-not-allowed"
        assert "ends as planned" in refused["detail"]
    shown = one.get(one.lending.olga, f"/rentals/{rental}")
    assert (shown["state"], shown["span"]["to"], shown["extension"]) == ("active", ends, None)
    assert "extension_declined.driver" in one.news()["Max"]
    assert {kind: z(to) for kind, _, to in one.slot(one.lending.car_id, rental)}["rental"] == ends
    assert one.till(rental) == (2700, 0, 0)


def test_money_held_for_a_driver_who_left_meanwhile_lengthens_nothing_and_is_given_back(desk: Desk) -> None:
    one = plan(desk, {"extension": "auto"})
    rental = one.out(hours=1)
    ends = one.get(one.lending.max, f"/rentals/{rental}")["span"]["to"]
    quote = longer(one, rental, 1)
    session.rollback()
    extending.extend(one.lending.max.id, rental, quote)
    gone(one, "left")
    one.follow()
    shown = one.get(one.lending.max, f"/rentals/{rental}")
    assert (shown["span"]["to"], shown["extension"]) == (ends, None)
    assert one.till(rental) == (2700, 0, 0)

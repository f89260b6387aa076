from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.demo_cast import Actor, hours, inst
from app.supervisor import Supervisor
from tests.flows.friends import PRICED, Friends

PARIS = ZoneInfo("Europe/Paris")


class Offered:
    """Olga's car without a window yet, shared with a circle that Max is in."""

    def __init__(self, people: tuple[Actor, Actor], **car: Any) -> None:
        self.olga, self.max = people
        self.car = self.olga.add_car(**car)
        self.community = self.olga.post("/communities", {"name": "Friends", "kind": "circle"}, want=201)["id"]
        made = self.olga.post(f"/communities/{self.community}/invitations", {"fare": "priced"}, want=201)
        self.max.post(f"/invitations/{made['code']}/accept")
        self.olga.put(f"/cars/{self.car}/communities/{self.community}")

    def window(self, **body: Any) -> Any:
        return self.olga.post(f"/cars/{self.car}/windows", body, want=201)

    def terms(self, body: dict[str, Any]) -> Any:
        return self.olga.put(f"/cars/{self.car}/communities/{self.community}/terms", body)

    def quote(self, begins: datetime, ends: datetime, **options: Any) -> Any:
        body = {"car": self.car, "from": inst(begins), "to": inst(ends), **options.pop("more", {})}
        return self.max.post("/quotes", body, **({"want": 201} | options))

    def outside(self, begins: datetime, ends: datetime) -> Any:
        body = {"car": self.car, "from": inst(begins), "to": inst(ends)}
        return self.max.refused("POST", "/quotes", body, slug="outside-windows")


@pytest.fixture
def offered(people: tuple[Actor, Actor]) -> Offered:
    return Offered(people)


def local(at: datetime) -> str:
    return at.astimezone(PARIS).strftime("%Y-%m-%dT%H:%M")


def monday(now: datetime) -> datetime:
    """Midnight in Paris at the start of the Monday after the coming one."""
    here = now.astimezone(PARIS)
    day = (here + timedelta(days=14 - here.weekday())).date()
    return datetime(day.year, day.month, day.day, tzinfo=PARIS)


def test_without_a_window_nothing_is_offered(offered: Offered) -> None:
    now = offered.olga.now()
    assert offered.outside(now + hours(1), now + hours(2))["free_nearby"] == []


def test_a_single_span_is_offered_and_nothing_beyond_it(offered: Offered) -> None:
    begins = (offered.olga.now() + hours(24)).replace(minute=0, second=0, microsecond=0)
    offered.window(**{"from": local(begins), "to": local(begins + hours(4))})
    offered.quote(begins, begins + hours(4))
    refusal = offered.outside(begins, begins + hours(5))
    assert refusal["free_nearby"] == [{"from": inst(begins), "to": inst(begins + hours(4))}]
    offered.outside(begins - hours(1), begins + hours(1))


def test_a_weekly_rule_is_meant_in_the_wall_time_of_the_car(offered: Offered) -> None:
    """Saturdays from nine to five, on both sides of the end of summer time."""
    rule = {"from": "2026-01-03T09:00", "to": "2026-01-03T17:00", "rrule": "FREQ=WEEKLY;BYDAY=SA"}
    offered.window(**rule)
    span = {"from": "2027-03-26T00:00:00Z", "to": "2027-04-05T00:00:00Z"}
    free = offered.olga.get(f"/cars/{offered.car}/calendar", **span)["items"]
    wanted = [
        ("2027-03-27T08:00:00.000Z", "2027-03-27T16:00:00.000Z"),
        ("2027-04-03T07:00:00.000Z", "2027-04-03T15:00:00.000Z"),
    ]
    assert [(one["from"], one["to"]) for one in free] == wanted


def test_days_left_out_of_a_rule_are_not_offered(offered: Offered) -> None:
    first = monday(offered.olga.now())
    days = {"from": local(first), "to": local(first + timedelta(days=1)), "rrule": "FREQ=DAILY"}
    offered.window(**days, exdates=[(first + timedelta(days=2)).date().isoformat()])
    offered.quote(first + timedelta(days=1), first + timedelta(days=2))
    offered.outside(first + timedelta(days=2, hours=9), first + timedelta(days=2, hours=10))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY",
        "FREQ=WEEKLY;COUNT=3",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;FREQ=DAILY",
    ],
)
def test_a_rule_that_cannot_be_read_is_refused_by_name(offered: Offered, rule: str) -> None:
    body = {"from": "2027-01-01T09:00", "to": "2027-01-01T10:00", "rrule": rule}
    refusal = offered.olga.refused("POST", f"/cars/{offered.car}/windows", body, slug="validation")
    assert {one["pointer"] for one in refusal["errors"]} == {"/rrule"}


def test_a_withdrawn_window_leaves_what_is_booked_and_offers_no_more(friends: Friends) -> None:
    rental = friends.book(2, 4)
    window = friends.olga.get(f"/cars/{friends.car}/windows")["items"][0]["id"]
    friends.olga.call("DELETE", f"/cars/{friends.car}/windows/{window}", want=204)
    assert friends.state(rental) == "booked"
    friends.max.refused("POST", "/quotes", friends.span(5, 6), slug="outside-windows")


def test_a_blocked_span_is_taken_and_free_again_once_lifted(offered: Offered) -> None:
    offered.window(**{"from": "2026-01-01T00:00", "to": "2026-01-02T00:00", "rrule": "FREQ=DAILY"})
    begins = offered.olga.now() + hours(5)
    body = {"from": inst(begins), "to": inst(begins + hours(2)), "kind": "own_use", "note": "to the sea"}
    block = offered.olga.post(f"/cars/{offered.car}/blocks", body, want=201)["id"]
    wanted = {"car": offered.car, "from": inst(begins - hours(1)), "to": inst(begins + hours(1))}
    refusal = offered.max.refused("POST", "/quotes", wanted, slug="car-taken")
    assert refusal["longest_to"] == inst(begins)
    offered.olga.call("DELETE", f"/cars/{offered.car}/blocks/{block}", want=204)
    offered.max.post("/quotes", wanted, want=201)


def test_a_block_does_not_push_a_booking_away(friends: Friends) -> None:
    friends.book(2, 4)
    span = friends.span(3, 5)
    body = {"from": span["from"], "to": span["to"], "kind": "maintenance"}
    friends.olga.refused("POST", f"/cars/{friends.car}/blocks", body, slug="car-taken")


def test_a_free_loan_costs_nothing_and_has_no_stripe_object(friends: Friends) -> None:
    quote = friends.quote()
    assert (quote["total"]["amount"], quote["hold"]["amount"]) == (0, 0)
    rental = friends.lent()
    friends.drive(3)
    friends.lock(rental)
    assert friends.rental(rental)["payment"] == {"state": "none", "action": None}
    objects = friends.place.control("stripe", "GET", "objects")
    assert rental not in objects["rentals"]
    assert friends.max.email not in [one["email"] for one in objects["objects"].get("customer", [])]


def test_a_price_has_hours_a_day_cap_and_kilometres(offered: Offered) -> None:
    offered.window(**{"from": "2026-01-01T00:00", "to": "2026-01-02T00:00", "rrule": "FREQ=DAILY"})
    offered.terms(PRICED)
    begins = monday(offered.olga.now()) + hours(8)
    three = offered.quote(begins, begins + hours(3))
    assert three["total"] == {"amount": 1800, "currency": "EUR"}
    assert offered.quote(begins, begins + hours(12))["total"]["amount"] == 4800
    far = offered.quote(begins, begins + hours(3), more={"expected_km": 150})
    assert far["total"]["amount"] == 1800 + 50 * 30
    assert sum(line["amount"]["amount"] for line in far["lines"]) == far["total"]["amount"]
    assert three["hold"]["amount"] >= three["total"]["amount"]


def test_a_member_with_the_free_fare_pays_nothing_under_a_price(offered: Offered) -> None:
    offered.window(**{"from": "2026-01-01T00:00", "to": "2026-01-02T00:00", "rrule": "FREQ=DAILY"})
    offered.terms(PRICED)
    offered.olga.patch(f"/communities/{offered.community}/members/{offered.max.id}", {"fare": "free"})
    begins = offered.olga.now() + hours(1)
    assert offered.quote(begins, begins + hours(3))["total"]["amount"] == 0


@pytest.mark.parametrize(
    ("country", "zone", "currency", "wrong"),
    [
        ("FR", "Europe/Paris", "EUR", "GBP"),
        ("GB", "Europe/London", "GBP", "EUR"),
        ("CH", "Europe/Zurich", "CHF", "EUR"),
    ],
)
def test_a_car_is_priced_in_the_currency_of_its_country(
    people: tuple[Actor, Actor], country: str, zone: str, currency: str, wrong: str
) -> None:
    value = {"amount": 1_000_000, "currency": currency}
    offered = Offered(people, country=country, time_zone=zone, declared_value=value)
    path = f"/cars/{offered.car}/communities/{offered.community}/terms"
    refusal = offered.olga.refused("PUT", path, {**PRICED, "currency": wrong}, slug="validation")
    assert [one["pointer"] for one in refusal["errors"]] == ["/currency"]
    assert offered.terms({**PRICED, "currency": currency})["currency"] == currency


def test_prices_without_a_currency_are_refused(offered: Offered) -> None:
    path = f"/cars/{offered.car}/communities/{offered.community}/terms"
    refusal = offered.olga.refused("PUT", path, {"hour": 600}, slug="validation")
    assert [(one["pointer"], one["code"]) for one in refusal["errors"]] == [("/currency", "required")]


def test_each_change_of_terms_is_a_version_that_stays(offered: Offered) -> None:
    first, second = offered.terms(PRICED), offered.terms({**PRICED, "hour": 900})
    assert (first["version"], second["version"]) == (1, 2)
    path = f"/cars/{offered.car}/communities/{offered.community}/terms"
    assert offered.max.get(f"{path}/1")["hour"] == 600
    assert offered.max.get(path)["hour"] == 900


@pytest.mark.parametrize(
    ("terms", "begins", "ends", "rule"),
    [
        ({"min_min": 60}, 1, 1.5, "min_min"),
        ({"max_min": 120}, 1, 4, "max_min"),
        ({"notice_min": 180}, 1, 2, "notice_min"),
        ({}, 24 * 91, 24 * 91 + 1, "days_ahead"),
    ],
)
def test_outside_the_rules_the_rule_and_its_limit_are_named(
    offered: Offered, terms: dict[str, Any], begins: float, ends: float, rule: str
) -> None:
    offered.window(**{"from": "2026-01-01T00:00", "to": "2026-01-02T00:00", "rrule": "FREQ=DAILY"})
    offered.terms(terms)
    now = offered.olga.now()
    body = {"car": offered.car, "from": inst(now + hours(begins)), "to": inst(now + hours(ends))}
    refusal = offered.max.refused("POST", "/quotes", body, slug="outside-rules")
    assert (refusal["rule"], refusal["limit"]) == (rule, terms.get(rule, 90))


def test_so_many_rentals_a_week_and_no_more(place: Supervisor, people: tuple[Actor, Actor]) -> None:
    friends = Friends(place, rules={"per_week": 1}, street=False, people=people)
    first = monday(friends.now()) + hours(8)

    def span(day: int) -> dict[str, Any]:
        begins = first + timedelta(days=day)
        return {"car": friends.car, "from": inst(begins), "to": inst(begins + hours(1))}

    quote = friends.max.post("/quotes", span(0), want=201)
    friends.max.post("/rentals", friends.booking(quote), want=201)
    refusal = friends.max.refused("POST", "/quotes", span(1), slug="outside-rules")
    assert (refusal["rule"], refusal["limit"]) == ("per_week", 1)
    friends.max.post("/quotes", span(7), want=201)


def test_the_buffer_behind_a_rental_is_not_offered(place: Supervisor, people: tuple[Actor, Actor]) -> None:
    friends = Friends(place, {"buffer_min": 60}, street=False, people=people)
    friends.book(1, 2)
    friends.max.refused("POST", "/quotes", friends.span(2.5, 4), slug="car-taken")
    friends.max.post("/quotes", friends.span(3.1, 4), want=201)


def test_the_calendar_tells_the_owner_by_whom_and_others_only_that(friends: Friends) -> None:
    rental = friends.book(1, 2)
    now = friends.now()
    span = {"from": inst(now), "to": inst(now + hours(3))}
    path = f"/cars/{friends.car}/calendar"
    hers = [(one["kind"], one["ref"]) for one in friends.olga.get(path, **span)["items"]]
    his = [(one["kind"], one["ref"]) for one in friends.max.get(path, **span)["items"]]
    assert hers == [("free", None), ("held", rental), ("free", None)]
    assert his == [("free", None), ("held", None), ("free", None)]


def test_a_span_backwards_or_in_the_past_is_refused(offered: Offered) -> None:
    now = datetime.now(UTC)  # noqa: TID251 - business time is never behind it
    body = {"car": offered.car, "from": inst(now - hours(3)), "to": inst(now - hours(1))}
    offered.max.refused("POST", "/quotes", body, slug="validation")
    later = offered.olga.now() + hours(2)
    body = {"car": offered.car, "from": inst(later), "to": inst(later - hours(1))}
    offered.max.refused("POST", "/quotes", body, slug="validation")

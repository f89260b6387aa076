"""A licence is cleared by somebody else, as it was seen."""

from datetime import date
from typing import Any

from app.people import licence
from tests.communities.circle import Circle

LICENCE: dict[str, Any] = {
    "number": "12AB34567",
    "country": "FR",
    "classes": ["B"],
    "birth_date": date(1990, 4, 2),
    "issued_on": date(2010, 5, 1),
    "expires_on": date(2090, 5, 1),
}


def path(circle: Circle, person: str) -> str:
    return f"/communities/{circle.id}/members/{person}/licence"


def test_a_licence_is_cleared_as_it_was_seen(circle: Circle) -> None:
    licence.record(circle.max.id, LICENCE)
    tag = circle.olga.etag(path(circle, circle.max.id))
    cleared = circle.olga("POST", path(circle, circle.max.id) + "/clear", want=200, If_Match=tag)
    assert cleared["state"] == "cleared"


def test_a_licence_replaced_after_the_look_is_not_cleared(circle: Circle) -> None:
    licence.record(circle.max.id, LICENCE)
    tag = circle.olga.etag(path(circle, circle.max.id))
    licence.record(circle.max.id, {**LICENCE, "number": "99ZZ99999"})
    refused = circle.olga("POST", path(circle, circle.max.id) + "/clear", want=412, If_Match=tag)
    assert refused == "precondition-failed"
    assert circle.olga("GET", path(circle, circle.max.id))["state"] == "pending"


def test_a_licence_is_not_cleared_unseen(circle: Circle) -> None:
    licence.record(circle.max.id, LICENCE)
    answer = circle.olga("POST", path(circle, circle.max.id) + "/clear", want=428)
    assert answer == "precondition-required"


def test_nobody_clears_their_own_licence(circle: Circle) -> None:
    circle.change(circle.olga, circle.max, role="manager")
    licence.record(circle.max.id, LICENCE)
    tag = circle.max.etag(path(circle, circle.max.id))
    refused = circle.max("POST", path(circle, circle.max.id) + "/clear", want=403, If_Match=tag)
    assert refused == "not-allowed"

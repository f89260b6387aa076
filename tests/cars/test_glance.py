"""The glance of the hot reads says of everybody and every car what the rules say that it stands for."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from app.cars import access
from app.cars.models import Car, CarShare
from app.communities.models import Community, Membership
from app.kit.clock import business_now, now
from app.kit.db import session, transactional
from app.kit.errors import NotFound
from tests import factories

Change = Callable[[str, str, str], Any]
"""Of car, community and member."""


def member(**values: Any) -> Change:
    return lambda _car, community, who: (
        update(Membership)
        .where(Membership.community_id == community, Membership.person_id == who)
        .values(**values)
    )


def owned_by_community(**values: Any) -> Change:
    def change(car: str, community: str, who: str) -> Any:
        session.execute(update(Car).where(Car.id == car).values(owner_id=None, community_id=community))
        return member(**values)(car, community, who) if values else None

    return change


CASES: dict[str, Change] = {
    "as shared": lambda *_: None,
    "blocked": member(blocked=True),
    "removed": member(ended_at=business_now),
    "manager of a community it is shared with": member(role="manager"),
    "no longer shared": lambda car, *_: update(CarShare).where(CarShare.car_id == car).values(ended_at=now()),
    "community ended": lambda _, community, __: (
        update(Community).where(Community.id == community).values(ended_at=now())
    ),
    "car removed": lambda car, *_: update(Car).where(Car.id == car).values(removed_at=now()),
    "a community's": owned_by_community(),
    "a community's, for its manager": owned_by_community(role="manager"),
    "a community's, for a blocked manager": owned_by_community(role="manager", blocked=True),
}


def by_the_rules(car: str, person: str) -> tuple[int, bool] | None:
    try:
        found = access.may_see(car, person)
    except NotFound:
        return None
    return found.no, access.runs(found, person)


def by_glance(car: str, person: str) -> tuple[int, bool] | None:
    try:
        seen = access.glance(car, person)
    except NotFound:
        return None
    return seen.car_no, seen.runs


@pytest.mark.parametrize("case", CASES)
def test_a_glance_says_what_the_rules_say(app: Flask, case: str) -> None:
    olga, max_, charlie = (
        factories.person(name) for name in ("Olga Owner", "Max Member", "Charlie Stranger")
    )
    community = factories.circle(olga, max_)
    car = factories.shared(olga, community)

    @transactional
    def change() -> None:
        made = CASES[case](car.id, community.id, max_.id)
        if made is not None:
            session.execute(made)

    change()
    for who in (olga, max_, charlie):
        assert by_glance(car.id, who.id) == by_the_rules(car.id, who.id), who.name

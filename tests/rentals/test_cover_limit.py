"""Nothing more may be bound before the insurer takes note: an unlock is refused, its driver told why, its owner once."""

from typing import Any

import pytest
from flask import Flask

from app.coverage import report
from app.facts import CoverLimitReached
from app.kit.errors import NotReady
from tests.coverage import factories
from tests.coverage.test_at_once import at_once, let_go
from tests.rentals import scene as scenes
from tests.rentals.garage import facts_of
from tests.rentals.scene import Scene

ONE_CAR: dict[str, Any] = {"max_declared_value": 1_500_000, "max_sum_unacknowledged": 1_500_000}


def used_up(terms: dict[str, Any]) -> str:
    """Another car's cover, which the insurer has not taken note of."""
    circle = factories.circle(**terms)
    return factories.bind(circle.trip()).id


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"max_open_unacknowledged": 1}, "too_many_unacknowledged"),
        (ONE_CAR, "unacknowledged_sum_too_high"),
    ],
)
def test_the_owner_is_told_of_a_refusal_for_a_policys_limits(
    scene: Scene, terms: dict[str, Any], reason: str
) -> None:
    waiting = used_up(terms)
    for _ in range(2):
        with pytest.raises(NotReady) as refused:
            scene.unlock()
        (condition,) = refused.value.members["conditions"]
        assert condition["code"] == "cover"
        assert "insurer is behind" in condition["remedy"]
    assert [one["reasons"] for one in facts_of(CoverLimitReached, scene.rental_id)] == [reason]
    assert scene.rental.kept_out_at is not None, "who was kept out is no no-show"
    report.acknowledge(waiting)
    assert scene.unlock().kind == "unlock"


def test_a_refusal_for_another_reason_is_not_told_as_a_limit(scene: Scene) -> None:
    factories.policy(min_driver_age=99)
    with pytest.raises(NotReady):
        scene.unlock()
    assert facts_of(CoverLimitReached, scene.rental_id) == []


def test_of_two_unlocks_at_once_for_the_last_sum_one_opens_and_the_owner_of_the_other_is_told(
    app: Flask,
) -> None:
    both = [scenes.make(), scenes.make()]
    factories.policy(**ONE_CAR)
    rentals = [one.rental_id for one in both]
    let_go([])

    def unlock(one: Scene) -> str:
        try:
            one.unlock()
        except NotReady as refused:
            return str(refused.members["conditions"][0]["code"])
        return "opened"

    found = at_once(app, [lambda one=one: unlock(one) for one in both])  # type: ignore[misc]
    assert sorted(found) == ["cover", "opened"]
    told = [len(facts_of(CoverLimitReached, one)) for one in rentals]
    assert told == [int(said == "cover") for said in found]

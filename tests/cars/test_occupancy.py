from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from app.cars import block, calendar
from app.kit.errors import CarTaken
from tests import factories

DAY = datetime(2027, 3, 1, 9, tzinfo=UTC)


def test_two_blocks_never_overlap(app: Flask) -> None:
    olga = factories.person()
    car = factories.shared(olga, factories.circle(olga))
    first = {"from_at": DAY, "to_at": DAY + timedelta(hours=2), "kind": "own_use"}
    block.add(olga.id, car.id, first)
    with pytest.raises(CarTaken) as refused:
        block.add(olga.id, car.id, first)
    assert refused.value.members["free_nearby"]


def test_the_calendar_shows_what_is_blocked_and_what_is_free(app: Flask) -> None:
    olga = factories.person()
    car = factories.shared(olga, factories.circle(olga))
    block.add(olga.id, car.id, {"from_at": DAY, "to_at": DAY + timedelta(hours=2), "kind": "own_use"})
    spans = calendar.of(olga.id, car.id, DAY - timedelta(hours=1), DAY + timedelta(hours=3))
    assert [span["kind"] for span in spans] == ["free", "blocked", "free"]

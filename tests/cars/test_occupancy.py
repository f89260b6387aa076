from datetime import datetime, timedelta

import pytest
from flask import Flask

from app.cars import block, calendar
from app.kit import clock
from app.kit.errors import CarTaken
from tests import factories


@pytest.fixture
def day(app: Flask) -> datetime:
    """A morning in a month, whatever the clock says."""
    return (clock.now() + timedelta(days=30)).replace(hour=9, minute=0, second=0, microsecond=0)


def test_two_blocks_never_overlap(day: datetime) -> None:
    olga = factories.person()
    car = factories.shared(olga, factories.circle(olga))
    first = {"from_at": day, "to_at": day + timedelta(hours=2), "kind": "own_use"}
    block.add(olga.id, car.id, first)
    with pytest.raises(CarTaken) as refused:
        block.add(olga.id, car.id, first)
    assert refused.value.members["free_nearby"]


def test_the_calendar_shows_what_is_blocked_and_what_is_free(day: datetime) -> None:
    olga = factories.person()
    car = factories.shared(olga, factories.circle(olga))
    block.add(olga.id, car.id, {"from_at": day, "to_at": day + timedelta(hours=2), "kind": "own_use"})
    spans = calendar.of(olga.id, car.id, day - timedelta(hours=1), day + timedelta(hours=3))
    assert [span["kind"] for span in spans] == ["free", "blocked", "free"]

from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from app.cars import block, calendar, occupancy
from app.kit import clock
from app.kit.clock import z
from app.kit.db import db, new_id, transactional
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


def test_what_occupies_a_car_in_a_span_is_found_by_car_and_span_at_once(day: datetime) -> None:
    statement = text(f"explain {occupancy._SPANS}")
    with db.engine.connect() as connection:
        for way in ("seqscan", "bitmapscan"):
            connection.execute(text(f"set local enable_{way} = off"))
        values = {"car": 1, "a": day, "b": day + timedelta(hours=2)}
        plan = "\n".join(connection.execute(statement, values).scalars())
    assert "occupancy_never_two_at_once" in plan, plan
    assert "Index Cond: ((int4range(car_no, car_no" in plan, plan
    assert "during &&" in plan, plan


def test_a_block_takes_only_the_buffers_of_its_own_car(day: datetime) -> None:
    olga = factories.person()
    circle = factories.circle(olga)
    mine, other = factories.shared(olga, circle), factories.shared(olga, circle)
    ends = day + timedelta(hours=2)
    for car in (mine, other):
        transactional(occupancy.occupy)(car, "buffer", f"ren_{car.id[4:]}", day, ends)
    taken = {"from_at": day + timedelta(hours=1), "to_at": ends, "kind": "own_use"}
    block.add(olga.id, mine.id, taken)
    left = [occupancy.spans(car, day, ends)[0][3] for car in (mine, other)]
    assert left == [day + timedelta(hours=1), ends]


@pytest.mark.parametrize(("kind", "leaves"), [("rental", timedelta(minutes=30)), ("block", timedelta(0))])
def test_the_longest_end_leaves_the_next_driver_the_buffer_and_none_to_a_block(
    day: datetime, kind: str, leaves: timedelta
) -> None:
    olga, half = factories.person(), timedelta(minutes=30)
    car = factories.shared(olga, factories.circle(olga))
    following = day + timedelta(hours=2)
    transactional(occupancy.occupy)(car, kind, new_id("ren"), following, following + half)
    look = transactional(occupancy.require_free)
    with pytest.raises(CarTaken) as refused:
        look(car, day, following + half, half)
    assert refused.value.members["longest_to"] == z(following - leaves)
    look(car, day, following - leaves, half)
    with pytest.raises(CarTaken):
        look(car, day, following - leaves + timedelta(minutes=1), half)

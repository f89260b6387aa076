"""Boxlinks that run at once: who lives is seen in the database, and each box belongs to one of those."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app.boxlink.sharing import LIVES, Member, owner
from app.demo_cast import until
from app.kit.listen import connect

NAMES = [f"box-{number:016x}" for number in range(3000)]


@pytest.fixture
def url(app: Flask) -> str:
    found: str = app.extensions["glovebox"].settings.listen_database_url
    return found


@pytest.fixture
def two(url: str) -> Iterator[tuple[Member, Member]]:
    one, other = Member(url), Member(url)
    for _ in range(2):
        assert one.look()
        assert other.look()
    yield one, other
    one.leave()
    other.leave()


def test_boxes_are_dealt_evenly_and_only_those_of_who_comes_or_goes_move() -> None:
    before = {name: owner(name, {1, 2, 3}) for name in NAMES}
    for number in (1, 2, 3):
        assert 800 < list(before.values()).count(number) < 1200
    after = {name: owner(name, {1, 3}) for name in NAMES}
    moved = {name for name in NAMES if after[name] != before[name]}
    assert moved == {name for name in NAMES if before[name] == 2}


def test_two_that_live_see_each_other_and_share_every_box_once(two: tuple[Member, Member]) -> None:
    one, other = two
    assert one.living == other.living
    assert len(one.living) == 2
    assert {one.rank, other.rank} == {1, 2}
    assert all(one.has(name) is not other.has(name) for name in NAMES)
    assert one.lives(other.name)
    assert not one.lives("boxlink-00000000")


def test_one_that_is_gone_leaves_its_boxes_to_the_other(two: tuple[Member, Member]) -> None:
    one, other = two
    other.leave()
    until(lambda: one.look() and len(one.living) == 1, "the other to be gone")
    assert all(one.has(name) for name in NAMES)
    assert not one.lives(other.name)


def test_one_whose_connection_was_cut_is_back_at_its_next_look(two: tuple[Member, Member], url: str) -> None:
    one, other = two
    with connect(url) as database:
        held = "select pid from pg_locks where locktype = 'advisory' and classid = %s and objid = %s"
        mine = (LIVES, int(one.name.removeprefix("glovebox-"), 16))
        found = database.execute(held, mine).fetchone()
        assert found is not None
        database.execute("select pg_terminate_backend(%s)", found)
    until(lambda: other.look() and not other.lives(one.name), "the cut one to be gone")
    assert one.look() is False
    assert one.lives(other.name)
    assert one.look()
    until(lambda: other.look() and other.lives(one.name), "the cut one to be back")


def test_one_that_looks_no_longer_counts_as_gone(url: str) -> None:
    hangs, lives = Member(url), Member(url, hangs_s=0.2)
    assert hangs.look()
    until(lambda: lives.look() and not lives.lives(hangs.name), "the other to be gone")
    assert hangs.look()
    assert hangs.lives(lives.name)
    hangs.leave()
    lives.leave()


def test_with_the_database_away_all_is_as_it_was() -> None:
    alone = Member("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    assert alone.look() is False
    assert alone.rank == 1
    assert all(alone.has(name) for name in NAMES[:10])

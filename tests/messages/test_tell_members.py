"""Who hears what of a membership: whom it is about, and who runs the community."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import facts
from app.communities import leave
from app.kit.db import session
from app.kit.facts import FactRow
from tests.messages import stage


@pytest.mark.parametrize(
    ("news", "told"),
    [
        ({"role": "manager"}, ["member_changed"]),
        ({"fare": "free"}, ["member_changed"]),
        ({"blocked": True}, ["member_blocked"]),
        ({"blocked": False}, ["member_unblocked"]),
        ({}, []),
    ],
    ids=["role", "fare", "blocked", "unblocked", "label"],
)
def test_a_member_hears_what_is_another_for_them(app: Flask, news: dict[str, Any], told: list[str]) -> None:
    cast = stage.cast()
    seq = stage.happen(
        facts.MembershipChanged(community=cast.community, person=cast.max.id, by=cast.olga.id, **news)
    )
    assert [stage.told(one, seq) for one in cast.everyone()] == [[], told, [], []]


@pytest.mark.parametrize("blocked", [True, False])
def test_who_has_left_is_told_of_no_block(app: Flask, *, blocked: bool) -> None:
    cast = stage.cast()
    leave.leave(cast.max.id, cast.community, cast.max.id)
    fact = facts.MembershipChanged(
        community=cast.community, person=cast.max.id, by=cast.olga.id, blocked=blocked
    )
    seq = stage.happen(fact)
    assert [stage.told(one, seq) for one in cast.everyone()] == [[], [], [], []]


def test_what_a_change_of_a_membership_says_is_what_became_another(app: Flask) -> None:
    cast = stage.cast()
    leave.change(
        cast.olga.id, cast.community, cast.max.id, {"fare": "free", "role": "driver"}, lambda _: None
    )
    [row] = session.scalars(
        select(FactRow).where(
            FactRow.kind == facts.MembershipChanged.kind, FactRow.data["person"].astext == cast.max.id
        )
    )
    assert (row.data.get("fare"), row.data.get("role"), row.data.get("blocked")) == ("free", None, None)


def test_who_runs_the_community_hears_that_a_member_has_left(app: Flask) -> None:
    cast = stage.cast()
    seq = stage.happen(facts.MemberRemoved(community=cast.community, person=cast.max.id, by=cast.max.id))
    assert [stage.told(one, seq) for one in cast.everyone()] == [
        ["member_left.owner"],
        ["member_removed"],
        [],
        [],
    ]

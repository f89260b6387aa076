import copy
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.coverage import cover, master_policies
from app.coverage.models import PolicyInForce
from app.kit import clock
from app.kit.clock import z
from app.kit.db import constraint, db, session, transactional
from app.kit.errors import AlreadyExists, NotFound, NotInsurable, Validation
from tests.coverage import factories
from tests.coverage.factories import POLICY, bind, doing


def changed(**values: Any) -> dict[str, Any]:
    return copy.deepcopy(POLICY) | values


def test_every_mistake_is_named_where_it_stands(app: Flask) -> None:
    body = changed(min_driver_age="old", colour="red", liability_until="planned_end")
    with pytest.raises(Validation) as refused:
        master_policies.add(factories.insurer().id, body)
    pointers = {one["pointer"] for one in refused.value.members["errors"]}
    assert pointers == {"/min_driver_age", "/colour", "/liability_until"}


def test_conditions_nobody_can_read_are_refused(app: Flask) -> None:
    with pytest.raises(Validation) as refused:
        master_policies.add(factories.insurer().id, changed(conditions=["insurance-1999-1"]))
    [error] = refused.value.members["errors"]
    assert error["pointer"] == "/conditions"


def test_a_version_is_added_once(app: Flask) -> None:
    insurer = factories.insurer().id
    master_policies.add(insurer, changed(number="X-1"))
    with pytest.raises(AlreadyExists):
        master_policies.add(insurer, changed(number="X-1"))


def test_only_an_insurer_of_ours_has_policies(app: Flask) -> None:
    with pytest.raises(NotFound):
        master_policies.add("ins_" + "0" * 32, changed())


def test_a_policy_binds_nothing_before_it_is_activated(app: Flask) -> None:
    before = factories.policy()
    added = master_policies.add(before.insurer_id, changed(number="later"))
    now = clock.now()
    assert master_policies.in_force("FR", now).id == before.id  # type: ignore[union-attr]
    master_policies.activate(added.id, by="test")
    assert master_policies.in_force("FR", clock.now()).id == added.id  # type: ignore[union-attr]


def test_a_renewal_takes_over_at_its_very_beginning(app: Flask) -> None:
    old = factories.policy()
    turn = clock.now() + timedelta(days=30)
    new = factories.policy(valid_from=z(turn))
    one_ms = timedelta(milliseconds=1)
    assert master_policies.in_force("FR", turn - one_ms).id == old.id  # type: ignore[union-attr]
    assert master_policies.in_force("FR", turn).id == new.id  # type: ignore[union-attr]


def test_the_database_keeps_two_policies_of_a_country_apart(app: Flask) -> None:
    first = factories.policy()
    now = clock.now()
    row = PolicyInForce(
        policy_id=first.id,
        insurer_id=first.insurer_id,
        country="FR",
        from_at=now,
        to_at=now + timedelta(days=1),
    )
    session.add(row)
    with pytest.raises(IntegrityError) as refused:
        session.flush()
    session.rollback()
    assert constraint(refused.value) == "policies_in_force_one_at_once"


def test_a_policy_that_has_run_out_is_not_activated(app: Flask) -> None:
    ended = master_policies.add(
        factories.insurer().id, changed(valid_from="2020-01-01T00:00:00Z", valid_to="2021-01-01T00:00:00Z")
    )
    with pytest.raises(Validation):
        master_policies.activate(ended.id, by="test")


def test_a_cover_runs_off_under_the_policy_it_was_bound_under(app: Flask) -> None:
    circle = factories.circle(late={"rule": "lock"})
    trip = circle.trip(hours=1)
    bind(trip)
    factories.policy(premium={"per": "hour", "amount": 99_900})
    closed = doing(cover.close, trip.rental, trip.to_at + timedelta(hours=1), evidence="box")
    assert closed.policy_id == circle.policy.id
    assert (closed.premium, closed.own_damage_to) == (300, closed.to_at)


def test_where_no_policy_is_in_force_nothing_is_insured(app: Flask) -> None:
    circle = factories.circle()
    master_policies.retire(circle.policy.id)
    trip = circle.trip()
    assert cover.reasons_against(trip) == ["no_policy"]
    assert cover.conditions_of(circle.car) == []
    with pytest.raises(NotInsurable) as refused:
        bind(trip)
    assert refused.value.members["reasons"] == ["no_policy"]
    assert cover.clearance_needed(circle.car) == "owner"


def test_a_quote_names_the_conditions_and_the_clearance_of_the_policy(app: Flask) -> None:
    circle = factories.circle(clearance="operator")
    assert cover.conditions_of(circle.car) == ["insurance-2026-1"]
    assert cover.clearance_needed(circle.car) == "operator"


def test_readiness_holds_the_policy_until_it_is_done(app: Flask) -> None:
    circle = factories.circle()

    @transactional
    def locks() -> list[Any]:
        cover.reasons_against(circle.trip(), share_lock=True)
        skipping = (
            select(PolicyInForce)
            .where(PolicyInForce.policy_id == circle.policy.id)
            .with_for_update(skip_locked=True)
        )
        with db.engine.connect() as other:
            return list(other.execute(skipping))

    assert locks() == []

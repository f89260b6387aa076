"""Who loses a right while what they asked waits has lost it: what waits for the community is judged once more after."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text

from app.kit.db import db, release
from tests.communities.circle import Circle, Voice


@pytest.fixture
def manager(circle: Circle) -> Voice:
    code = circle.invite(circle.olga, role="manager", fare="free", email=circle.charlie.person.email)
    circle.accept(circle.charlie, code)
    circle.rules(may_invite="manager")
    return circle.charlie


def apart() -> Engine:
    return create_engine(db.engine.url, poolclass=NullPool)


@contextmanager
def meanwhile(circle: Circle, who: Voice, *asked: Any, **headers: str) -> Iterator[list[int]]:
    """`who` asks while a change of the community is under way; what is done inside is done before they are answered."""
    release()
    answers: list[int] = []

    def ask() -> None:
        with who.house.app_context():
            answers.append(who.answer(*asked, **headers).status_code)
            release()

    with apart().connect() as held:
        held.execute(text("select from communities where id = :id for update"), {"id": circle.id[4:]})
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(0.5)
        assert not answers
        yield answers
        held.rollback()
    asking.join(20)


def by_hand(who: Voice, change: str) -> None:
    """As whoever held the community would have changed it: what comes first waits for nobody."""
    with apart().begin() as connection:
        connection.execute(text(f"update memberships set {change} where person_id = :id"), {"id": who.id[4:]})  # noqa: S608


def test_who_is_removed_meanwhile_invites_nobody(circle: Circle, manager: Voice) -> None:
    path, body = f"/communities/{circle.id}/invitations", {"role": "manager", "fare": "free"}
    with meanwhile(circle, manager, "POST", path, body) as answers:
        by_hand(manager, "ended_at = now()")
    assert answers == [404]


def test_who_is_demoted_meanwhile_promotes_nobody(circle: Circle, manager: Voice) -> None:
    path = f"/communities/{circle.id}/members/{circle.max.id}"
    tag = manager.etag(path)
    with meanwhile(circle, manager, "PATCH", path, {"role": "manager"}, If_Match=tag) as answers:
        by_hand(manager, "role = 'driver'")
    assert answers == [403]


def test_who_is_demoted_meanwhile_changes_no_rules(circle: Circle, manager: Voice) -> None:
    path = f"/communities/{circle.id}"
    tag = manager.etag(path)
    with meanwhile(
        circle, manager, "PATCH", path, {"rules": {"may_invite": "driver"}}, If_Match=tag
    ) as answers:
        by_hand(manager, "role = 'driver'")
    assert answers == [403]

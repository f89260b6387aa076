import pytest
from flask import Flask

from app.operator import act
from tests import factories
from tests.operator.operators_desk import Desk


@pytest.fixture
def op(app: Flask) -> Desk:
    """An operator who has just signed in."""
    person = factories.person("Opal Operator")
    secret = act.make_operator(person.email, by=act.COMMAND_LINE, reason="tests")
    desk = Desk(app.test_client(), person, secret)
    assert desk.sign_in(desk.code()).status_code == 201
    return desk


@pytest.fixture
def stranger(app: Flask) -> Desk:
    """Somebody who is no operator."""
    desk = Desk(app.test_client(), factories.person("Charlie Stranger"))
    assert desk.sign_in(None).status_code == 201
    return desk

"""What an owner may ask for, before anybody drives."""

import pytest
from flask import Flask

from app.cars import terms
from app.kit.db import session
from app.kit.errors import Validation
from tests import factories


@pytest.mark.parametrize("name", ["deposit", "cleaning", "refuel"])
def test_what_is_asked_for_by_itself_is_nothing_or_enough_for_a_card(app: Flask, name: str) -> None:
    olga = factories.person("Olga Owner")
    circle = factories.circle(olga)
    car = factories.shared(olga, circle).id
    for too_little in (1, 49):
        with pytest.raises(Validation) as refused:
            terms.put(olga.id, car, circle.id, {"currency": "EUR", name: too_little})
        assert [one["pointer"] for one in refused.value.members["errors"]] == [f"/{name}"]
        session.rollback()
    for enough in (0, 50):
        assert terms.put(olga.id, car, circle.id, {"currency": "EUR", name: enough}).data[name] == enough

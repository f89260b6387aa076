"""A plate that nobody knows, a rival's car and one that was never insured are looked up by the same work.

What takes the same steps takes the same time; how alike it is, `bench/lookups.py` measures.
"""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.coverage import cover
from app.kit import clock
from app.kit.clock import z
from tests.coverage import factories
from tests.coverage.factories import bearer, bind, doing, seal
from tests.kit.hearing import statements

UNKNOWN = "ZZ-999-ZZ"


@pytest.fixture
def plates(app: Flask) -> dict[str, str]:
    """What is asked by an insurer who has never covered any of them."""
    del app
    out, back, never = factories.circle(), factories.circle(), factories.circle()
    bind(out.trip())
    ended = back.trip()
    bind(ended)
    clock.forward(timedelta(minutes=5))
    doing(cover.close, ended.rental, clock.now(), evidence="box")
    seal()
    clock.forward(timedelta(minutes=5))
    return {
        "unknown": UNKNOWN,
        "a rival's, out": str(out.car.plate),
        "a rival's, back": str(back.car.plate),
        "never insured": str(never.car.plate),
    }


@pytest.mark.parametrize("as_of", [False, True])
def test_every_look_up_sends_the_same_statements_in_the_same_order(
    http: Any, plates: dict[str, str], *, as_of: bool
) -> None:
    asks = bearer(http, factories.client(factories.policy().insurer_id, "coverage:lookup"))
    then = {"as_of": z(clock.now() - timedelta(minutes=1))} if as_of else {}

    def look_up(plate: str) -> tuple[list[str], dict[str, Any]]:
        query = {"plate": plate, "country": "FR", "at": z(clock.now() - timedelta(minutes=2)), **then}
        with statements() as heard:
            found = http.get("/v1/insurer/lookup", headers=asks, query_string=query)
        assert found.status_code == 200, found.text
        about_it = [one for one in heard if "partner_clients" not in one]  # who asks is read once a second
        return about_it, {**found.json, "plate": None, "at": None}

    look_up(UNKNOWN)  # what a process asks once
    sent, said = look_up(UNKNOWN)
    assert len(sent) >= 3
    assert said["covered"] == "unknown"
    for plate in plates.values():
        assert look_up(plate) == (sent, said)

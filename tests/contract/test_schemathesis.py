"""The contract tried by a machine: Schemathesis calls every operation with what it allows and what it does not.

Two people who share things are signed in, so that object-level checks are really tried: Olga has a car, a community and
a rental on it, Max is the driver. Charlie is a stranger and gets nothing. With the suite each operation is called twice
with what is allowed and twice with what is not, the same each time; GLOVEBOX_SCHEMATHESIS sets for how many seconds it
goes on, with more and others each time.
"""

import itertools
import os
import random
import re
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import HypothesisException
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import select

from app.kit import clock, openapi
from app.kit.db import release, session
from app.kit.shapes import operations
from app.people.models import Person
from app.rentals import book, quote
from tests import factories
from tests.coverage import factories as insured
from tests.kit.asking import Signed, session_of

SECONDS = float(os.environ.get("GLOVEBOX_SCHEMATHESIS", "0"))
FIRST = 2
"""So often each operation is called in the first round, which is made whole; once more in each that follows."""
CHECKS: list[Any] = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SPARED = {
    "sign_out": "every later answer would be a 401",
    "end_session": "every later answer would be a 401",
    "erase_me": "every later answer would be a 401",
    "put_box": "waits 20 s for a broker that is not there",
    "rotate_box": "waits 20 s for a broker that is not there",
    "report_car_stolen": "bars the only car for all that follows",
}


class Scene:
    """Olga, Max and their things, with the ids that a path may name; Charlie, who has no part in them."""

    def __init__(self, house: Flask) -> None:
        with house.app_context():
            insured.policy()
            olga, member = factories.person("Olga Owner"), factories.person("Max Member")
            charlie = factories.person("Charlie Stranger")
            circle = factories.circle(olga, member, rules={"approval": "always"})
            car = factories.shared(olga, circle)
            factories.licensed(member, olga, circle)
            people = {"olga": olga.id, "max": member.id, "charlie": charlie.id}
            self.ids = {"community": circle.id, "car": car.id, "person": member.id}
            self.ids.update(_booked(member.id, car.id, circle.id))
            self.people = {name: _sign_in(person) for name, person in people.items()}
            release()


def _sign_in(person: str) -> Signed:
    return session_of(session.scalars(select(Person).where(Person.id == person)).one())


def _booked(driver: str, car: str, community: str) -> dict[str, str]:
    start = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=3)
    made = quote.quote(
        driver, {"car": car, "community": community, "from_": start, "to": start + timedelta(hours=4)}
    )
    rental = book.book(driver, {"quote": made.id, "accept": list(made.conditions)})
    return {"quote_id": made.id, "rental": rental.id}


@pytest.fixture(scope="module")
def scene(house: Flask) -> Scene:
    return Scene(house)


def _cases(house: Flask) -> Iterator[Any]:
    """Every operation of the contract as Schemathesis sees it."""
    schema = schemathesis.openapi.from_wsgi("/openapi.yaml", house)
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        if operation.definition.raw["operationId"] not in SPARED:
            yield operation


def _try(operation: Any, mode: GenerationMode, scene: Scene, examples: int, turn: random.Random) -> list[str]:
    """Call one operation a few times; returns what was wrong."""
    wrong: list[str] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize="GLOVEBOX_SCHEMATHESIS" not in os.environ,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        name, person = turn.choice(list(scene.people.items()))
        case.headers.update({**person.headers, "Idempotency-Key": uuid.uuid4().hex, "Prefer": "wait=0"})
        if turn.random() < 0.7:
            case.path_parameters.update(
                {key: one for key, one in scene.ids.items() if key in case.path_parameters}
            )
            case.headers["If-Match"] = "*"
        response = case.call()
        if response.status_code == 500:
            wrong.append(f"{name}: a bug: {case.as_curl_command()}")
        try:
            case.validate_response(response, checks=CHECKS)
        except (Failure, FailureGroup) as error:
            said = "; ".join(str(one) for one in getattr(error, "exceptions", [error]))
            wrong.append(
                f"{name}: {operation.method} {case.formatted_path} -> {response.status_code}: {said}"
            )

    try:
        call()
    except HypothesisException as error:
        if "Unable to satisfy" not in str(error):
            wrong.append(f"{operation.label}: {error}")
    return wrong


@pytest.mark.timeout(SECONDS * 4 + 300)
def test_whatever_is_sent_the_answer_is_one_that_the_contract_names(house: Flask, scene: Scene) -> None:
    until, turn = time.monotonic() + SECONDS, random.Random(2027)  # noqa: S311
    every = [
        (one, mode) for one in _cases(house) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]
    wrong: list[str] = []
    for examples in itertools.count(FIRST):
        turn.shuffle(every)
        for operation, mode in every:
            if examples > FIRST and time.monotonic() > until:
                break
            wrong += _try(operation, mode, scene, examples, turn)
        if time.monotonic() > until:
            break
    assert wrong == [], "\n\n".join(wrong[:20])


def _examples(house: Flask, scene: Scene) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """(operationId, method, path, how) with the contract's own example bodies and the scene's ids."""
    contract = openapi.as_dict(house)
    for path, method, operation in operations(contract):
        names = set(re.findall(r"{([a-z_]+)}", path))
        if names & set(scene.ids) and operation["security"] == [{"person": []}]:
            known = {one["name"]: str(one["example"]) for one in operation["parameters"]} | scene.ids
            filled = path.format_map(known)
            contents = operation.get("requestBody", {}).get("content", {})
            body = contents.get("application/json", {})
            query = {
                one["name"]: one["example"]
                for one in operation.get("parameters", ())
                if one["in"] == "query" and one.get("required")
            }
            how: dict[str, Any] = {"json": body.get("example"), "query_string": query}
            if "multipart/form-data" in contents:
                how = {
                    "data": contents["multipart/form-data"]["example"],
                    "content_type": "multipart/form-data",
                }
            yield operation["operationId"], method.upper(), filled, how


def test_a_stranger_gets_nothing_of_what_is_olgas(house: Flask, scene: Scene) -> None:
    client, tried = house.test_client(), 0
    for name, method, path, how in _examples(house, scene):
        headers = {**scene.people["charlie"].headers, "Idempotency-Key": uuid.uuid4().hex, "If-Match": "*"}
        answer = client.open(path, method=method, headers=headers, **how)
        assert answer.status_code in (403, 404, 422), (name, answer.status_code, answer.data)
        tried += 1
    assert tried > 40


def test_a_member_changes_nothing_of_olgas_car_or_community(house: Flask, scene: Scene) -> None:
    client = house.test_client()
    for name, method, path, how in _examples(house, scene):
        if method != "GET" and not path.startswith("/v1/rentals/") and scene.people["max"].id not in path:
            headers = {**scene.people["max"].headers, "Idempotency-Key": uuid.uuid4().hex, "If-Match": "*"}
            answer = client.open(path, method=method, headers=headers, **how)
            assert answer.status_code in (403, 404, 409, 422), (name, answer.status_code, answer.data)

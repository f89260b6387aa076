"""What people may write anywhere comes back as it was written, or is refused with a reason; never changed, never a 500."""

import json
from typing import Any

import pytest
from flask import Flask
from marshmallow import ValidationError, class_registry

from app.kit.fields import LINES, PLAIN, Shape, Strict, Text
from app.people.models import Person
from tests import factories
from tests.kit.asking import session_of
from tests.kit.naughty import every
from tests.rentals.scene import make

STRINGS = every()


def texts() -> dict[str, Text]:
    """Every text of every schema that is read, by schema and name."""
    found: dict[str, Text] = {}
    for entry in class_registry._registry.values():
        for schema in entry if isinstance(entry, list) else [entry]:
            if isinstance(schema, type) and issubclass(schema, Strict):
                for name, field in schema._declared_fields.items():
                    if isinstance(field, Text) and not field.dump_only:
                        found[f"{schema.__module__}.{schema.__name__}.{name}"] = field
    return found


def test_there_are_five_hundred_of_them() -> None:
    assert len(STRINGS) >= 500


def test_every_text_of_the_contract_is_kept_as_written_or_refused_with_a_reason(app: Flask) -> None:
    del app
    fields = texts()
    assert len(fields) > 60
    refusing = [name for name, field in fields.items() if is_free(field) and accepted(field) < 30]
    assert refusing == []
    changed = [
        (name, written) for name, field in fields.items() for written in STRINGS if not kept(field, written)
    ]
    assert changed == []


def is_free(field: Text) -> bool:
    """A text in which people write what they like, and no plate, code or address."""
    patterns = {one.regex.pattern for one in field.validators if isinstance(one, Shape)}
    return patterns <= {PLAIN, LINES}


def accepted(field: Text) -> int:
    return sum(not refused(field, written) for written in STRINGS)


def refused(field: Text, written: str) -> bool:
    try:
        field.deserialize(written)
    except ValidationError:
        return True
    return False


def kept(field: Text, written: str) -> bool:
    """As it was written, in and out; or refused with a reason."""
    try:
        read = field.deserialize(written)
    except ValidationError as said:
        return all(str(one).strip() for one in said.messages)
    shown = field._serialize(read, None, None)
    return bool(read == shown == written)


def places(name: str) -> tuple[Person, str, dict[str, str], str]:
    """Who writes where into which field."""
    if name == "name of a community":
        return factories.person("Olga"), "/v1/communities", {"kind": "circle"}, "name"
    scene = make()
    return scene.max, f"/v1/rentals/{scene.rental_id}/notes", {}, "text"


@pytest.mark.parametrize("place", ["name of a community", "note in a rental"])
def test_over_http_and_through_the_database_it_is_the_same(app: Flask, place: str) -> None:
    who, path, body, field = places(place)
    client, refused = app.test_client(), 0
    for number, written in enumerate(STRINGS):
        if number % 200 == 0:
            headers = session_of(who).headers | {"Content-Type": "application/json"}
        answer = client.post(path, data=json.dumps(body | {field: written}), headers=headers)
        said: Any = answer.json
        if answer.status_code == 201:
            assert said[field] == written
            continue
        refused += 1
        assert answer.status_code == 422, (written, answer.text)
        assert said["errors"][0]["detail"]
        assert said["errors"][0]["pointer"] == f"/{field}"
    assert 0 < refused < len(STRINGS) / 2

"""What people may write anywhere comes back as it was written, or is refused with a reason; never changed, never a 500."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from marshmallow import ValidationError, class_registry

from app.kit.fields import LINES, PLAIN, Shape, Strict, Text
from tests.kit.naughty import every
from tests.kit.town import Town
from tests.kit.writing import Row, put
from tests.kit.written import GROUPS, ROWS

STRINGS = every()
LONG = os.environ.get("GLOVEBOX_FAULTS") == "long"
A_ROW_OF = len(STRINGS) // 3
"""In the short run each field is given every so-many-th string, each field others."""
FRESH_AFTER = 40
CONTRACT = Path(__file__).parents[2] / "openapi.yaml"
WORDS = {re.compile(one).pattern for one in (PLAIN, LINES)}


@cache
def contract() -> Any:
    return yaml.load(CONTRACT.read_bytes(), Loader=yaml.CSafeLoader)


def resolved(schema: Any) -> Any:
    while "$ref" in schema:
        found = contract()
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        schema = found
    return schema


def texts_in(schema: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Each string of a body that is not one of a few words, by its place."""
    schema = resolved(schema)
    for part in (*schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from texts_in(part, pointer)
    kinds = schema.get("type")
    if "string" in (kinds if isinstance(kinds, list) else [kinds]) and "enum" not in schema:
        yield pointer, schema
    for name, inner in schema.get("properties", {}).items():
        yield from texts_in(inner, f"{pointer}/{name}")
    if isinstance(schema.get("items"), dict):
        yield from texts_in(schema["items"], f"{pointer}/*")


@dataclass(frozen=True)
class Field:
    """A text in the body of a request."""

    operation: str
    method: str
    path: str
    pointer: str
    example: Any
    is_free: bool

    @property
    def name(self) -> str:
        return f"{self.operation} {self.pointer}"


@cache
def fields() -> dict[str, Field]:
    """Every text of the contract that somebody may send as JSON."""
    found = []
    for path, item in contract()["paths"].items():
        for method, said in item.items():
            body = resolved(said["requestBody"]) if method != "parameters" and "requestBody" in said else {}
            sent = body.get("content", {}).get("application/json")
            for pointer, schema in texts_in(sent["schema"]) if sent else ():
                free = schema.get("pattern") in WORDS and "format" not in schema
                found.append(
                    Field(said["operationId"], method.upper(), path, pointer, sent.get("example"), free)
                )
    return {one.name: one for one in found}


def test_there_are_five_hundred_of_them() -> None:
    assert len(STRINGS) >= 500


def test_every_text_in_which_people_write_what_they_like_has_its_row() -> None:
    assert len(fields()) > 190
    assert {name for name, one in fields().items() if one.is_free} == set(ROWS)


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


def test_every_schema_keeps_every_one_of_them_as_written_or_refuses_it_with_a_reason(app: Flask) -> None:
    del app
    known = texts()
    assert len(known) > 60
    refusing = [name for name, field in known.items() if is_free(field) and accepted(field) < 30]
    assert refusing == []
    changed = [
        (name, written) for name, field in known.items() for written in STRINGS if not kept(field, written)
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


def given(number: int) -> list[str]:
    return STRINGS if LONG else STRINGS[number % A_ROW_OF :: A_ROW_OF]


@pytest.mark.timeout(7200 if LONG else 60)
@pytest.mark.parametrize("who", sorted(GROUPS))
def test_what_is_written_over_http_is_read_again_as_it_was_or_refused_with_a_reason(
    app: Flask, who: str
) -> None:
    town, written, wrong = Town(app), 0, []
    for number, (name, row) in enumerate(ROWS.items()):
        if name not in GROUPS[who]:
            continue
        for text in [row.surely, *given(number * 7)]:
            town, written = (Town(app), 0) if written == FRESH_AFTER and LONG else (town, written + 1)
            said = what_is_wrong(town, row, name.partition(" ")[2], text)
            if said:
                wrong.append((name, text, said))
    assert wrong == []


def what_is_wrong(town: Town, row: Row, pointer: str, text: str) -> str:
    """Nothing, where the text was kept, or refused with a reason at its place; one text is surely kept."""
    town.text = text
    answer = row.write(town, text)
    if answer.status_code < 300:
        shown = row.read(town, answer) if row.read is not None else text
        return "" if shown == text else f"shown as {shown!r}"
    if row.read is not None and text == row.surely:
        return f"it is refused: {answer.text}"
    return "" if is_reasoned(answer, pointer) else f"{answer.status_code}: {answer.text}"


def is_reasoned(answer: Any, pointer: str = "") -> bool:
    """A problem of the caller's that says what it is; of a body, that it is the text at this pointer."""
    said, place = answer.json, pointer.replace("*", "0")
    errors = said.get("errors", [])
    at_place = all(place.startswith(one["pointer"]) for one in errors) if place else True
    words = [one["detail"] for one in errors] or [said.get("detail", said["title"])]
    return 400 <= answer.status_code < 500 and at_place and all(words)


@pytest.mark.timeout(7200 if LONG else 60)
def test_a_text_of_a_shape_is_refused_where_it_has_another(app: Flask) -> None:
    """Ids, codes, dates and the like: in the body of the contract's own example, at a thing that is not there."""
    town, wrong = Town(app), []
    shaped = [one for one in fields().values() if not one.is_free]
    for number, one in enumerate(shaped):
        for text in given(number * 11):
            answer = town.ask(asker(one), one.method, missing(one.path), put(one.example, one.pointer, text))
            if answer.status_code >= 300 and not is_reasoned(answer):
                wrong.append((one.name, text, answer.status_code, answer.text))
            if answer.status_code == 401:
                town = Town(app)
    assert wrong == []


def asker(one: Field) -> str:
    if one.path.startswith("/v1/operator"):
        return "opal"
    return "ines" if one.path.startswith("/v1/insurer") else "charlie"


def missing(path: str) -> str:
    """The path of something that is of its kind and not there."""
    ids = {
        "community": "com",
        "person": "per",
        "car": "car",
        "window": "win",
        "block_id": "blk",
        "damage": "dmg",
    }
    ids |= {
        "rental": "ren",
        "phone_id": "pho",
        "charge_request_id": "chr",
        "charge_request": "chr",
        "policy": "pol",
    }
    ids |= {"insurer": "ins", "payment": "pay", "webhook": "whk", "client": "cli"}
    found = re.sub(r"\{(\w+)\}", lambda m: f"{ids.get(m[1], m[1])}_{'0' * 32}", path)
    return found.removeprefix("/v1")

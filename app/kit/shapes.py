"""The contract's last shape: what comes in is closed, what goes out is open, and what is said twice is said once."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]
METHODS = ("get", "put", "post", "patch", "delete")
_REF = "#/components/schemas/"


def operations(spec: Spec) -> Iterator[tuple[str, str, Spec]]:
    """(path, method, operation), in the document's order."""
    for path, item in spec["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def split(spec: Spec) -> None:
    """A schema that goes both ways becomes two: `CarIn` closed and without what only we say, `Car` open.

    A client may then trust the contract in both directions: a field that is not named is refused, while an answer
    may have more members tomorrow than today.
    """
    schemas: Spec = spec["components"]["schemas"]
    for schema in schemas.values():
        schema.pop("additionalProperties", None) if schema.get("additionalProperties") is False else None
    out = _reached(schemas, [one for _, _, op in operations(spec) for one in op["responses"].values()])
    renamed: dict[str, str] = {}
    for _, _, operation in operations(spec):
        if "requestBody" in operation:
            _close(operation["requestBody"], schemas, out, renamed)
    for name in [name for name in schemas if name not in out and name not in renamed.values()]:
        del schemas[name]
    for name in out:
        _without(schemas[name], "writeOnly")


def _reached(schemas: Spec, start: list[Any]) -> set[str]:
    found: set[str] = set()
    waiting = list(_refs(start))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _refs(schemas[name])
    return found


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        ref = value.get("$ref")
        if isinstance(ref, str) and ref.startswith(_REF):
            yield ref.removeprefix(_REF)
        for inner in value.values():
            yield from _refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _refs(inner)


def _close(value: Any, schemas: Spec, out: set[str], renamed: dict[str, str]) -> None:
    """Point every reference below `value` to the closed form of its schema, made when first met."""
    if isinstance(value, list):
        for inner in value:
            _close(inner, schemas, out, renamed)
    if not isinstance(value, dict):
        return
    ref = value.get("$ref")
    if isinstance(ref, str) and ref.startswith(_REF):
        name = ref.removeprefix(_REF)
        if name not in renamed.values():
            value["$ref"] = _REF + (renamed.get(name) or _closed(name, schemas, out, renamed))
    for key, inner in value.items():
        if key != "$ref":
            _close(inner, schemas, out, renamed)


def _closed(name: str, schemas: Spec, out: set[str], renamed: dict[str, str]) -> str:
    wanted = f"{name}In" if name in out else name
    if wanted != name and wanted in schemas:
        wanted = f"{name}Body"
    renamed[name] = wanted
    made = json.loads(json.dumps(schemas[name]))
    _without(made, "readOnly")
    if made.get("type") == "object":
        made["additionalProperties"] = False
    schemas[wanted] = made
    _close(made, schemas, out, renamed)
    return wanted


def _without(schema: Spec, mark: str) -> None:
    properties = schema.get("properties", {})
    for name in [name for name, one in properties.items() if one.get(mark)]:
        del properties[name]
        if name in schema.get("required", ()):
            schema["required"].remove(name)
    if not schema.get("required", True):
        del schema["required"]
    for one in properties.values():
        one.pop("readOnly", None)
        one.pop("writeOnly", None)


def share_answers(spec: Spec) -> None:
    """Refusals that several operations have in common move to `components/responses`."""
    counted = Counter(
        _key(answer)
        for _, _, op in operations(spec)
        for status, answer in op["responses"].items()
        if status >= "300"
    )
    shared: Spec = spec["components"].setdefault("responses", {})
    for _, _, operation in operations(spec):
        for status, answer in operation["responses"].items():
            if status < "300" or counted[_key(answer)] < 3:
                continue
            name = _answer_name(status, answer)
            if len(name) <= 60 and shared.setdefault(name, answer) == answer:
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}


def _key(answer: Spec) -> str:
    return json.dumps(answer, sort_keys=True)


def _answer_name(status: str, answer: Spec) -> str:
    contents: list[Spec] = list(answer.get("content", {}).values())
    kinds: Spec = contents[0].get("examples", {}) if contents else {}
    slugs = [slug for slug in kinds if not slug.isdigit()]
    words = "-".join(slugs) if slugs else answer["description"].lower().replace(" ", "-")
    return "".join(part.capitalize() for part in words.split("-")) or status


def drop_unused_examples(spec: Spec) -> None:
    """Problems that no route names yet."""
    text = json.dumps(spec)
    kept = {name: one for name, one in spec["components"]["examples"].items() if f'/examples/{name}"' in text}
    spec["components"]["examples"] = kept


def in_order(spec: Spec) -> Spec:
    """The parts of the document and of each operation in the order people read them."""
    keys = (
        "operationId",
        "tags",
        "summary",
        "description",
        "security",
        "parameters",
        "requestBody",
        "responses",
    )
    for item in spec["paths"].values():
        for method in METHODS:
            if method in item:
                operation = item[method]
                operation["responses"] = dict(sorted(operation["responses"].items()))
                item[method] = {key: operation[key] for key in keys if key in operation}
    for part in spec["components"].values():
        ordered = dict(sorted(part.items()))
        part.clear()
        part.update(ordered)
    top = ("openapi", "info", "servers", "tags", "security", "paths", "webhooks", "components")
    return {key: spec[key] for key in top if key in spec}

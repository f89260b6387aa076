"""Bracketed form fields as Stripe sends them, `a[b][0]=c`, read into what a schema asks for."""

import re
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from payments.double.problem import Problem
from payments.double.schema import Schema

PART = re.compile(r"([^\[\]]+)|\[([^\[\]]*)\]")
WHOLE_NUMBER = re.compile(r"-?\d{1,18}")


def parameters(fields: list[tuple[str, str]], schema: Schema) -> dict[str, Any]:
    """The parameters of one request. Raises Problem in Stripe's words for a wrong one."""
    tree: dict[str, Any] = {}
    for name, value in fields:
        keys = [plain or bracketed for plain, bracketed in PART.findall(name)]
        node = tree
        for key in keys[:-1]:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                raise _unknown(name)
        node[keys[-1]] = value
    read = _read(tree, schema, schema)
    errors = list(Draft202012Validator(schema).iter_errors(read))
    if errors:
        raise _problem(best_match(errors))
    return dict(read)


def _read(value: Any, schema: Schema, root: Schema) -> Any:
    """Text becomes the number or truth value the schema asks for, and numbered keys a list."""
    schema = _resolved(schema, root)
    for option in schema.get("anyOf", ()):
        read = _read(value, option, root)
        if Draft202012Validator({**option, "$defs": root.get("$defs", {})}).is_valid(read):
            return read
    if isinstance(value, dict):
        return _read_dict(value, schema, root)
    kind = schema.get("type")
    if kind == "integer" and WHOLE_NUMBER.fullmatch(value):
        return int(value)
    if kind == "boolean" and value in {"true", "false"}:
        return value == "true"
    return value


def _read_dict(value: dict[str, Any], schema: Schema, root: Schema) -> Any:
    if schema.get("type") == "array":
        items = schema["items"]
        return [_read(value[key], items, root) for key in sorted(value, key=lambda k: k.zfill(6))]
    known, extra = schema.get("properties", {}), schema.get("additionalProperties")
    open_schema = extra if isinstance(extra, dict) else {}
    return {key: _read(inner, known.get(key, open_schema), root) for key, inner in value.items()}


def _resolved(schema: Schema, root: Schema) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    return root["$defs"][name] if name else schema


def _problem(error: ValidationError | None) -> Problem:
    assert error is not None
    instance: Any = error.instance
    where = [str(part) for part in error.absolute_path]
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        stray = min(set(instance) - set(known))
        return _unknown(_param([*where, stray]))
    if error.validator == "required":
        wanted: Any = error.validator_value
        missing = min(set(wanted) - set(instance))
        param = _param([*where, missing])
        return Problem(400, f"Missing required param: {param}.", code="parameter_missing", param=param)
    param = _param(where)
    if error.validator == "type" and error.validator_value == "integer":
        return Problem(
            400, f"Invalid integer: {error.instance}", code="parameter_invalid_integer", param=param
        )
    return Problem(400, f"Invalid {param}", param=param)


def _unknown(param: str) -> Problem:
    return Problem(400, f"Received unknown parameter: {param}", code="parameter_unknown", param=param)


def _param(where: list[str]) -> str:
    return where[0] + "".join(f"[{part}]" for part in where[1:]) if where else ""

"""From a TypedDict of the SDK to a JSON schema."""

import re
import sys
import types
from decimal import Decimal
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints

from stripe._request_options import RequestOptions
from typing_extensions import is_typeddict

Schema = dict[str, Any]

SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    Decimal: {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"},
    type(None): {"type": "null"},
}
OPTIONS = frozenset(RequestOptions.__annotations__)


def schema_of(params: Any) -> Schema:
    """A closed schema: an unknown name is refused, as Stripe does."""
    definitions: dict[str, Schema] = {}
    root = _reference(params, definitions)
    return {**root, "$defs": definitions}


def _reference(kind: Any, definitions: dict[str, Schema]) -> Schema:
    name = re.sub(r"\W", "_", f"{kind.__module__}.{kind.__qualname__}")
    if name not in definitions:
        definitions[name] = {}  # a type may contain itself
        own = {key: hint for key, hint in kind.__annotations__.items() if key not in OPTIONS}
        named = types.SimpleNamespace(__annotations__=own)
        wanted = get_type_hints(named, vars(sys.modules[kind.__module__]), include_extras=True)
        definitions[name] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {key: _schema(hint, definitions) for key, hint in wanted.items()},
            "required": sorted(key for key in wanted if key in kind.__required_keys__),
        }
    return {"$ref": f"#/$defs/{name}"}


def _schema(hint: Any, definitions: dict[str, Schema]) -> Schema:
    if hint in SCALARS:
        return SCALARS[hint]
    if is_typeddict(hint):
        return _reference(hint, definitions)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (NotRequired, Required):
        return _schema(arguments[0], definitions)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(option, definitions) for option in _closed(arguments)]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if arguments:  # Dict[str, T] and UntypedStripeObject[T]
        return {"type": "object", "additionalProperties": _schema(arguments[-1], definitions)}
    return {}


def _closed(options: tuple[Any, ...]) -> list[Any]:
    """The SDK leaves its enums open (`Literal[...]|str`); the server's are closed."""
    has_enum = any(get_origin(option) is Literal and set(get_args(option)) != {""} for option in options)
    return [option for option in options if not (has_enum and option is str)]

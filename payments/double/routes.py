"""Which parameters Stripe takes where: JSON schemas built from the installed SDK's own types, one route at a
time.

Each `_*_service.py` names verb, path and the TypedDict of its parameters; those are generated from Stripe's
OpenAPI specification. So the double always fits the pinned SDK, and a parameter that an upgrade removes
turns tests red.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import stripe

from payments.double.schema import Schema, schema_of

SDK = Path(stripe.__file__).parent
PATH = re.compile(r'"(/v1/[^"]+)"')


@dataclass(frozen=True)
class Route:
    """One call of Stripe's API: its verb, its path with {holes}, and what it takes."""

    method: str
    template: str
    schema: Schema


@dataclass(frozen=True)
class _Call:
    method: str
    template: str
    params: str | None


@cache
def route_of(method: str, template: str) -> Route | None:
    """The route, or None where Stripe has no such verb on that path."""
    source = _sources().get(template)
    if source is None:
        return None
    tree = ast.parse(source.read_text())
    for call in _calls(tree):
        if (call.method, call.template) == (method, template):
            schema: Schema = {"type": "object", "additionalProperties": False, "properties": {}}
            return Route(
                method, template, schema_of(_params_type(tree, call.params)) if call.params else schema
            )
    return None


@cache
def template_of(path: str) -> str | None:
    """The template that fits a path; a fixed word wins over a hole."""
    return next((template for template, pattern in _patterns() if pattern.fullmatch(path)), None)


@cache
def _sources() -> dict[str, Path]:
    files = [path for path in SDK.rglob("_*_service.py") if "v2" not in path.parts]
    return {template: path for path in files for template in PATH.findall(path.read_text())}


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    by_holes = sorted(_sources(), key=lambda template: template.count("{"))
    return [(template, re.compile(re.sub(r"\{\w+\}", "[^/]+", template))) for template in by_holes]


def _calls(tree: ast.Module) -> Iterator[_Call]:
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and _name(node.func) == "_request":
                method, path = _constant(node.args[0]), _constant(node.args[1])
                yield _Call(method, path, _params_name(function))


def _params_name(function: ast.FunctionDef) -> str | None:
    for argument in function.args.args:
        if argument.arg == "params" and argument.annotation is not None:
            words = [n.value for n in ast.walk(argument.annotation) if isinstance(n, ast.Constant)]
            return str(words[0])
    return None


def _params_type(tree: ast.Module, name: str) -> Any:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return getattr(import_module(node.module or ""), name)
    raise LookupError(name)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ""


def _constant(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):  # "...".format(...)
        node = node.func.value
    return str(node.value) if isinstance(node, ast.Constant) else ""

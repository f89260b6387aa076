"""Guards of the contract: openapi.yaml equals the routes, says all it should of each, and every example is true."""

import re
from collections import Counter
from typing import Any

import jsonschema
import pytest
import yaml
from flask import Flask
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from app.kit import openapi
from app.kit.errors import BY_SLUG
from app.kit.routes import RULES
from app.kit.shapes import operations
from tests.guards.test_chain import ROOT


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((ROOT / "openapi.yaml").read_bytes(), Loader=yaml.CSafeLoader)
    return found


def test_openapi_yaml_equals_the_routes(house: Flask) -> None:
    same = (ROOT / "openapi.yaml").read_text("utf-8") == openapi.document(house)
    assert same, "run `make openapi` and commit the difference"


def test_openapi_yaml_is_openapi_3_1(contract: dict[str, Any]) -> None:
    assert contract["openapi"] == "3.1.0"
    validate(contract)


def test_every_route_is_in_the_contract_once(contract: dict[str, Any]) -> None:
    ids = Counter(operation["operationId"] for _, _, operation in operations(contract))
    assert ids == Counter(name.partition(".")[2] for name in RULES)


def test_every_route_that_reads_a_query_names_its_parameters(contract: dict[str, Any]) -> None:
    named = {
        operation["operationId"]
        for _, _, operation in operations(contract)
        if any(one["in"] == "query" for one in operation.get("parameters", ()))
    }
    assert named == {name.partition(".")[2] for name, rule in RULES.items() if rule.has_query}


def test_every_operation_says_what_it_does_and_to_whom(contract: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in contract["tags"] if tag["description"]}
    for path, method, operation in operations(contract):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert len(operation["description"]) > len(operation["summary"]), where
        assert set(operation["tags"]) <= tags, where
        assert "security" in operation, where


def test_every_operation_names_its_standard_refusals(contract: dict[str, Any]) -> None:
    for path, method, operation in operations(contract):
        wanted = {"429", "500"}
        wanted |= {"401"} if operation["security"] else set()
        wanted |= {"404"} if re.search(r"\{", path) else set()
        wanted |= (
            {"413", "415"}
            if "application/json" in operation.get("requestBody", {}).get("content", {})
            else set()
        )
        assert wanted <= set(operation["responses"]), (method, path, wanted - set(operation["responses"]))


def resolve(contract: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found: Any = contract
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def test_every_answer_has_its_headers_and_every_refusal_its_example(contract: dict[str, Any]) -> None:
    for path, method, operation in operations(contract):
        for status, found in operation["responses"].items():
            answer, where = resolve(contract, found), f"{method} {path} {status}"
            assert answer["description"], where
            if status != "304":
                assert {"RateLimit", "RateLimit-Policy", "Request-Id"} <= set(answer["headers"]), where
            if status == "429":
                assert "Retry-After" in answer["headers"], where
            if status >= "400" and path == "/oauth/token" and status in ("400", "401"):
                assert answer["content"]["application/json"]["example"]["error"], where
            elif status >= "400":
                content = answer["content"]["application/problem+json"]
                assert content["examples"], where
                for one in content["examples"].values():
                    assert resolve(contract, one)["value"]["status"] == int(status), where


def test_every_problem_type_in_the_contract_is_one_of_ours(contract: dict[str, Any]) -> None:
    assert {name for name in contract["components"]["examples"] if not name.isdigit()} <= set(BY_SLUG)


def _absolute(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: f"urn:contract{one}" if key == "$ref" else _absolute(one) for key, one in value.items()}
    return [_absolute(one) for one in value] if isinstance(value, list) else value


def test_every_example_fits_its_schema(contract: dict[str, Any]) -> None:
    whole = Resource.from_contents(_absolute(contract), default_specification=DRAFT202012)
    registry: Any = Registry().with_resource("urn:contract", whole)
    formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
    wrong: list[str] = []

    def check(schema: dict[str, Any], example: Any, where: str) -> None:
        validator = jsonschema.Draft202012Validator(
            _absolute(schema), registry=registry, format_checker=formats
        )
        wrong.extend(f"{where}: {error.message}" for error in validator.iter_errors(example))

    for name, schema in contract["components"]["schemas"].items():
        for key, one in schema.get("properties", {}).items():
            for example in one.get("examples", ()):
                check(one, example, f"{name}.{key}")
    for path, method, operation in operations(contract):
        for parameter in operation.get("parameters", ()):
            check(parameter["schema"], parameter["example"], f"{method} {path} {parameter['name']}")
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            for content in resolve(contract, part).get("content", {}).values():
                examples = [content["example"]] if "example" in content else []
                examples += [resolve(contract, one)["value"] for one in content.get("examples", {}).values()]
                assert examples, f"{method} {path} has a body without an example"
                for example in examples:
                    check(content["schema"], example, f"{method} {path}")
    assert wrong == []


def test_every_request_is_closed_and_every_text_number_and_list_limited(contract: dict[str, Any]) -> None:
    loose: list[str] = []
    for name, schema in contract["components"]["schemas"].items():
        for key, one in schema.get("properties", {}).items():
            kinds = one.get("type", [])
            kinds = kinds if isinstance(kinds, list) else [kinds]
            if "string" in kinds and not {"maxLength", "enum"} & set(one) and one.get("format") != "date":
                loose.append(f"{name}.{key}")
            if {"integer", "number"} & set(kinds) and not {"minimum", "maximum"} <= set(one):
                loose.append(f"{name}.{key}")
            if "array" in kinds and "maxItems" not in one:
                loose.append(f"{name}.{key}")
    assert loose == []
    for path, method, operation in operations(contract):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content:
            assert resolve(contract, content["schema"])["additionalProperties"] is False, (method, path)

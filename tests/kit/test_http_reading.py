"""What may come in: every odd body, query and header has its refusal, never a 500."""

import json
from typing import Any

import pytest
from flask import Flask

from tests.kit.asking import Ask, Signed, signed_in, slug

CIRCLE = {"name": "Friends", "kind": "circle"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def olga(house: Flask) -> Signed:
    """One account for all of these: nothing here has an effect."""
    return signed_in(house, "Olga Owner")


BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "malformed"),
    "no JSON": (b"name=Friends", 400, "malformed"),
    "half a document": (b'{"name": "F"', 400, "malformed"),
    "two documents": (b"{} {}", 400, "malformed"),
    "a list": (b"[]", 400, "malformed"),
    "a bare null": (b"null", 400, "malformed"),
    "not UTF-8": (b'{"name": "\xff", "kind": "circle"}', 400, "malformed"),
    "UTF-16": (json.dumps(CIRCLE).encode("utf-16"), 400, "malformed"),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400, "malformed"),
    "a doubled key": (b'{"name": "F", "name": "G", "kind": "circle"}', 400, "malformed"),
    "a doubled key deep inside": (
        b'{"name": "F", "kind": "circle", "rules": {"per_week": 1, "per_week": 2}}',
        400,
        "malformed",
    ),
    "thirty thousand brackets": (b"[" * 30_000 + b"]" * 30_000, 400, "malformed"),
    "sixty thousand open brackets": (b"[" * 60_000, 400, "malformed"),
    "ten thousand objects in each other": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, "malformed"),
    "21 levels": (b'{"name": ' + b"[" * 20 + b"]" * 20 + b"}", 400, "malformed"),
    "20 levels": (b'{"name": ' + b"[" * 19 + b"]" * 19 + b"}", 422, "validation"),
    "a 5,000-digit integer": (b'{"name": ' + b"9" * 5000 + b"}", 400, "malformed"),
    "a number out of range": (b'{"name": 1e5000}', 400, "malformed"),
    "NaN": (b'{"name": NaN}', 400, "malformed"),
    "Infinity": (b'{"name": -Infinity}', 400, "malformed"),
    "NUL in a string": (b'{"name": "F\\u0000", "kind": "circle"}', 422, "validation"),
    "a raw control character": (b'{"name": "F\x01", "kind": "circle"}', 400, "malformed"),
    "an escaped control character": (b'{"name": "F\\u0007", "kind": "circle"}', 422, "validation"),
    "a line feed at the end": (b'{"name": "F\\n", "kind": "circle"}', 422, "validation"),
    "a C1 control character": (b'{"name": "F\\u0085", "kind": "circle"}', 422, "validation"),
    "a lone surrogate": (b'{"name": "F\\ud800", "kind": "circle"}', 422, "validation"),
    "a lone surrogate as a key": (b'{"name": "F", "kind": "circle", "\\udfff": 1}', 422, "validation"),
    "NUL as a key": (b'{"name": "F", "kind": "circle", "\\u0000": 1}', 422, "validation"),
    "a very long key": (b'{"name": "F", "kind": "circle", "' + b"k" * 5000 + b'": 1}', 422, "validation"),
    "an unknown field": (b'{"name": "F", "kind": "circle", "colour": "red"}', 422, "validation"),
    "a field that only we write": (b'{"name": "F", "kind": "circle", "my_role": "owner"}', 422, "validation"),
    "a number for a string": (b'{"name": 5, "kind": "circle"}', 422, "validation"),
    "true for a number": (b'{"name": "F", "kind": "circle", "rules": {"per_week": true}}', 422, "validation"),
    "a string for a number": (
        b'{"name": "F", "kind": "circle", "rules": {"per_week": "5"}}',
        422,
        "validation",
    ),
    "only blanks": (b'{"name": "  ", "kind": "circle"}', 422, "validation"),
    "too long": (json.dumps({**CIRCLE, "name": "F" * 81}).encode(), 422, "validation"),
    "null for what must be": (b'{"name": null, "kind": "circle"}', 422, "validation"),
    "a field left out": (b'{"kind": "circle"}', 422, "validation"),
}


@pytest.mark.parametrize("odd", BODIES)
def test_an_odd_body_has_its_refusal(ask: Ask, odd: str) -> None:
    data, status, kind = BODIES[odd]
    answer = ask("POST", "/v1/communities", data=data, headers=JSON)
    assert (answer.status_code, slug(answer)) == (status, kind), answer.data


@pytest.mark.parametrize(
    "name", ["Žofie 🚗", "a\u200db", "line\u2028separator", "e\u0301", "  padded  ", "<b>&amp;</b>", "مرحبا"]
)
def test_any_other_text_comes_back_unchanged(ask: Ask, name: str) -> None:
    answer = ask("POST", "/v1/communities", json={**CIRCLE, "name": name})
    assert answer.status_code == 201
    assert answer.get_json()["name"] == name


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data", "application/x-www-form-urlencoded", ""]
)
def test_a_body_that_is_not_json_is_415(ask: Ask, kind: str) -> None:
    answer = ask("POST", "/v1/communities", data=json.dumps(CIRCLE), headers={"Content-Type": kind})
    assert (answer.status_code, slug(answer)) == (415, "about:blank")


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1024 * 1024])
def test_a_body_over_64_kb_is_413(ask: Ask, size: int) -> None:
    answer = ask("POST", "/v1/communities", data=b'"' + b"a" * (size - 2) + b'"', headers=JSON)
    assert (answer.status_code, slug(answer)) == (413, "about:blank")


@pytest.mark.parametrize("given", [1, 0, "true", "yes", None])
def test_only_true_and_false_are_flags(ask: Ask, given: Any) -> None:
    box = {"kind": "simulator", "has_immobiliser": given, "key_sensor": True}
    answer = ask("PUT", f"/v1/cars/car_{'0' * 32}/box", json=box)
    assert (answer.status_code, slug(answer)) == (422, "validation")
    assert answer.get_json()["errors"][0]["pointer"] == "/has_immobiliser"


@pytest.mark.parametrize("given", ["48.85", True, None, 91, "NaN"])
def test_only_numbers_within_limits_are_numbers(ask: Ask, given: Any) -> None:
    answer = ask("POST", "/v1/cars", json={"home": {"lat": given, "lon": 2.35}})
    errors = {one["pointer"] for one in answer.get_json()["errors"]}
    assert "/home/lat" in errors


QUERIES = {
    "an unknown parameter": ("/v1/communities?colour=red", "colour"),
    "a parameter twice": ("/v1/communities?limit=1&limit=2", "limit"),
    "zero": ("/v1/communities?limit=0", "limit"),
    "too many": ("/v1/communities?limit=101", "limit"),
    "not a number": ("/v1/communities?limit=ten", "limit"),
    "a number with an underscore": ("/v1/communities?limit=1_0", "limit"),
    "digits of another script": ("/v1/communities?limit=%D9%A3", "limit"),
    "a 5,000-digit limit": ("/v1/communities?limit=" + "9" * 5000, "limit"),
    "NUL in a cursor": ("/v1/communities?cursor=%00", "cursor"),
    "a cursor of nobody": ("/v1/communities?cursor=abc", "cursor"),
    "a cursor of another list": ("/v1/communities?cursor=Y2FyXzAxOTdhM2YyYzFkMDdiNGU5YTVjM2QyZTFmMGE5Yjhj", "cursor"),
    "a cursor that is not text": ("/v1/communities?cursor=____", "cursor"),
    "an instant without offset": ("/v1/cars?free_from=2027-03-01T09:00:00", "free_from"),
    "an instant that never was": ("/v1/cars?free_from=2027-02-30T09:00:00Z", "free_from"),
    "an instant long ago": ("/v1/cars?free_from=0001-01-01T00:00:00Z", "free_from"),
    "a place off the earth": ("/v1/cars?near=91,0", "near"),
    "no place": ("/v1/cars?near=nan,nan", "near"),
    "half a span": ("/v1/cars?free_from=2027-03-01T09:00:00Z", "free_to"),
    "a word we do not know": ("/v1/rentals?state=flying", "state"),
    "a flag that is no flag": ("/v1/me/messages?unread=1", "unread"),
    "a parameter of a route without any": ("/v1/me?fields=name", "fields"),
    "a lone surrogate as a name": ("/v1/me?%ED%A0%80=1", None),
}  # fmt: skip


@pytest.mark.parametrize("odd", QUERIES)
def test_an_odd_query_is_422(ask: Ask, odd: str) -> None:
    path, parameter = QUERIES[odd]
    answer = ask("GET", path)
    assert (answer.status_code, slug(answer)) == (422, "validation"), answer.data
    if parameter:
        assert [one["parameter"] for one in answer.get_json()["errors"]] == [parameter]


def test_a_route_without_fields_takes_an_empty_object_but_no_field(ask: Ask) -> None:
    path = f"/v1/rentals/ren_{'0' * 32}/approve"
    assert ask("POST", path, json={}).status_code == 404
    assert ask("POST", path, json={"force": True}).status_code == 422
    assert ask("POST", path, data="force", headers={"Content-Type": "text/plain"}).status_code == 415


PATHS = [
    "/v1/cars/1", "/v1/cars/car_", "/v1/cars/car_XYZ", "/v1/cars/car_%00", "/v1/cars/%ff%fe", "/v1/cars/car_" + "0" * 33,
    "/v1/cars/CAR_" + "0" * 32, "/v1/cars/per_" + "0" * 32, "/v1/cars/car_" + "0" * 32, "/v1/cars/car_" + "%F0%9F%9A%97" * 8,
    "/v1/cars/..%2f..%2fetc", "/v1/cars/car_" + "a" * 8000, "/v1/cars/", "//v1//cars", "/v1/me/", "/v2/me", "/v1/nothing",
    "/%00",
    "/v1/rentals/ren_" + "0" * 32 + "/timeline", "/v1/invitations/%00", "/v1/invitations/%ED%A0%80", "/v1/invitations/a%2fb",
    "/v1/me/statements/%00%00%00%00%00%00%00", "/problems/%00", "/problems/nothing", "/conditions/%00",
    "/conditions/..%2f..",
    "/v1/certificates/crt_" + "0" * 32,
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_an_id_or_path_that_is_not_there_is_404(ask: Ask, path: str) -> None:
    answer = ask("GET", path)
    assert (answer.status_code, slug(answer)) == (404, "not-found"), answer.data


HEADERS: dict[str, tuple[dict[str, str], set[int]]] = {
    "a long language list": ({"Accept-Language": "fr;q=0.1," * 5000}, {200}),
    "nonsense as a language": ({"Accept-Language": "\x80,,;q=,*;q=9"}, {200}),
    "a long Accept": ({"Accept": "a/b," * 5000 + "*/*;q=0.1"}, {200}),
    "a huge token": ({"Authorization": "Bearer " + "a." * 30_000}, {401}),
    "a nested token": ({"Authorization": "Bearer W1tbW1tbW1tb" + "W1tb" * 10_000 + ".e30.e30"}, {401}),
    "two schemes": ({"Authorization": "Bearer a, Bearer b"}, {401}),
    "no token": ({"Authorization": "Bearer"}, {401}),
    "bytes as a token": ({"Authorization": "Bearer \xff\xfe"}, {401}),
    "a list of etags": ({"If-None-Match": '"a",' * 5000}, {200}),
    "a request id of another form": ({"Request-Id": "1' or '1'='1"}, {200}),
    "a range": ({"Range": "bytes=0-1"}, {200, 206}),
}  # fmt: skip


@pytest.mark.parametrize("odd", HEADERS)
def test_an_odd_header_breaks_nothing(ask: Ask, odd: str) -> None:
    headers, allowed = HEADERS[odd]
    assert ask("GET", "/v1/me", headers=headers).status_code in allowed

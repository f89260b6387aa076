"""The page for an insurer's human, as it is served: files of ours alone, nothing inline, the picture drawn here."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from app.coverage.desk_routes import FOLDER
from tests.coverage import factories
from tests.coverage.factories import bearer, seal

FILES = {"": "text/html", "page.js": "text/javascript", "page.css": "text/css"}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_page_is_served_with_its_policy(http: Any, name: str) -> None:
    answer = http.get(f"/insurer/{name}")
    assert (answer.status_code, answer.mimetype) == (200, FILES[name])
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere(http: Any) -> None:
    page = http.get("/insurer/").text
    assert re.findall(r'(?:src|href)="([^"]+)"', page) == ["/insurer/page.css", "/insurer/page.js"]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script>", page)


def test_the_script_stores_nothing_and_writes_no_markup() -> None:
    script = (FOLDER / "page.js").read_text("utf-8")
    for word in ("localStorage", "sessionStorage", "cookie", "innerHTML", "insertAdjacentHTML", "eval("):
        assert word not in script


def test_every_field_of_the_page_has_a_label(http: Any) -> None:
    page = http.get("/insurer/").text
    assert page.count("<input") == len(re.findall(r"<label>[^<]+<input", page))


def test_the_script_finds_what_it_asks_the_page_for(http: Any) -> None:
    page, script = http.get("/insurer/").text, (FOLDER / "page.js").read_text("utf-8")
    asked = set(re.findall(r'byId\("([a-z-]+)"\)', script)) | set(re.findall(r'\bid: "([a-z-]+)"', script))
    assert asked <= set(re.findall(r'id="([a-z-]+)"', page))


def test_the_picture_of_a_cover_shows_each_of_its_versions(http: Any) -> None:
    circle = factories.circle()
    ended = factories.ended(circle)
    seal()
    own = bearer(http, factories.client(circle.policy.insurer_id))
    answer = http.get(f"/v1/insurer/covers/{ended.id}/timeline.svg", headers=own)
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    root = ET.fromstring(answer.text)  # noqa: S314 - our own
    assert [one.get("data-version") for one in root.iter() if one.get("data-version")] == ["1", "2", "3"]

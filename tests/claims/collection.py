"""docs/insurers.http as REST Client reads it: named requests, and variables that look into the answers before."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "docs" / "insurers.http"
_VARIABLE = re.compile(r"^@(\w+)\s*=\s*(.*)$")
_USED = re.compile(r"{{([^}]+)}}")
_STEP = re.compile(r"(\w+)|\[(\d+)\]")


@dataclass(slots=True)
class Asked:
    """One request of the file, its variables not filled in yet."""

    title: str
    name: str | None
    method: str
    url: str
    headers: dict[str, str]
    body: str


@dataclass(slots=True)
class Collection:
    """All requests in order, and what the file calls by which name."""

    requests: list[Asked]
    variables: dict[str, str]
    answers: dict[str, Any] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """The text with every variable in its place. Raises KeyError for one that is not there."""
        return _USED.sub(lambda found: self._value(found[1]), text)

    def _value(self, name: str) -> str:
        if ".response." not in name:
            return self.fill(self.variables[name])
        asked, where = name.split(".response.")
        if where.startswith("headers."):
            return str(self.answers[asked].headers[where.removeprefix("headers.")])
        found = self.answers[asked].json
        for key, place in _STEP.findall(where.removeprefix("body.$")):
            found = found[int(place)] if place else found[key]
        return str(found)


def read() -> Collection:
    """The file as it is."""
    variables: dict[str, str] = {}
    requests = []
    for part in re.split(r"^###", FILE.read_text("utf-8"), flags=re.MULTILINE):
        title, *lines = part.split("\n")
        name: str | None = None
        head: list[str] = []
        while lines and not (head and not lines[0].strip()):
            line = lines.pop(0)
            if found := _VARIABLE.match(line):
                variables[found[1]] = found[2]
            elif line.startswith("# @name "):
                name = line.removeprefix("# @name ")
            elif line.strip() and not line.startswith("#"):
                head.append(line)
        if head:
            method, url = head[0].split(" ", 1)
            headers = dict(one.split(": ", 1) for one in head[1:])
            requests.append(Asked(title.strip(), name, method, url, headers, "\n".join(lines).strip()))
    return Collection(requests, variables)

"""An agenda on the web: a server on loopback that gives whatever the test puts there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from tests.kit.serving import serving


@dataclass
class Agenda:
    """What is at the address, with which status and headers; and what it was asked with."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def take(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.asked.append(dict(request.headers))
        known = self.headers.get("ETag")
        if known and request.headers.get("If-None-Match") == known:
            return Response(status=304)(environ, start_response)
        answer = Response(self.text, status=self.status, headers=self.headers, mimetype="text/calendar")
        return answer(environ, start_response)


@contextmanager
def agenda() -> Iterator[Agenda]:
    """An empty one, until the test fills it."""
    made = Agenda()
    with serving(made.take) as address:
        made.url = f"{address}/private/basic.ics"
        yield made


def calendar(*events: str, head: str = "") -> str:
    """The text of an iCalendar file with these events."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *head.splitlines()]
    for number, one in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}@test", *one.splitlines(), "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def at(instant: datetime) -> str:
    """As iCalendar writes an instant."""
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"

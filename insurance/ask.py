"""One request to an insurer, bounded in time and size as a whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests

from outbound.bounded import Bounded, read

AT_MOST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, read to its end."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Mapping[str, Any]:
        """Of an object; nothing where it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, Mapping) else {}


def ask(method: str, url: str, *, timeout: tuple[float, float], **what: Any) -> Answer:
    """`timeout` is (connect, read) in seconds, and both together for all of it; never followed elsewhere.

    Raises requests.RequestException.
    """
    with Bounded(sum(timeout)) as session:
        with session.request(
            method, url, timeout=timeout, allow_redirects=False, stream=True, **what
        ) as answer:
            body = read(answer, AT_MOST)
        if session.is_cut:
            raise requests.ReadTimeout("it was not all there in time")
        return Answer(answer.status_code, answer.headers, body)

"""How a text is written over HTTP into one field of a request, and how it is read again."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app.kit.db import session
from app.kit.facts import FactRow
from tests.coverage.factories import seal
from tests.kit.town import Answer, Town

Write = Callable[[Town, str], Answer]
Read = Callable[[Town, Answer], Any]
SURELY = " Zoe\u0308  \U0001f600<b> "
"""Spaces around it and two within, a mark apart from its letter, a sign beyond the first plane, and no more than twelve."""


@dataclass(frozen=True, slots=True)
class Row:
    """`read` None: nothing of it is kept, for the reason in `kept`. `surely` is a text that is taken."""

    write: Write
    read: Read | None
    kept: str = ""
    surely: str = SURELY


def sent(who: str, method: str, path: str, pointer: str, **body: Any) -> Write:
    """A request whose body has the text at the pointer; a value that is a function is what it finds in the town."""

    def write(town: Town, text: str) -> Answer:
        made = {name.rstrip("_"): value(town) if callable(value) else value for name, value in body.items()}
        return town.ask(who, method, path.format_map(town), put(made, pointer, text))

    return write


def put(body: Any, pointer: str, text: str) -> Any:
    """The body with the text at the pointer; `*` is the only one of a list."""
    name, _, rest = pointer.lstrip("/").partition("/")
    if name == "*":
        return [put(body[0] if body else {}, rest, text) if rest else text]
    made = copy.deepcopy(body or {})
    made[name] = put(made.get(name), rest, text) if rest else text
    return made


def take(body: Any, pointer: str) -> Any:
    for name in pointer.strip("/").split("/"):
        body = body[0 if name == "*" else name]
    return body


def at(who: str, path: str, pointer: str) -> Read:
    """There, at the pointer; the path may name what the answer to the writing says."""

    def read(town: Town, answer: Answer) -> Any:
        return take(town.get(who, _path(path, town, answer)), pointer)

    return read


def among(who: str, path: str, pointer: str, key: str = "id") -> Read:
    """There, in the item of the list that the answer tells of."""

    def read(town: Town, answer: Answer) -> Any:
        found = town.get(who, _path(path, town, answer))["items"]
        return take(next(one for one in found if one[key] == answer.json[key]), pointer)

    return read


def once(read: Read, who: str, path: str) -> Read:
    """Read, and then removed: there is room for a few alone."""

    def look(town: Town, answer: Answer) -> Any:
        found = read(town, answer)
        gone = town.ask(who, "DELETE", _path(path, town, answer))
        assert gone.status_code == 204, gone.text
        return found

    return look


def _path(path: str, town: Town, answer: Answer) -> str:
    class Both(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            return town[name]

    return path.format_map(Both(answer.json or {}))


def logged(kind: str, name: str) -> Read:
    """In the log, as an operator reads the newest fact of a kind."""

    def read(town: Town, answer: Answer) -> Any:
        del answer
        seal()
        newest = select(FactRow.position).where(FactRow.kind == kind).order_by(FactRow.seq.desc()).limit(1)
        position = session.scalars(newest).one()
        return town.get("opal", f"/operator/facts/{position}")["data"][name]

    return read


def in_the_access_log(town: Town, answer: Answer) -> Any:
    """The newest act, with its reason."""
    del answer
    return _newest_act(town)["reason"]


def named_in_the_access_log(town: Town, answer: Answer) -> Any:
    """The newest act, with what it was about."""
    del answer
    return _newest_act(town)["subject"]


def _newest_act(town: Town) -> Any:
    seal()
    return town.get("opal", "/operator/access-log?limit=1")["items"][0]

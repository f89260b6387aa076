"""One bordereau in the making, and the words around its lines as they are handed out.

Lines are written in many short transactions, for facts are not sealed past a transaction that writes. Until the last of
them says that the bordereau is whole nobody is shown it; one that was broken off is removed and begun anew.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text

from app.coverage.bordereau_models import BDX, Bordereau
from app.facts import BordereauClosed
from app.kit import facts
from app.kit.clock import z
from app.kit.db import bare, new_id, session, transactional
from app.kit.driver import copy, plain, read
from app.kit.media import csv_lines, harmless
from insurance.bordereau import Kind

AT_ONCE = 5000
"""So many lines of one that was broken off are removed in a transaction."""
_LINES = ("bordereau_id", "no", "cover_id", "csv", "json")
_COVERS = ("bordereau_id", "cover_id", "version", "premium", "voided")
_WHOLE = text(
    "update bordereaux set whole = true, lines = :lines, csv_sha256 = :csv, json_sha256 = :json"
    " where id = :id and not whole and :lines = (select count(*) from bordereau_rows where bordereau_id = :id)"
    " returning id"
)
_BROKEN_OFF = text("select id from bordereaux where insurer_id = :insurer and number = :number and not whole")
_REMOVE_LINES = text(
    "delete from bordereau_rows where ctid = any(array("
    "select ctid from bordereau_rows where bordereau_id = any(:of) limit :most)) returning 1"
)
_REMOVE_COVERS = text(
    "delete from covers_reported where ctid = any(array("
    "select ctid from covers_reported where bordereau_id = any(:of) limit :most)) returning 1"
)
_REMOVE = text("delete from bordereaux where id = any(:of)")


class TakenOverError(Exception):
    """What was written is not what was hashed: somebody has begun this bordereau anew. It is tried again."""

    temporary = True


class Book:
    """One bordereau in the making: lines are hashed as they will be handed out, and kept until they are written."""

    def __init__(
        self, kind: Kind, headings: tuple[str, ...], insurer: str, number: str, month: str, now: datetime
    ) -> None:
        self.row = Bordereau(
            id=new_id(BDX),
            insurer_id=insurer,
            number=number,
            month=month,
            kind=kind,
            closed_at=now,
            csv_head=csv_lines([headings]),
            lines=0,
            csv_sha256="",
            json_sha256="",
            whole=False,
        )
        self.id = bare(self.row.id, BDX)
        self.lines = 0
        self._taken: list[Sequence[Any]] = []
        self._csv = hashlib.sha256(self.row.csv_head.encode())
        self._json = hashlib.sha256(json_head(self.row).encode())

    def take(self, found: dict[str, str | int | None]) -> None:
        """The next line, heading to value."""
        self.lines += 1
        cells = [harmless(one) if isinstance(one, str) else one for one in found.values()]
        csv, json = csv_lines([cells]), orjson.dumps(found).decode()
        self._csv.update(csv.encode())
        self._json.update((json_between(self.lines) + json).encode())
        self._taken.append((self.id, self.lines, bare(str(found["cover_id"]), "cov"), csv, json))

    def write(self) -> None:
        """The lines kept, in the present transaction."""
        copy("bordereau_rows", _LINES, self._taken)

    def written(self) -> None:
        self._taken.clear()

    def close(self) -> None:
        """It is whole from now on, and never changes again. Raises TakenOverError."""
        json = self._json.copy()
        json.update(JSON_END.encode())
        sha256 = {"csv": self._csv.hexdigest(), "json": json.hexdigest()}
        if not plain(_WHOLE, {"id": self.id, "lines": self.lines, **sha256}):
            raise TakenOverError(self.row.id)
        facts.record(BordereauClosed(bordereau=self.row.id, sha256=sha256["json"]))


@transactional
def begin(books: Sequence[Book]) -> None:
    """They are there from now on, not whole yet."""
    session.add_all([book.row for book in books])


def write(books: Sequence[Book], reported: Sequence[Sequence[Any]] = ()) -> None:
    """The lines taken since the last time, and of each cover: its id, version, premium, whether it is void."""
    _write(books, reported)
    for book in books:
        book.written()


@transactional
def _write(books: Sequence[Book], reported: Sequence[Sequence[Any]]) -> None:
    for book in books:
        book.write()
    copy("covers_reported", _COVERS, [(books[0].id, *one) for one in reported])


def remove_broken_off(policy: dict[str, Any]) -> None:
    """What was begun of a policy's bordereaux and never became whole, a few lines at a time."""
    of = [row.id for row in read(_BROKEN_OFF, policy)]
    for statement in (_REMOVE_LINES, _REMOVE_COVERS):
        while of and _some(statement, of) == AT_ONCE:
            pass
    if of:
        _remove(of)


@transactional
def _some(statement: Any, of: list[Any]) -> int:
    return len(plain(statement, {"of": of, "most": AT_ONCE}))


@transactional
def _remove(of: list[Any]) -> None:
    plain(_REMOVE, {"of": of})


JSON_END = "\n]}\n"


def json_head(made: Bordereau) -> str:
    names = {"insurer": made.insurer_id, "policy_number": made.number, "month": made.month, "kind": made.kind}
    head = orjson.dumps({**names, "id": made.id, "closed_at": z(made.closed_at)}).decode()
    return head.removesuffix("}") + ',"rows":[\n'


def json_between(no: int) -> str:
    return ",\n" if no > 1 else ""

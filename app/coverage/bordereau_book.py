"""One bordereau in the making, and the words around its lines as they are handed out."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import insert

from app.coverage.bordereau_models import BDX, Bordereau, BordereauRow
from app.facts import BordereauClosed
from app.kit import clock, facts
from app.kit.clock import z
from app.kit.db import new_id, session
from app.kit.media import csv_lines, harmless
from insurance.bordereau import Kind

BATCH = 1000


class Spool:
    """What is written once all was read, kept on disk: memory does not grow with a month."""

    def __init__(self, files: ExitStack) -> None:
        self._file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it

    def put(self, row: dict[str, Any]) -> None:
        self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        self._file.seek(0)
        while lines := list(islice(self._file, BATCH)):
            yield [orjson.loads(line) for line in lines]


class Book:
    """One bordereau in the making: lines are hashed as they will be handed out, and written in the end."""

    def __init__(
        self, kind: Kind, headings: tuple[str, ...], insurer: str, number: str, month: str, spool: Spool
    ) -> None:
        self._row = Bordereau(
            id=new_id(BDX),
            insurer_id=insurer,
            number=number,
            month=month,
            kind=kind,
            closed_at=clock.now(),
            csv_head=csv_lines([headings]),
            lines=0,
            csv_sha256="",
            json_sha256="",
        )
        self._lines = spool
        self._csv = hashlib.sha256(self._row.csv_head.encode())
        self._json = hashlib.sha256(json_head(self._row).encode())

    def take(self, found: dict[str, str | int | None]) -> None:
        """The next line, heading to value."""
        self._row.lines += 1
        cells = [harmless(one) if isinstance(one, str) else one for one in found.values()]
        lines = {"csv": csv_lines([cells]), "json": orjson.dumps(found).decode()}
        self._csv.update(lines["csv"].encode())
        self._json.update((json_between(self._row.lines) + lines["json"]).encode())
        self._lines.put(
            {"bordereau_id": self._row.id, "no": self._row.lines, "cover_id": found["cover_id"], **lines}
        )

    def close(self) -> int:
        """Write it, with what the whole will be checked by; returns how many lines."""
        self._json.update(JSON_END.encode())
        self._row.csv_sha256, self._row.json_sha256 = self._csv.hexdigest(), self._json.hexdigest()
        session.add(self._row)
        session.flush()
        for batch in self._lines.batches():
            session.execute(insert(BordereauRow), batch)
        facts.record(BordereauClosed(bordereau=self._row.id, sha256=self._row.json_sha256))
        return self._row.lines


JSON_END = "\n]}\n"


def json_head(made: Bordereau) -> str:
    names = {"insurer": made.insurer_id, "policy_number": made.number, "month": made.month, "kind": made.kind}
    head = orjson.dumps({**names, "id": made.id, "closed_at": z(made.closed_at)}).decode()
    return head.removesuffix("}") + ',"rows":[\n'


def json_between(no: int) -> str:
    return ",\n" if no > 1 else ""

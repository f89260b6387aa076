"""Guards of the chain: whatever is recorded, put off or deferred in the code has somebody who takes it up."""

import ast
from collections.abc import Iterator
from pathlib import Path

from flask import Flask

from app import due, facts, reactions
from app.kit import jobs

ROOT = Path(__file__).parent.parent.parent


def calls(*names: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a function or method of these names in app/, with its module."""
    for file in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                spelt = ast.unparse(node.func)
                if spelt in names:
                    yield str(file.relative_to(ROOT)), node


def first_words(*names: str) -> dict[str, str]:
    """The literal first argument of each call -> where."""
    return {
        node.args[0].value: where
        for where, node in calls(*names)
        if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }


def test_every_fact_has_a_reaction_or_a_reason() -> None:
    """One line in reactions.py, or one reason in NOTHING_FOLLOWS, never both."""
    wrong = [
        kind
        for kind, fact in facts.kinds().items()
        if bool(reactions.TABLE[fact]) == bool(reactions.NOTHING_FOLLOWS.get(fact))
    ]
    assert wrong == []


def test_every_fact_is_recorded_somewhere() -> None:
    text = "\n".join(
        file.read_text("utf-8")
        for file in (ROOT / "app").rglob("*.py")
        if file.name not in ("facts.py", "reactions.py")
    )
    never = [
        kind
        for kind in facts.kinds()
        if f"{kind}(" not in text and f"facts.{kind}" not in text and kind not in text
    ]
    assert never == []


def test_every_deadline_has_its_step() -> None:
    used = first_words("deadlines.at")
    assert used
    missing = {kind: where for kind, where in used.items() if kind not in due.TABLE}
    assert missing == {}


def test_every_deadline_is_named_by_a_literal() -> None:
    """Else the guard above could not see it."""
    odd = [where for where, node in calls("deadlines.at") if not isinstance(node.args[0], ast.Constant)]
    assert odd == []


def test_every_job_has_a_worker(house: Flask) -> None:
    used = first_words("defer", "jobs.defer")
    assert used
    missing = {name: where for name, where in used.items() if name not in jobs.names()}
    assert missing == {}


def test_every_worker_has_a_job(house: Flask) -> None:
    used = {*first_words("defer", "jobs.defer"), "react"}
    assert set(jobs.names()) - used == set()

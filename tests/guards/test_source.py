"""Guards of the source: no print, nothing left to do, no doubtful path, problems as the contract lists them."""

import ast
import re
from pathlib import Path

from app.kit.errors import BY_SLUG

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("app", "payments", "insurance", "notifications", "carbox", "outbound")
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
STATUS_OF = {
    400: "malformed idempotency-key-missing signature-invalid",
    401: "unauthenticated session-revoked credentials-wrong",
    402: "card-needed card-declined payment-action-required arrears",
    403: "not-allowed email-unconfirmed password-needed scope-missing place-hidden",
    404: "not-found",
    409: "car-taken outside-windows outside-rules own-car step-not-allowed not-ready command-open box-refused car-lent"
    " not-insurable already-exists in-use last-owner idempotency-busy",
    410: "invitation-gone quote-expired",
    412: "precondition-failed",
    422: "validation code-invalid idempotency-key-reused",
    428: "precondition-required",
    429: "rate-limited",
    503: "unavailable",
    504: "box-silent",
}
"""The problem types of the contract. A name here never changes: apps decide by it."""


def test_the_problem_types_are_those_of_the_contract() -> None:
    contract = {slug: status for status, slugs in STATUS_OF.items() for slug in slugs.split()}
    assert {slug: kind.status for slug, kind in BY_SLUG.items()} == contract


def test_no_module_prints() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("print", "breakpoint")
    ]
    assert found == []


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TO" + "DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
    files = [*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "migrations").rglob("*.py")]
    found = [str(file.relative_to(ROOT)) for file in files if marks.search(file.read_text("utf-8"))]
    assert found == []


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(file.relative_to(ROOT))
        for file in SOURCES
        if file.stat().st_size and not ast.get_docstring(ast.parse(file.read_text("utf-8")))
    ]
    assert silent == []

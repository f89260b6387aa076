"""The conditions people accept, by version: texts that never change once published, and who accepted which."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from app.facts import ConditionsAccepted
from app.kit import clock, facts
from app.kit.db import PublicId, bare, in_transaction, session, transactional
from app.kit.driver import plain
from app.kit.errors import NotFound, Validation
from app.people.models import Acceptance

_TEXTS = Path(__file__).parent / "conditions_texts"
RENTAL = "rental-2026-1"
ACCEPTED = func.array(
    select(Acceptance.version)
    .where(Acceptance.person_id == bindparam("person", type_=PublicId("per")))
    .scalar_subquery(),
    type_=ARRAY(Text()),
)
"""What a person has accepted."""
_ACCEPTED = select(ACCEPTED.label("versions"))


@cache
def versions() -> frozenset[str]:
    """Every published version, those no longer offered included."""
    return frozenset(path.name.removesuffix(".en.md") for path in _TEXTS.glob("*.en.md"))


def text(version: str, language: str) -> str:
    """The text of a version in a language, else in English. Raises NotFound."""
    if version not in versions():
        raise NotFound
    path = _TEXTS / f"{version}.{language}.md"
    return (path if path.exists() else _TEXTS / f"{version}.en.md").read_text("utf-8")


@transactional
def accept(person: str, given: list[str]) -> set[str]:
    """Accept versions; returns all that the person has accepted. Raises Validation for one that does not exist."""
    unknown = [one for one in given if one not in versions()]
    if unknown:
        raise Validation(
            errors=[{"pointer": "/accept", "code": "unknown", "detail": f"No conditions {unknown[0]}."}]
        )
    held = accepted(person)
    for version in sorted(set(given) - held):
        row = insert(Acceptance).values(person_id=person, version=version, accepted_at=clock.now())
        # On two phones at once they are accepted once, and neither phone is refused.
        made = session.execute(row.on_conflict_do_nothing().returning(Acceptance.version)).first()
        if made is not None:
            facts.record(ConditionsAccepted(person=person, version=version))
    held.update(given)
    return held


def accepted(person: str) -> set[str]:
    """What the person has accepted; read once in a transaction."""
    found = _known().get(person)
    if found is None:
        found = told(person, plain(_ACCEPTED, {"person": bare(person, "per")})[0].versions)
    return found


def told(person: str, versions: Iterable[str]) -> set[str]:
    """They were looked up in this transaction together with other things."""
    return _known().setdefault(person, set(versions))


def _known() -> dict[str, set[str]]:
    found: dict[str, set[str]] = session.info.setdefault("accepted", {}) if in_transaction() else {}
    return found

"""The spans of a cover's two parts, as they follow from what its row says."""

from app.coverage import master_policies
from app.coverage.models import Cover
from app.kit.db import Big
from insurance import period


def spread(cover: Cover) -> period.CoverSpans:
    """Both parts as they stand now; liability is always to the lock."""
    spans = period.cover_spans(
        start=cover.from_at,
        planned_end=cover.planned_to,
        rule=master_policies.of_cover(cover).late,
        locked_at=cover.to_at,
        reported_at=cover.reported_late_at,
    )
    cover.own_damage_to = spans.own_damage.to_at
    return spans


def void(cover: Cover, evidence: str) -> None:
    """No minute was covered, nothing is owed."""
    cover.state, cover.end_evidence = "void", evidence
    cover.to_at = cover.own_damage_to = cover.from_at
    cover.covered_minutes = cover.charged_minutes = 0
    cover.premium = Big(0)

"""The spans of a cover's two parts and what it costs, as they follow from what its row says."""

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
    price(cover)


def price(cover: Cover) -> None:
    """The premium of a cover that has ended, and the kilometres it is for where the policy counts them."""
    rate = master_policies.of_cover(cover).premium
    covered, charged = cover.covered_minutes or 0, cover.charged_minutes or 0
    km = period.charged_km(
        rate,
        covered=covered,
        odometer_start_km=cover.odometer_start_km,
        odometer_end_km=cover.odometer_end_km,
    )
    cover.charged_km, cover.km_from = (km.km, km.by) if km is not None else (None, None)
    cover.premium = Big(period.premium(rate, covered=covered, charged=charged, km=km))

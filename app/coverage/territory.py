"""A car was seen outside the territory of its cover's policy: a flag on the cover, told; nothing is locked or refused."""

from datetime import datetime

from sqlalchemy import select

from app.coverage import master_policies, versions
from app.coverage.models import Cover
from app.facts import CoverLeftTerritory, LeftTerritory
from app.kit import facts
from app.kit.clock import z
from app.kit.db import session
from insurance.period import Span


def note(rental: str, country: str, at: datetime) -> None:
    """Once per rental and country; a country inside the territory leaves no trace. The caller holds car and rental."""
    covers = session.scalars(
        select(Cover)
        .where(Cover.rental_id == rental, Cover.state.in_(("bound", "active", "closed")))
        .order_by(Cover.from_at)
        .with_for_update(),
        execution_options={"populate_existing": True},
    ).all()
    flagged = {one["country"] for cover in covers for one in cover.left_territory or ()}
    cover = next((one for one in covers if Span(one.from_at, one.to_at).holds(at)), None)
    if cover is None or country in flagged or country in master_policies.of_cover(cover).territory:
        return
    cover.left_territory = [*(cover.left_territory or ()), {"country": country, "at": z(at)}]
    versions.record(cover, CoverLeftTerritory)
    facts.record(LeftTerritory(rental=rental, country=country, at=at))

"""An unlock refused since a master policy's limits for covers its insurer has not taken note of are reached: it is told."""

from sqlalchemy import select

from app.coverage import cover
from app.facts import CoverLimitReached
from app.kit import facts
from app.kit.db import session
from app.kit.facts import FactRow
from app.rentals.models import Rental


def tell(rental: Rental, reasons: list[str]) -> bool:
    """Whether it was for such a limit alone; the owner is told once per rental, however often the driver tries."""
    if not reasons or not set(reasons) <= cover.LIMITS:
        return False
    told = select(FactRow.seq).where(
        FactRow.data["rental"].astext == rental.id, FactRow.kind == CoverLimitReached.kind
    )
    if session.execute(told.limit(1)).first() is None:
        facts.record(CoverLimitReached(rental=rental.id, reasons=",".join(reasons)))
    return True

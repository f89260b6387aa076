"""What the owners of a community tell for the tax report: an organisation's fields, its numbers sealed as a person's are."""

from typing import Any

from app.billing.tax_details import masked, put_numbers
from app.billing.tax_models import CommunityTaxDetails
from app.communities import access
from app.kit.db import session, transactional

_PLAIN = ("legal_name", "address", "country", "registration_number")
MISSING = ("legal_name", "address", "country", "registration_number", "tin")


@transactional
def put(community: str, by: str, body: dict[str, Any]) -> None:
    """Replace all of it; a number sent as it is shown, masked, stays. Raises NotFound, Validation."""
    access.may_own(community, by)
    row = session.get(CommunityTaxDetails, community, with_for_update=True)
    row = row or CommunityTaxDetails(community_id=community)
    put_numbers(row, body)
    for name in _PLAIN:
        setattr(row, name, body[name])
    session.add(row)
    session.flush()


def shown(community: str) -> dict[str, Any]:
    """As its owners see it: numbers masked, and what a report would still lack."""
    row = session.get(CommunityTaxDetails, community)
    return {
        **{name: getattr(row, name) if row else None for name in _PLAIN},
        "tin": masked(row.tin_end) if row else None,
        "tin_country": row.tin_country if row else None,
        "vat_number": row.vat_number if row else None,
        "iban": masked(row.iban_end) if row else None,
        "changed_at": row.changed_at if row else None,
        "missing": missing(row),
    }


def missing(row: CommunityTaxDetails | None) -> list[str]:
    """What Annex V of Directive 2011/16/EU (section II, B 2) wants of an entity and we do not have."""
    has = {
        **{name: getattr(row, name) if row else None for name in _PLAIN},
        "tin": row.tin_sealed if row else None,
    }
    return [name for name in MISSING if not has[name]]

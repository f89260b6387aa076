"""What was kept of erased accounts, past its time: forgotten each hour, unless a hold or an open claim needs it."""

from sqlalchemy import bindparam, delete, text

from app.coverage.driver_models import LicenceCheck
from app.facts import IdentityForgotten
from app.kit.db import session, transactional
from app.kit.facts import record

_PAST = text(
    "update people p set kept_sealed = null where kept_sealed is not null and kept_until < (select business_now())"
    " and not exists (select 1 from legal_holds h where h.person_id = p.id and h.lifted_at is null)"
    " and not exists (select 1 from claims c join covers v on v.id = c.cover_id"
    " where c.over_at is null and (v.driver_id = p.id or exists (select 1 from named_drivers n"
    " where n.rental_id = v.rental_id and n.person_id = p.id)))"
    " returning 'per_' || replace(p.id::text, '-', '') as person"
)


_CHECKS = delete(LicenceCheck).where(LicenceCheck.person_id == bindparam("person"))
"""What their licence said when they were insured; that it was looked at, by whom and when, names nobody and stays."""


@transactional
def forget() -> None:
    for row in session.execute(_PAST).all():
        session.execute(_CHECKS, {"person": row.person})
        record(IdentityForgotten(person=row.person))

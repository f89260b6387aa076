"""Early-fraud warnings of banks: they stop the driver's next priced unlock until an operator has looked."""

import structlog
from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from app import facts
from app.billing import commands
from app.billing.models import Payment
from app.billing.payout_models import FraudWarning
from app.kit import clock
from app.kit.db import PublicId, bare, new_id, session, transactional
from app.kit.driver import plain
from app.kit.errors import NotFound
from app.kit.facts import record
from payments import disputes
from payments.gateway import NotThere

log = structlog.get_logger(__name__)
_OPEN = (
    select(FraudWarning.id)
    .where(
        FraudWarning.person_id == bindparam("person", type_=PublicId("per")),
        FraudWarning.cleared_at.is_(None),
    )
    .limit(1)
)


def follow(external: str) -> bool:
    """The provider passes a warning on; False when its charge is not one of ours (yet)."""
    try:
        found = commands.disputes().warning(external)
    except NotThere:
        return True
    return _keep(found)


@transactional
def _keep(found: disputes.FraudWarning) -> bool:
    payment = session.scalar(select(Payment).where(Payment.charge_id == found.charge))
    if payment is None:
        return False
    new = insert(FraudWarning).values(
        id=new_id("frw"),
        payment_id=payment.id,
        person_id=payment.person_id,
        external_id=found.id,
        kind=found.kind,
        made_at=clock.now(),
    )
    if session.execute(new.on_conflict_do_nothing().returning(FraudWarning.id)).scalar() is not None:
        log.error("a bank warns of fraud", payment=payment.id, kind=found.kind)
        record(facts.FraudWarned(payment.person_id, payment.id, payment.rental_id))
    return True


def stops(person: str) -> bool:
    """Whether this driver unlocks nothing that costs money for now."""
    return bool(plain(_OPEN, {"person": bare(person, "per")}))


@transactional
def clear(warning: str, by: str) -> FraudWarning:
    """An operator has looked: it is no fraud, or it was dealt with. Raises NotFound."""
    row = session.get(FraudWarning, warning, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    if row.cleared_at is None:
        row.cleared_at, row.cleared_by = clock.now(), by
        record(facts.FraudCleared(row.person_id, row.payment_id, by))
    return row


@transactional
def clear_of_payment(payment: str, by: str) -> None:
    """It is given back: what the bank warned of is dealt with."""
    statement = (
        update(FraudWarning)
        .where(FraudWarning.payment_id == payment, FraudWarning.cleared_at.is_(None))
        .values(cleared_at=clock.now(), cleared_by=by)
        .returning(FraudWarning.person_id)
    )
    for person in session.execute(statement).scalars().all():
        record(facts.FraudCleared(person, payment, by))

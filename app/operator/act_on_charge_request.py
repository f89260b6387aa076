"""What operators do in a charge request: decide it, with a reason that both sides read."""

from app.claims import decide as deciding
from app.claims.models import ChargeRequest
from app.kit.db import transactional
from app.operator.act import audit
from payments.money import Money


@transactional
def decide(charge_request: str, amount: Money, *, by: str, reason: str) -> ChargeRequest:
    """Raises NotFound, NotAllowed, StepNotAllowed, Validation."""
    found = deciding.decide(charge_request, amount, by=by, reason=reason)
    audit(by, "charge request decide", charge_request, reason)
    return found

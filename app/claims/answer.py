"""The driver is heard: accepts the charge request, or contests it and an operator decides."""

from typing import Any

from app.claims import access, photos
from app.claims.charge_rules import State, Step, after, charge_not_before
from app.claims.models import ChargeRequest
from app.facts import ChargeRequestAccepted, ChargeRequestContested
from app.kit import clock, deadlines, facts
from app.kit.db import transactional
from app.kit.errors import StepNotAllowed, Validation


@transactional
def answer(person: str, charge_request: str, body: dict[str, Any]) -> ChargeRequest:
    """Accept or contest. Until the window ends the driver may think again; silent until now, they may still speak.

    Raises NotFound, NotAllowed, StepNotAllowed, Validation.
    """
    row, role = access.lock_as(charge_request, person)
    step = Step.ACCEPT if body["accept"] else Step.CONTEST
    following = after(row.stands, step, role)
    if row.stands is following and row.answered_at is not None:
        raise StepNotAllowed("You have contested it already.", state=row.state, steps=[Step.ACCEPT.value])
    unknown = photos.unknown(row.rental_id, body.get("photos") or ())
    if unknown:
        raise Validation(errors=unknown)
    now = clock.now()
    row.state, row.accepted, row.answer, row.answered_at = (
        following.value,
        body["accept"],
        body.get("text"),
        now,
    )
    row.answer_photos = list(dict.fromkeys(body.get("photos") or ()))
    row.charge_not_before = charge_not_before(following, answer_by=row.answer_by, at=now)
    if following is State.ACCEPTED:
        assert row.charge_not_before is not None
        deadlines.at("charge_answer", row.id, row.charge_not_before)
        facts.record(
            ChargeRequestAccepted(row.id, row.rental_id, row.amount, row.currency, row.charge_not_before)
        )
    else:
        facts.record(ChargeRequestContested(row.id, row.rental_id, row.amount, row.currency))
    return row

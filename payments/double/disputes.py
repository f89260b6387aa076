"""Disputes, their evidence and outcome, and early-fraud warnings: what cardholders and their banks do."""

import stripe

from payments.double.charges import money_moves
from payments.double.problem import Problem
from payments.double.world import Body, World

ANSWER_S = 9 * 86_400
FEE = {"eur": 2000, "gbp": 2000, "chf": 2000}
MOST_IN_ALL, MOST_IN_ONE = 150_000, 20_000
"""Characters of evidence (docs.stripe.com/api/disputes/update)."""
WAITS = frozenset({"needs_response", "warning_needs_response"})
EVIDENCE = tuple(stripe.Dispute.Evidence.__annotations__)
"""What evidence may be given: all of it is always named, null where it was not given."""
FILES = frozenset({"receipt", "service_documentation", "uncategorized_file"})
"""Evidence that is named by the id of a file."""
MOST_IN_FILE = 4_500_000
"""Bytes (docs.stripe.com/disputes/best-practices)."""
OVER = frozenset({"won", "lost", "warning_closed"})


def open_dispute(world: World, charge: Body, reason: str, amount: int | None, *, inquiry: bool) -> Body:
    """A dispute takes the money and a fee at once; an inquiry only asks."""
    if not charge["captured"] or charge["disputed"]:
        raise Problem(400, "This charge cannot be disputed.", param="charge")
    dispute = world.add(
        "dispute",
        amount=amount or charge["amount_captured"],
        balance_transactions=[],
        charge=charge["id"],
        currency=charge["currency"],
        enhanced_eligibility_types=[],
        evidence={**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        evidence_details={
            "due_by": world.now() + ANSWER_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        is_charge_refundable=inquiry,
        metadata={},
        payment_intent=charge["payment_intent"],
        payment_method_details={
            "card": {
                "brand": "visa",
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": "visa",
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        reason=reason,
        status="warning_needs_response" if inquiry else "needs_response",
    )
    charge["disputed"] = True
    world.emit("charge.dispute.created", dispute)
    if not inquiry:
        _move(world, dispute, -dispute["amount"], FEE[dispute["currency"]])
        world.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def update(world: World, dispute: Body, params: Body) -> Body:
    """Evidence; the bank reads what is submitted once."""
    evidence: Body = params.get("evidence") or {}
    details = dispute["evidence_details"]
    if dispute["status"] not in WAITS or details["due_by"] <= world.now():
        raise Problem(400, "This dispute no longer takes evidence.", param="evidence")
    texts = [text for text in evidence.values() if isinstance(text, str)]
    if sum(map(len, texts)) > MOST_IN_ALL or any(len(text) > MOST_IN_ONE for text in texts):
        raise Problem(400, "The evidence is too long.", code="dispute_evidence_page_limit_exceeded")
    for name in FILES & set(evidence):
        if evidence[name]:
            world.get("file", evidence[name], f"evidence[{name}]")
    dispute["evidence"].update(evidence)
    dispute["metadata"] |= params.get("metadata") or {}
    details["has_evidence"] = any(dispute["evidence"].values())
    if params.get("submit", True):
        details["submission_count"] += 1
        inquiry = dispute["status"] == "warning_needs_response"
        dispute["status"] = "warning_under_review" if inquiry else "under_review"
    world.emit("charge.dispute.updated", dispute)
    return dispute


def keep_file(world: World, params: Body) -> Body:
    """A file, of which the size is kept and nothing else."""
    data = bytes.fromhex(params["file"])
    if params["purpose"] == "dispute_evidence" and len(data) > MOST_IN_FILE:
        raise Problem(400, "The file is too large.", param="file")
    kind = "pdf" if data.startswith(b"%PDF-") else "jpg" if data.startswith(b"\xff\xd8\xff") else None
    if kind is None:
        raise Problem(400, "A file of evidence is a PDF, JPEG or PNG.", param="file")
    return world.add(
        "file",
        expires_at=None,
        filename="blob",
        links=None,
        purpose=params["purpose"],
        size=len(data),
        title=None,
        type=kind,
        url=None,
    )


def escalate(world: World, dispute: Body) -> Body:
    """The holder was not content with what an inquiry brought: it becomes a dispute, to be answered anew."""
    if not dispute["status"].startswith("warning_"):
        raise Problem(400, f"It is {dispute['status']}.")
    dispute.update(status="needs_response", is_charge_refundable=False)
    dispute["evidence_details"].update(due_by=world.now() + ANSWER_S, submission_count=0)
    world.emit("charge.dispute.updated", dispute)
    _move(world, dispute, -dispute["amount"], FEE[dispute["currency"]])
    world.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close(world: World, dispute: Body, status: str) -> Body:
    """How the bank decides; what was lost may be won by an appeal."""
    appeal = (dispute["status"], status) == ("lost", "won")
    if (dispute["status"] in OVER and not appeal) or status not in OVER:
        raise Problem(400, f"It is {dispute['status']}; status: one of {', '.join(sorted(OVER))}")
    dispute["status"] = status
    if status == "won":
        dispute["is_charge_refundable"] = True
        _move(world, dispute, dispute["amount"], 0)
        world.emit("charge.dispute.funds_reinstated", dispute)
    world.emit("charge.dispute.closed", dispute)
    return dispute


def warn(world: World, charge: Body, fraud_type: str) -> Body:
    """The bank says that this charge is probably fraud."""
    warning = world.add(
        "radar.early_fraud_warning",
        actionable=not (charge["refunded"] or charge["disputed"]),
        charge=charge["id"],
        fraud_type=fraud_type,
        payment_intent=charge["payment_intent"],
    )
    world.emit("radar.early_fraud_warning.created", warning)
    return warning


def _move(world: World, dispute: Body, amount: int, fee: int) -> None:
    dispute["balance_transactions"].append(money_moves(world, dispute, "adjustment", amount, fee))

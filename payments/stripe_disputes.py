"""Disputes and early-fraud warnings at Stripe."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import stripe

from payments import stripe_codes as codes
from payments.disputes import Dispute, FraudWarning, Movement
from payments.stripe_errors import our_errors
from payments.stripe_objects import id_of, loose, minor

PAGE = 100


class StripeDisputes:
    """Built like StripeGateway."""

    def __init__(
        self, api_key: str, *, base_url: str | None = None, timeout_s: float = 8, retries: int = 2
    ) -> None:
        self._http = stripe.RequestsClient(timeout=timeout_s)
        self._stripe = stripe.StripeClient(
            api_key,
            base_addresses={"api": base_url, "files": base_url} if base_url else None,
            http_client=self._http,
            max_network_retries=retries,
            stripe_version=codes.API_VERSION,
        ).v1

    def close(self) -> None:
        """Give this thread's connections back."""
        self._http.close()  # type: ignore[no-untyped-call]

    def dispute(self, dispute: str) -> Dispute:
        with our_errors():
            return _dispute_of(self._stripe.disputes.retrieve(dispute))

    def disputes_since(self, since: datetime) -> Sequence[Dispute]:
        with our_errors():
            found = self._stripe.disputes.list({"created": {"gte": int(since.timestamp())}, "limit": PAGE})
            return [_dispute_of(one) for one in found.auto_paging_iter()]

    def keep_file(self, name: str, data: bytes, *, key: str) -> str:
        file = io.BytesIO(data)
        file.name = name
        params: dict[str, Any] = {"file": file, "purpose": "dispute_evidence"}
        with our_errors():
            return self._stripe.files.create(loose(params), {"idempotency_key": key}).id

    def submit_evidence(self, dispute: str, evidence: Mapping[str, str], *, key: str) -> Dispute:
        params: dict[str, Any] = {"evidence": dict(evidence), "submit": True, "metadata": {"command_id": key}}
        with our_errors():
            return _dispute_of(self._stripe.disputes.update(dispute, loose(params), {"idempotency_key": key}))

    def warning(self, warning: str) -> FraudWarning:
        with our_errors():
            found = self._stripe.radar.early_fraud_warnings.retrieve(warning)
        return FraudWarning(found.id, str(id_of(found.charge)), found.fraud_type, found.actionable)


def _dispute_of(found: stripe.Dispute) -> Dispute:
    details = found.evidence_details
    due = details.due_by
    return Dispute(
        id=found.id,
        state=codes.DISPUTE_STATES[found.status],
        reason=found.reason,
        amount=minor(found.amount, found.currency),
        charge=str(id_of(found.charge)),
        answer_by=datetime.fromtimestamp(due, UTC) if due else None,
        submissions=details.submission_count,
        refundable=found.is_charge_refundable,
        movements=tuple(
            Movement(one.id, minor(one.amount, one.currency), minor(one.fee, one.currency))
            for one in found.balance_transactions
        ),
    )

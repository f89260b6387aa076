"""A refusal in Stripe's shape."""

from typing import Any


class Problem(Exception):
    """An answer that is not 2xx; `more` are further fields of Stripe's error object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        fields = {"type": kind, "message": message, "code": code, **more}
        self.body = {"error": {key: value for key, value in fields.items() if value is not None}}


def missing(kind: str, object_id: str, param: str = "id") -> Problem:
    return Problem(
        404 if param == "id" else 400,
        f"No such {kind}: '{object_id}'",
        code="resource_missing",
        param=param,
    )


def wrong_state(intent: dict[str, Any], step: str) -> Problem:
    return Problem(
        400,
        f"This PaymentIntent's status is {intent['status']}; you cannot {step} it.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )

"""HTTP for insurers: where they want to be told of changes."""

from typing import Any

from app.coverage import webhook_schemas as schemas
from app.coverage import webhooks
from app.coverage.webhook_models import Webhook
from app.kit.auth import Who, partner
from app.kit.errors import InUse, NotFound, ScopeMissing
from app.kit.http import Answer
from app.kit.routes import Routes, created

routes = Routes("webhooks", __name__, url_prefix="/v1/insurer", description="What insurers are told of.")
ONE = '/webhooks/<pid("whk"):webhook>'
MAY: dict[str, Any] = {"who": Who.PARTNER, "scope": "webhooks:write"}


@routes.add(
    "POST",
    "/webhooks",
    summary="Have changes sent to an address",
    body=schemas.WebhookIn,
    returns=schemas.WebhookWithSecret,
    status=201,
    secrets=("secret",),
    problems=(ScopeMissing, InUse),
    **MAY,
)
def add_webhook(body: dict[str, Any]) -> Answer:
    """Each change of one's covers from now on is posted there, signed by the Standard Webhooks specification."""
    made, secret = webhooks.add(partner().insurer, **body)
    return created(_with(made, secret), f"/insurer/webhooks/{made.id}")


@routes.add(
    "GET", "/webhooks", summary="One's endpoints", returns=schemas.Webhooks, problems=(ScopeMissing,), **MAY
)
def list_webhooks() -> dict[str, Any]:
    """The endpoints and how their last try went; no secrets."""
    return {"items": webhooks.listed(partner().insurer)}


@routes.add(
    "PATCH",
    ONE,
    summary="Change an endpoint",
    body=schemas.WebhookChange,
    returns=schemas.WebhookOut,
    problems=(ScopeMissing, NotFound),
    **MAY,
)
def change_webhook(webhook: str, body: dict[str, Any]) -> Webhook:
    """Another address, other events; `enabled` again once it works. What was missed meanwhile the cursor has."""
    return webhooks.change(partner().insurer, webhook, body)


@routes.add("DELETE", ONE, summary="Remove an endpoint", status=204, problems=(ScopeMissing, NotFound), **MAY)
def remove_webhook(webhook: str) -> None:
    """Nothing more is sent there, what was waiting neither."""
    webhooks.remove(partner().insurer, webhook)


@routes.add(
    "POST",
    ONE + "/rotate",
    summary="A new secret for an endpoint",
    returns=schemas.WebhookWithSecret,
    secrets=("secret",),
    problems=(ScopeMissing, NotFound),
    **MAY,
)
def rotate_webhook(webhook: str) -> dict[str, Any]:
    """For 24 hours messages carry both signatures, the new secret's first."""
    return _with(*webhooks.rotate(partner().insurer, webhook))


def _with(made: Webhook, secret: str) -> dict[str, Any]:
    names = ("id", "url", "events", "state", "made_at", "last_success_at", "last_status")
    return {**{name: getattr(made, name) for name in names}, "secret": secret}

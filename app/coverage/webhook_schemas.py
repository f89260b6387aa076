"""What insurers send and read of their endpoints."""

from marshmallow import fields

from app.coverage.versions import KINDS
from app.kit.fields import Instant, Many, OneOf, PublicIdField, Strict, Text

EVENTS = tuple(KINDS.values())


class WebhookIn(Strict):
    """Where to send what; no events: every change."""

    url = Text(500, required=True)
    events = Many(OneOf(EVENTS), 20, load_default=list)


class WebhookChange(Strict):
    """What is left out stays as it is."""

    url = Text(500)
    events = Many(OneOf(EVENTS), 20)
    state = OneOf(("enabled", "disabled"))


class WebhookOut(Strict):
    """An endpoint. `last_status` is what came of the last try: a status, or why there is none."""

    id = PublicIdField("whk", required=True)
    url = Text(500, required=True)
    events = Many(OneOf(EVENTS), 20, required=True)
    state = OneOf(("enabled", "disabled"), required=True)
    made_at = Instant(required=True)
    last_success_at = Instant(allow_none=True, required=True)
    last_status = Text(200, allow_none=True, required=True)


class WebhookWithSecret(WebhookOut):
    """An endpoint and what its messages are signed with, which is shown this once."""

    secret = Text(100, required=True, allow_none=True)


class Webhooks(Strict):
    """One's endpoints."""

    items = Many(fields.Nested(WebhookOut), 10, required=True)

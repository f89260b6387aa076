"""Signed webhooks, sent from a background thread and repeated until somebody takes them."""

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import requests
import stripe

from payments.double.world import Body, World

TIMEOUT_S = 5
MOST_ATTEMPTS = 25
LATE_S = 2.0
WRONG_SECRET = "whsec_somebody_else"
DEFAULT_KINDS = frozenset(
    {
        "payment_intent.amount_capturable_updated",
        "payment_intent.requires_action",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
        "payment_intent.canceled",
        "setup_intent.succeeded",
        "setup_intent.setup_failed",
        "setup_intent.requires_action",
        "charge.expired",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "payment_method.detached",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "radar.early_fraud_warning.created",
        "account.updated",
        "payout.paid",
        "payout.failed",
    }
)


@dataclass
class _Letter:
    event: Body
    due: float
    attempt: int = 0
    forged: bool = False


@dataclass
class Endpoint:
    """Where webhooks go; no `url`, nobody is told. `kinds` None: every kind.

    What happens on an owner's account goes to the Connect endpoint, which has a secret of its own.
    """

    url: str | None = None
    secret: str = ""
    connect_url: str | None = None
    connect_secret: str = ""
    kinds: frozenset[str] | None = DEFAULT_KINDS
    paused: bool = False
    misbehave: list[tuple[str, float]] = field(default_factory=list)

    def for_event(self, event: Body) -> tuple[str | None, str]:
        return (self.connect_url, self.connect_secret) if "account" in event else (self.url, self.secret)


class Deliveries(threading.Thread):
    """One thread, so that events leave in order unless told otherwise."""

    def __init__(self, world: World, endpoint: Endpoint) -> None:
        super().__init__(daemon=True, name="webhooks")
        self.endpoint = endpoint
        self.log: list[Body] = []
        self._world = world
        self._letters: list[_Letter] = []
        self._held: _Letter | None = None
        self._changed = threading.Condition()
        self._stopped = False

    def post(self, event: Body) -> None:
        """Called with the world locked."""
        kinds = self.endpoint.kinds
        if kinds is not None and event["type"] not in kinds:
            self._world.clear_delivery(event["id"])
            return
        if self.endpoint.for_event(event)[0] is None:
            return
        with self._changed:
            self._arrange(_Letter(event, time.monotonic()))
            self._changed.notify()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self.join(TIMEOUT_S + 1)

    def run(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and (letter := self._next()) is None:
                    self._changed.wait(self._pause_s())
                if self._stopped:
                    return
            assert letter is not None
            self._send(letter)

    def _arrange(self, letter: _Letter) -> None:
        how, seconds = self.endpoint.misbehave.pop(0) if self.endpoint.misbehave else ("", 0.0)
        self._letters.append(letter)
        if self._held is not None:  # the one that waited for a follower goes after it
            self._held.due = letter.due + 0.05
            self._held = None
        if how == "twice":
            self._letters.append(_Letter(letter.event, letter.due))
        elif how == "late":
            letter.due += seconds or LATE_S
        elif how == "out_of_order":
            letter.due += seconds or LATE_S
            self._held = letter
        elif how == "bad_signature":
            letter.forged = True

    def _next(self) -> _Letter | None:
        if self.endpoint.paused:
            return None
        ready = [letter for letter in self._letters if letter.due <= time.monotonic()]
        if not ready:
            return None
        letter = min(ready, key=lambda each: each.due)
        self._letters.remove(letter)
        return letter

    def _pause_s(self) -> float | None:
        if self.endpoint.paused or not self._letters:
            return None
        return max(0.0, min(letter.due for letter in self._letters) - time.monotonic())

    def _send(self, letter: _Letter) -> None:
        body = json.dumps({**letter.event, "pending_webhooks": 1})
        url, secret = self.endpoint.for_event(letter.event)
        secret = WRONG_SECRET if letter.forged else secret
        header = stripe.WebhookSignature.generate_signature_header(body, secret)
        status = _post(url, body, header) if url else 0
        letter.attempt += 1
        entry = {"event": letter.event["id"], "type": letter.event["type"], "attempt": letter.attempt}
        with self._world.lock:
            self.log.append({**entry, "status": status, "forged": letter.forged})
            if 200 <= status < 300:
                self._world.clear_delivery(letter.event["id"])
                return
        letter.forged = False
        if letter.attempt < MOST_ATTEMPTS:
            letter.due = time.monotonic() + min(5.0, 0.1 * 2**letter.attempt)
            with self._changed:
                self._letters.append(letter)


def _post(url: str, body: str, header: Any) -> int:
    """The status, or 0 when nobody answered."""
    headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": header}
    try:
        return requests.post(url, data=body.encode(), headers=headers, timeout=TIMEOUT_S).status_code
    except requests.RequestException:
        return 0

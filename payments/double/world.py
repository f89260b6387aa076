"""Everything the double knows: its objects, its clock, its events."""

import secrets
import threading
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import stripe

from payments.double.problem import missing

Body = dict[str, Any]

PREFIXES = {
    "customer": "cus",
    "payment_method": "pm",
    "setup_intent": "seti",
    "payment_intent": "pi",
    "charge": "ch",
    "refund": "re",
    "balance_transaction": "txn",
    "event": "evt",
    "account": "acct",
    "transfer": "tr",
    "transfer_reversal": "trr",
    "payout": "po",
    "dispute": "du",
    "file": "file",
    "radar.early_fraud_warning": "issfr",
}
NO_LIVEMODE = frozenset({"refund", "balance_transaction", "account", "transfer_reversal", "file"})
API_VERSION = str(stripe.api_version)


class World:
    """One Stripe account. Every reader and writer holds `lock`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.objects: dict[str, Body] = {}
        self.numbers: dict[str, str] = {}  # payment method -> card number
        self.confirmed: set[str] = set()  # payment methods saved with the holder's confirmation
        self.on_event: Callable[[Body], None] = lambda _event: None
        self.delivered: set[str] = set()
        self.current_request: Body = {"id": None, "idempotency_key": None}
        self.acting_for: str | None = (
            None  # whose account the present request speaks of; None: the platform's own
        )
        self.short_of_money = False  # the platform's own balance covers no transfer
        self.settles_in: dict[
            str, str
        ] = {}  # currency -> the one of our balance, where we have no bank account in it
        self.reserved: dict[str, int] = {}  # of our balance, by currency, kept back for owners' accounts
        self.bank_payouts: dict[str, str] = {}  # payout -> the account it leaves
        self._offset = 0

    def now(self) -> int:
        """Business time: real time plus what was forwarded."""
        return int(time.time()) + self._offset

    def forward(self, seconds: int) -> None:
        self._offset += seconds

    def add(self, kind: str, **fields: Any) -> Body:
        """A new object with its id; it is stored, and the caller may go on filling it."""
        body: Body = {
            "id": f"{PREFIXES[kind]}_{secrets.token_hex(12)}",
            "object": kind,
            "created": self.now(),
            **({} if kind in NO_LIVEMODE else {"livemode": False}),
            **fields,
        }
        self.objects[body["id"]] = body
        return body

    def get(self, kind: str, object_id: Any, param: str = "id") -> Body:
        """The object itself, not a copy. Raises Problem when there is none of that kind."""
        body = self.objects.get(str(object_id))
        if body is None or body["object"] != kind:
            raise missing(kind, str(object_id), param)
        return body

    def of_kind(self, kind: str) -> list[Body]:
        """Newest first, as Stripe lists."""
        return [body for body in reversed(self.objects.values()) if body["object"] == kind]

    def emit(self, kind: str, subject: Body) -> None:
        account = subject["id"] if subject["object"] == "account" else self.bank_payouts.get(subject["id"])
        event = self.add(
            "event",
            **({"account": account} if account else {}),
            api_version=API_VERSION,
            data={"object": deepcopy(subject)},
            pending_webhooks=1,
            request=dict(self.current_request),
            type=kind,
        )
        self.on_event(event)

    def clear_delivery(self, event_id: str) -> None:
        """Some endpoint took the event."""
        self.delivered.add(event_id)
        self.objects[event_id]["pending_webhooks"] = 0

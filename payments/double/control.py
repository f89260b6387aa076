"""The control verbs, outside Stripe's own paths: what the app's SDK, the banks, the network and time would
do.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from payments.double import charges, disputes, intents, owners, setups
from payments.double.deliveries import DEFAULT_KINDS, Deliveries
from payments.double.problem import Problem
from payments.double.world import Body, World

FAULTS = ("drop_after_commit", "400", "401", "403", "409", "429", "500", "500_after_commit", "delay")
DELIVERIES = ("twice", "late", "out_of_order", "bad_signature", "pause", "resume")


@dataclass
class Fault:
    """What happens to the next calls whose path contains `path`."""

    kind: str
    path: str
    left: int
    seconds: float


@dataclass
class Control:
    """One function for each verb; all run with the world locked."""

    world: World
    deliveries: Deliveries
    log: list[Body] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)

    def answer(self, method: str, verb: str, body: Body) -> Any:
        verbs: dict[tuple[str, str], Callable[[Body], Any]] = {
            ("POST", "setup_intents/confirm"): self.confirm_setup,
            ("POST", "payment_intents/confirm"): self.confirm_intent,
            ("POST", "accounts/settle"): self.settle_account,
            ("POST", "balance"): self.balance,
            ("POST", "balance/fee"): self.take_fee,
            ("POST", "balance/reserve"): self.reserve,
            ("POST", "balance/settles"): self.settle_in,
            ("POST", "payouts/make"): self.make_payout,
            ("POST", "payouts/fail"): self.fail_payout,
            ("POST", "refunds/fail"): self.fail_refund,
            ("POST", "disputes/open"): self.open_dispute,
            ("POST", "disputes/escalate"): self.escalate_dispute,
            ("POST", "disputes/close"): self.close_dispute,
            ("POST", "warnings/open"): self.open_warning,
            ("POST", "clock/forward"): self.forward,
            ("POST", "fault"): self.fault,
            ("POST", "webhooks"): self.webhooks,
            ("POST", "keys/forget"): self.forget_keys,
            ("GET", "clock"): lambda _body: {"now": self.world.now()},
            ("GET", "objects"): self.objects,
            ("GET", "log"): lambda _body: {"calls": self.log},
            ("GET", "deliveries"): lambda _body: {"deliveries": self.deliveries.log},
        }
        if (method, verb) not in verbs:
            raise Problem(404, f"No control verb {method} {verb}")
        return verbs[(method, verb)](body)

    def take_fault(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.path in path:
                fault.left -= 1
                if fault.left == 0:
                    self.faults.remove(fault)
                return fault
        return None

    def confirm_setup(self, body: Body) -> Body:
        """{client_secret, card, three_ds: ok|fail|abandon}"""
        setup = self._by_secret("setup_intent", body)
        return setups.confirm_setup(self.world, setup, str(body.get("card", "")), _three_ds(body))

    def confirm_intent(self, body: Body) -> Body:
        """{client_secret, card?, three_ds: ok|fail|abandon}; a decline is answered as the intent it
        leaves.
        """
        intent = self._by_secret("payment_intent", body)
        try:
            return intents.confirm_by_app(self.world, intent, body.get("card"), _three_ds(body))
        except Problem as problem:
            if problem.status != 402:
                raise
            return intent

    def settle_account(self, body: Body) -> Body:
        """{account, state: incomplete|enabled|restricted}"""
        state = str(body.get("state", "enabled"))
        if state not in owners.STATES:
            raise Problem(400, f"state: one of {', '.join(owners.STATES)}")
        return owners.settle_account(self.world, self.world.get("account", body.get("account")), state)

    def balance(self, body: Body) -> Body:
        """{short: true|false}: our own balance covers no transfer, or covers them again"""
        self.world.short_of_money = bool(body.get("short", False))
        return {"short": self.world.short_of_money}

    def make_payout(self, body: Body) -> Body:
        """{account, currency? (eur)}: what lies there goes to the owner's bank. {amount, currency?}: that much of our own
        balance to ours.
        """
        currency = str(body.get("currency", "eur"))
        if "account" not in body:
            return owners.pay_own_to_bank(self.world, int(body.get("amount", 0)), currency)
        return owners.pay_to_bank(self.world, self.world.get("account", body["account"]), currency)

    def take_fee(self, body: Body) -> Body:
        """{amount, currency? (eur)}: Stripe takes a fee of no single charge out of our balance"""
        return charges.take_fee(self.world, int(body.get("amount", 0)), str(body.get("currency", "eur")))

    def settle_in(self, body: Body) -> Body:
        """{currency, into}: we have no bank account in that currency, what comes in it is changed; the same: we have one"""
        currency, into = str(body.get("currency")), str(body.get("into"))
        self.world.settles_in[currency] = into
        if currency == into:
            del self.world.settles_in[currency]
        return {"settles_in": self.world.settles_in}

    def reserve(self, body: Body) -> Body:
        """{amount, currency? (eur)}: so much of our balance is kept back for owners' accounts that are below nothing"""
        self.world.reserved[str(body.get("currency", "eur"))] = int(body.get("amount", 0))
        return {"reserved": self.world.reserved}

    def fail_payout(self, body: Body) -> Body:
        """{payout, code? (account_closed)}"""
        payout = self.world.get("payout", body.get("payout"))
        return owners.fail_payout(self.world, payout, str(body.get("code", "account_closed")))

    def fail_refund(self, body: Body) -> Body:
        """{refund}: the cardholder's bank sends it back, days after it was given"""
        return charges.send_back(self.world, self.world.get("refund", body.get("refund")))

    def open_dispute(self, body: Body) -> Body:
        """{charge, reason? (fraudulent), amount? (all of it), inquiry? (false)}"""
        charge = self.world.get("charge", body.get("charge"))
        reason, inquiry = str(body.get("reason", "fraudulent")), bool(body.get("inquiry", False))
        return disputes.open_dispute(self.world, charge, reason, body.get("amount"), inquiry=inquiry)

    def escalate_dispute(self, body: Body) -> Body:
        """{dispute}: an inquiry becomes a dispute"""
        return disputes.escalate(self.world, self.world.get("dispute", body.get("dispute")))

    def close_dispute(self, body: Body) -> Body:
        """{dispute, status: won|lost|warning_closed}"""
        dispute = self.world.get("dispute", body.get("dispute"))
        return disputes.close(self.world, dispute, str(body.get("status")))

    def open_warning(self, body: Body) -> Body:
        """{charge, kind? (made_with_stolen_card)}"""
        charge = self.world.get("charge", body.get("charge"))
        return disputes.warn(self.world, charge, str(body.get("kind", "made_with_stolen_card")))

    def forward(self, body: Body) -> Body:
        """{seconds}; holds that have run out are released."""
        seconds = body.get("seconds")
        if not isinstance(seconds, int | float) or seconds < 0:
            raise Problem(400, "seconds: the clock moves forward only")
        self.world.forward(int(seconds))
        intents.expire_holds(self.world)
        return {"now": self.world.now()}

    def fault(self, body: Body) -> Body:
        """{next: one of FAULTS, path?, times? (1), seconds? (2, delay)}"""
        kind = str(body.get("next"))
        if kind not in FAULTS:
            raise Problem(400, f"next: one of {', '.join(FAULTS)}")
        times, seconds = int(body.get("times", 1)), float(body.get("seconds", 2))
        self.faults.append(Fault(kind, str(body.get("path", "")), times, seconds))
        return {"faults": len(self.faults)}

    def webhooks(self, body: Body) -> Body:
        """{url?, secret?, connect_url?, connect_secret?, kinds?: [..]|"*", deliver?: .., times? (1),
        seconds? (2, late)}; each part is optional.
        """
        endpoint = self.deliveries.endpoint
        endpoint.url = body.get("url", endpoint.url)
        endpoint.secret = body.get("secret", endpoint.secret)
        endpoint.connect_url = body.get("connect_url", endpoint.connect_url)
        endpoint.connect_secret = body.get("connect_secret", endpoint.connect_secret)
        if "kinds" in body:
            kinds = body["kinds"]
            endpoint.kinds = None if kinds == "*" else frozenset(kinds or DEFAULT_KINDS)
        how = body.get("deliver")
        if how is not None and how not in DELIVERIES:
            raise Problem(400, f"deliver: one of {', '.join(DELIVERIES)}")
        if how in {"pause", "resume"}:
            endpoint.paused = how == "pause"
        elif how is not None:
            endpoint.misbehave += [(how, float(body.get("seconds", 0)))] * int(body.get("times", 1))
        self.deliveries.wake()
        return {
            "url": endpoint.url,
            "paused": endpoint.paused,
            "next": [name for name, _ in endpoint.misbehave],
        }

    def forget_keys(self, _body: Body) -> Body:
        """As after 24 hours."""
        forgotten = len(self.keys)
        self.keys.clear()
        return {"forgotten": forgotten}

    def objects(self, body: Body) -> Body:
        """{kind?, about?, rental?}: objects by kind, oldest first, and the ids of the intents of each rental; those of one
        kind, with one id or of one rental alone. An event has the id and rental of what it is about.
        """
        by_kind: dict[str, list[Body]] = {}
        rentals: dict[str, list[str]] = {}
        for one in self.world.objects.values():
            if not _is_wanted(one, body):
                continue
            by_kind.setdefault(one["object"], []).append(one)
            if one["object"] == "payment_intent" and "rental" in one["metadata"]:
                rentals.setdefault(one["metadata"]["rental"], []).append(one["id"])
        return {"now": self.world.now(), "objects": by_kind, "rentals": rentals}

    def _by_secret(self, kind: str, body: Body) -> Body:
        for found in self.world.of_kind(kind):
            if found["client_secret"] == body.get("client_secret"):
                return found
        raise Problem(404, f"no {kind} has this client_secret")


def _is_wanted(one: Body, wanted: Body) -> bool:
    about = one["data"]["object"] if one["object"] == "event" else one
    known = {
        "kind": one["object"],
        "about": about.get("id"),
        "rental": (about.get("metadata") or {}).get("rental"),
    }
    return all(known[name] == value for name, value in wanted.items() if name in known)


def _three_ds(body: Body) -> str:
    word = str(body.get("three_ds", "ok"))
    if word not in {"ok", "fail", "abandon"}:
        raise Problem(400, "three_ds: ok, fail or abandon")
    return word

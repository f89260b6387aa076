"""Stripe as our payment provider, through its own SDK."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import stripe

from payments import stripe_codes as codes
from payments.gateway import (
    ActionRequired,
    Card,
    CardDeclined,
    Endpoint,
    Event,
    Intent,
    IntentGone,
    IntentState,
    NotThere,
    PaymentsRefused,
    Refund,
    Setup,
    WebhookClosed,
)
from payments.money import CURRENCIES, Money
from payments.stripe_errors import our_errors
from payments.stripe_objects import card_of, id_of, intent_of, loose, minor, refund_of, setup_of
from payments.stripe_webhook import StripeWebhook

CARDS_ONLY: Mapping[str, Any] = {
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    "allowed_payment_method_types": ["card"],
}
WITH_CHARGE = ["latest_charge"]
PAGE = 100


class StripeGateway:
    """`base_url` points it at a double on loopback; `timeout_s` is for one attempt, of which there are up to
    three.
    """

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str | None = None,
        webhooks: Mapping[Endpoint, StripeWebhook] | None = None,
        timeout_s: float = 8,
        retries: int = 2,
    ) -> None:
        self._http = stripe.RequestsClient(timeout=timeout_s)
        client = stripe.StripeClient(
            api_key,
            base_addresses={"api": base_url} if base_url else None,
            http_client=self._http,
            max_network_retries=retries,  # the client's own default is none
            stripe_version=codes.API_VERSION,
        )
        self._stripe = client.v1
        self._webhooks = dict(webhooks or {})

    def close(self) -> None:
        """Give this thread's connections back."""
        self._http.close()  # type: ignore[no-untyped-call]

    def create_customer(self, *, person: str, key: str) -> str:
        params = {"metadata": {"person": person, "command_id": key}}
        with our_errors():
            return self._stripe.customers.create(loose(params), {"idempotency_key": key}).id

    def setup_card(self, customer: str, *, key: str) -> Setup:
        params = {"customer": customer, "usage": "off_session", "metadata": {"command_id": key}, **CARDS_ONLY}
        with our_errors():
            return setup_of(self._stripe.setup_intents.create(loose(params), {"idempotency_key": key}))

    def setup(self, setup: str) -> Setup:
        with our_errors():
            return setup_of(self._stripe.setup_intents.retrieve(setup))

    def card(self, card: str) -> Card:
        with our_errors():
            return card_of(self._stripe.payment_methods.retrieve(card))

    def cards_of(self, customer: str) -> Sequence[Card]:
        with our_errors():
            found = self._stripe.payment_methods.list({"customer": customer, "type": "card", "limit": PAGE})
            return [card_of(method) for method in found.auto_paging_iter()]

    def detach_card(self, card: str, *, key: str) -> None:
        try:
            with our_errors():
                self._stripe.payment_methods.detach(card, {}, {"idempotency_key": key})
        except NotThere:
            pass
        except PaymentsRefused:
            if self.card(card).customer is not None:
                raise

    def hold(
        self, amount: Money, *, customer: str, card: str, key: str, rental: str, off_session: bool
    ) -> Intent:
        return self._pay(amount, customer, card, key, rental, off_session=off_session, capture="manual")

    def charge(
        self, amount: Money, *, customer: str, card: str, key: str, rental: str, off_session: bool = True
    ) -> Intent:
        return self._pay(amount, customer, card, key, rental, off_session=off_session, capture="automatic")

    def capture(self, intent: str, amount: Money, *, key: str) -> Intent:
        params = {"amount_to_capture": amount.amount, "expand": WITH_CHARGE}
        return self._step(
            intent,
            IntentState.CAPTURED,
            lambda: self._stripe.payment_intents.capture(intent, loose(params), {"idempotency_key": key}),
        )

    def release(self, intent: str, *, key: str) -> Intent:
        params = {"cancellation_reason": "abandoned", "expand": WITH_CHARGE}
        return self._step(
            intent,
            IntentState.RELEASED,
            lambda: self._stripe.payment_intents.cancel(intent, loose(params), {"idempotency_key": key}),
        )

    def stand_for(self, intent: str, rental: str) -> None:
        shown: Any = {"metadata": {"rental": rental}}
        with our_errors():  # the transfer group can be set but once
            charge = id_of(self._stripe.payment_intents.update(intent, shown).latest_charge)
            if charge is not None:  # it has words of its own, copied when it was made
                self._stripe.charges.update(charge, shown)

    def refund(self, intent: str, amount: Money, *, key: str) -> Refund:
        params = {"payment_intent": intent, "amount": amount.amount, "metadata": {"command_id": key}}
        with our_errors():
            return refund_of(self._stripe.refunds.create(loose(params), {"idempotency_key": key}))

    def refunds_of(self, intent: str) -> Sequence[Refund]:
        with our_errors():
            found = self._stripe.refunds.list({"payment_intent": intent, "limit": PAGE})
            return [refund_of(refund) for refund in found.auto_paging_iter()]

    def refunds_since(self, since: datetime) -> Sequence[Refund]:
        with our_errors():
            found = self._stripe.refunds.list({"created": {"gte": int(since.timestamp())}, "limit": PAGE})
            return [refund_of(one) for one in found.auto_paging_iter() if one.currency.upper() in CURRENCIES]

    def balance(self) -> Sequence[Money]:
        total: Counter[str] = Counter()
        with our_errors():
            there = self._stripe.balance.retrieve()
        parts: tuple[Any, ...] = (*there.available, *there.pending, *(there.connect_reserved or ()))
        for part in parts:
            total[part.currency.upper()] += part.amount
        return [Money(total[one], one) for one in CURRENCIES if one in total]

    def intent(self, intent: str) -> Intent:
        try:
            with our_errors():
                return intent_of(self._stripe.payment_intents.retrieve(intent, {"expand": WITH_CHARGE}))
        except NotThere as error:
            raise IntentGone(intent, None) from error

    def intents_since(self, since: datetime) -> Sequence[Intent]:
        return list(self._list({"created": {"gte": int(since.timestamp())}}))

    def find_by_command(self, command: str, *, customer: str) -> Intent | None:
        # by list, not by search: Stripe's search may lag an hour behind its writes
        return next((i for i in self._list({"customer": customer}) if i.command == command), None)

    def fee_of(self, charge: str) -> Money | None:
        with our_errors():
            found = self._stripe.charges.retrieve(charge, {"expand": ["balance_transaction"]})
        entry = found.balance_transaction
        if not isinstance(entry, stripe.BalanceTransaction):
            return None
        return minor(entry.fee, entry.currency)

    def events_since(self, since: datetime, *, undelivered_only: bool = False) -> Sequence[Event]:
        params: dict[str, Any] = {
            "created": {"gte": int(since.timestamp())},
            "types": list(codes.EVENT_KINDS),
            "limit": PAGE,
        }
        if undelivered_only:
            params["delivery_success"] = False
        with our_errors():
            newest_first = list(self._stripe.events.list(loose(params)).auto_paging_iter())
        return [
            Event(e.id, e.type, e.data.object["id"], datetime.fromtimestamp(e.created, UTC))
            for e in reversed(newest_first)
        ]

    def signed_event(self, raw: bytes, header: str | None, *, endpoint: Endpoint = "platform") -> Event:
        webhook = self._webhooks.get(endpoint)
        if webhook is None:
            raise WebhookClosed("no secret is set for this endpoint")
        return webhook.signed_event(raw, header)

    def _pay(
        self,
        amount: Money,
        customer: str,
        card: str,
        key: str,
        rental: str,
        *,
        off_session: bool,
        capture: str,
    ) -> Intent:
        params: dict[str, Any] = {
            "amount": amount.amount,
            "currency": amount.currency.lower(),
            "customer": customer,
            "payment_method": card,
            "confirm": True,
            "capture_method": capture,
            "metadata": {"command_id": key, "rental": rental},
            "transfer_group": f"rental:{rental}",
            "expand": WITH_CHARGE,
            **CARDS_ONLY,
            # who is absent cannot confirm; who is present confirms in the app's own SDK
            **({"off_session": True} if off_session else {"use_stripe_sdk": True}),
        }
        try:
            with our_errors():
                made = self._stripe.payment_intents.create(loose(params), {"idempotency_key": key})
        except (CardDeclined, ActionRequired) as no:
            if no.intent is None or not _is_replay(getattr(no.__cause__, "headers", None)):
                raise
            intent = self.intent(no.intent)
        else:
            intent = self._present(made)
        return _secured(intent)

    def _present(self, answered: stripe.PaymentIntent) -> Intent:
        """As it stands now: a repeated key is answered with what was true then."""
        response = getattr(answered, "last_response", None)
        if _is_replay(getattr(response, "headers", None)):
            return self.intent(answered.id)
        return intent_of(answered)

    def _step(self, intent: str, goal: IntentState, ask: Callable[[], stripe.PaymentIntent]) -> Intent:
        """A step that may have been taken before: what stands there decides."""
        try:
            with our_errors():
                answered = ask()
            return self._present(answered)
        except PaymentsRefused as error:
            if error.code not in codes.STATE_CODES:
                raise
            now = self.intent(intent)
            if now.state is goal:
                return now
            raise IntentGone(intent, now.state) from error

    def _list(self, params: dict[str, Any]) -> Iterator[Intent]:
        """Ours only: an intent without a command was made by hand, perhaps in a currency we do not know."""
        query = {**params, "limit": PAGE, "expand": ["data.latest_charge"]}
        with our_errors():
            for found in self._stripe.payment_intents.list(loose(query)).auto_paging_iter():
                if found.currency.upper() in CURRENCIES and "command_id" in found.metadata:
                    yield intent_of(found)


def _secured(intent: Intent) -> Intent:
    """The intent, unless the money is not there yet."""
    if intent.state is IntentState.ACTION_REQUIRED:
        raise ActionRequired(intent.client_secret or "", intent.id)
    if intent.state is IntentState.CARD_NEEDED:
        code = intent.failure.code if intent.failure else "generic_decline"
        if code in codes.AUTHENTICATION_CODES:
            raise ActionRequired(intent.client_secret or "", intent.id)
        raise CardDeclined(code, hard=codes.is_hard(code), intent=intent.id)
    return intent


def _is_replay(headers: Mapping[str, str] | None) -> bool:
    return headers is not None and headers.get("Idempotent-Replayed") == "true"

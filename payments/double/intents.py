"""Payment intents: holds and charges, from the first try to capture, release or expiry."""

import secrets
from typing import Any

from payments.double import charges
from payments.double.cards import CARDS, decline
from payments.double.problem import Problem, wrong_state
from payments.double.setups import add_card, card_of_customer
from payments.double.world import Body, World

CANCELLABLE = frozenset(
    {"requires_payment_method", "requires_confirmation", "requires_action", "requires_capture"}
)
LEAST = {"eur": (50, "€0.50"), "gbp": (30, "£0.30"), "chf": (50, "CHF0.50")}
"""What may be asked for at least (docs.stripe.com/currencies), as a number and in words; of a part of a hold too."""


def create(world: World, params: Body) -> Body:
    if params["amount"] < 1:
        raise Problem(400, "Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if params["currency"] not in LEAST:
        raise Problem(400, f"Invalid currency: {params['currency']}", param="currency")
    _refuse_too_little(params["amount"], params["currency"], "amount")
    if params.get("off_session") and not params.get("confirm"):
        raise Problem(400, "off_session needs confirm", code="parameter_missing", param="confirm")
    if params.get("customer"):
        world.get("customer", params["customer"], "customer")
    if params.get("payment_method"):
        card_of_customer(world, params["payment_method"], params.get("customer"))
    intent = _new(world, params)
    world.emit("payment_intent.created", intent)
    return confirm(world, intent, params) if params.get("confirm") else intent


def _refuse_too_little(amount: int, currency: str, param: str) -> None:
    least, words = LEAST[currency]
    if amount < least:
        raise Problem(
            400, f"Amount must be at least {words} {currency}", code="amount_too_small", param=param
        )


def _new(world: World, params: Body) -> Body:
    intent = world.add(
        "payment_intent",
        amount=params["amount"],
        amount_capturable=0,
        amount_received=0,
        application=None,
        application_fee_amount=params.get("application_fee_amount"),
        automatic_payment_methods=params.get("automatic_payment_methods"),
        canceled_at=None,
        cancellation_reason=None,
        capture_method=params.get("capture_method", "automatic_async"),
        client_secret=None,
        confirmation_method=params.get("confirmation_method", "automatic"),
        currency=params["currency"],
        customer=params.get("customer"),
        description=params.get("description"),
        last_payment_error=None,
        latest_charge=None,
        metadata=params.get("metadata", {}),
        next_action=None,
        on_behalf_of=params.get("on_behalf_of"),
        payment_method=params.get("payment_method"),
        payment_method_options={},
        payment_method_types=["card"],
        processing=None,
        receipt_email=None,
        review=None,
        setup_future_usage=None,
        shipping=None,
        statement_descriptor=None,
        statement_descriptor_suffix=params.get("statement_descriptor_suffix"),
        status="requires_confirmation" if params.get("payment_method") else "requires_payment_method",
        transfer_data=params.get("transfer_data"),
        transfer_group=params.get("transfer_group"),
    )
    intent["client_secret"] = f"{intent['id']}_secret_{secrets.token_hex(12)}"
    return intent


def confirm(world: World, intent: Body, params: Body) -> Body:
    """By the server. Without the holder a card that wants confirmation is declined; with him it waits."""
    if intent["status"] not in {"requires_payment_method", "requires_confirmation"}:
        raise wrong_state(intent, "confirm")
    method_id = params.get("payment_method") or intent["payment_method"]
    if method_id is None:
        raise Problem(
            400, "You cannot confirm it without a payment method.", code="payment_intent_unexpected_state"
        )
    method = card_of_customer(world, method_id, intent["customer"])
    intent["payment_method"] = method["id"]
    off_session = bool(params.get("off_session"))
    card = CARDS[world.numbers[method["id"]]]
    saved = method["id"] in world.confirmed
    needs_holder = card.three_ds == "always" or (
        card.three_ds == "until_saved" and not (off_session and saved)
    )
    if not needs_holder:
        return _pay(world, intent, off_session=off_session)
    if off_session or params.get("error_on_requires_action"):
        error = {**decline("authentication_required"), "code": "authentication_required"}
        raise _failed(world, intent, error)
    intent.update(status="requires_action", next_action={"type": "use_stripe_sdk", "use_stripe_sdk": {}})
    world.emit("payment_intent.requires_action", intent)
    return intent


def confirm_by_app(world: World, intent: Body, number: str | None, three_ds: str) -> Body:
    """What the app's SDK does with a client secret: perhaps enter another card, and answer its bank."""
    if intent["status"] not in {"requires_payment_method", "requires_action"}:
        raise wrong_state(intent, "confirm")
    error = intent["last_payment_error"] or {}
    if number is not None:
        if number not in CARDS:
            raise Problem(402, "Unknown test card", kind="card_error", code="incorrect_number")
        method = add_card(world, number)
        method["customer"] = intent["customer"]
        intent["payment_method"] = method["id"]
    elif intent["payment_method"] is None:
        intent["payment_method"] = error.get("payment_method", {}).get("id")
    method = card_of_customer(world, intent["payment_method"], intent["customer"])
    asks = CARDS[world.numbers[method["id"]]].three_ds != "never"
    if asks and three_ds == "abandon":
        if intent["status"] != "requires_action":
            intent.update(
                status="requires_action", next_action={"type": "use_stripe_sdk", "use_stripe_sdk": {}}
            )
            world.emit("payment_intent.requires_action", intent)
        return intent
    if asks and three_ds == "fail":
        code = "payment_intent_authentication_failure"
        raise _failed(
            world, intent, {"type": "invalid_request_error", "code": code, "message": "Not confirmed."}
        )
    return _pay(world, intent, off_session=False)


def capture(world: World, intent: Body, params: Body) -> Body:
    if intent["status"] != "requires_capture":
        raise wrong_state(intent, "capture")
    amount: int = (
        params["amount_to_capture"] if "amount_to_capture" in params else intent["amount_capturable"]
    )
    if amount > intent["amount_capturable"]:
        raise Problem(400, "More than can be captured.", code="amount_too_large", param="amount_to_capture")
    if amount < 1:
        raise Problem(
            400, "Invalid positive integer", code="parameter_invalid_integer", param="amount_to_capture"
        )
    _refuse_too_little(amount, intent["currency"], "amount_to_capture")
    charge = world.get("charge", intent["latest_charge"])
    charges.settle(world, charge, amount)
    _metadata(intent, params)
    intent.update(status="succeeded", amount_capturable=0, amount_received=amount)
    world.emit("charge.captured", charge)
    world.emit("payment_intent.succeeded", intent)
    return intent


def cancel(world: World, intent: Body, params: Body) -> Body:
    if intent["status"] not in CANCELLABLE:
        raise wrong_state(intent, "cancel")
    return _cancel(world, intent, params.get("cancellation_reason"))


def update(world: World, intent: Body, params: Body) -> Body:
    if set(params) - {"metadata", "description", "transfer_group", "expand"}:
        raise Problem(400, "The double updates words, not money.")
    if intent["transfer_group"] and params.get("transfer_group"):
        raise Problem(400, "You can only provide it if it has not been set.", param="transfer_group")
    _metadata(intent, params)
    intent.update({key: params[key] for key in ("description", "transfer_group") if key in params})
    world.emit("payment_intent.updated", intent)
    return intent


def expire_holds(world: World) -> None:
    """What the banks do by themselves at `capture_before`."""
    for intent in world.of_kind("payment_intent"):
        if intent["status"] == "requires_capture":
            charge = world.get("charge", intent["latest_charge"])
            if charge["payment_method_details"]["card"]["capture_before"] <= world.now():
                world.emit("charge.expired", charge)
                _cancel(world, intent, "expired")


def _cancel(world: World, intent: Body, reason: Any) -> Body:
    intent.update(
        status="canceled",
        amount_capturable=0,
        canceled_at=world.now(),
        cancellation_reason=reason,
        next_action=None,
    )
    world.emit("payment_intent.canceled", intent)
    return intent


def _pay(world: World, intent: Body, *, off_session: bool) -> Body:
    method = world.get("payment_method", intent["payment_method"])
    card = CARDS[world.numbers[method["id"]]]
    intent["next_action"] = None
    if card.pay:
        charge = charges.refused(world, intent, method, card.pay)
        raise _failed(world, intent, {**decline(card.pay), "charge": charge["id"]})
    charge = charges.authorised(world, intent, method, off_session=off_session)
    intent.update(latest_charge=charge["id"], last_payment_error=None)
    if intent["capture_method"] == "manual":
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
        world.emit("payment_intent.amount_capturable_updated", intent)
        return intent
    charges.settle(world, charge, intent["amount"])
    intent.update(status="succeeded", amount_received=intent["amount"])
    world.emit("charge.succeeded", charge)
    world.emit("payment_intent.succeeded", intent)
    return intent


def _failed(world: World, intent: Body, error: Body) -> Problem:
    """The intent stays, and may be confirmed again with this or another card."""
    method = world.objects.get(intent["payment_method"] or "")
    error = {**error, "payment_method": method}
    intent.update(
        status="requires_payment_method", payment_method=None, next_action=None, last_payment_error=error
    )
    if error.get("charge"):
        intent["latest_charge"] = error["charge"]
    world.emit("payment_intent.payment_failed", intent)
    fields = {key: value for key, value in error.items() if key not in {"type", "message", "code"}}
    return Problem(
        402, error["message"], kind="card_error", code=error["code"], payment_intent=dict(intent), **fields
    )


def _metadata(intent: Body, params: Body) -> None:
    merged = {**intent["metadata"], **(params.get("metadata") or {})}
    intent["metadata"] = {key: value for key, value in merged.items() if value != ""}

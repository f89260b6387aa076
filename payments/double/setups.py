"""Customers, their cards, and the saving of a card."""

import secrets
from typing import Any

from payments.double.cards import CARDS, decline
from payments.double.problem import Problem, missing
from payments.double.world import Body, World

NO_ADDRESS = {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}


def create_customer(world: World, params: Body) -> Body:
    customer = world.add(
        "customer",
        email=params.get("email"),
        name=params.get("name"),
        phone=params.get("phone"),
        description=params.get("description"),
        metadata=params.get("metadata", {}),
        balance=0,
        delinquent=False,
        invoice_settings={"custom_fields": None, "default_payment_method": None, "footer": None},
        preferred_locales=params.get("preferred_locales", []),
    )
    world.emit("customer.created", customer)
    return customer


def create_setup(world: World, params: Body) -> Body:
    if params.get("customer"):
        world.get("customer", params["customer"], "customer")
    if params.get("confirm"):
        raise Problem(400, "The double confirms by its control verb, as the app's SDK does.", param="confirm")
    setup = world.add(
        "setup_intent",
        application=None,
        automatic_payment_methods=params.get("automatic_payment_methods"),
        cancellation_reason=None,
        client_secret=None,
        customer=params.get("customer"),
        description=params.get("description"),
        last_setup_error=None,
        latest_attempt=None,
        mandate=None,
        metadata=params.get("metadata", {}),
        next_action=None,
        on_behalf_of=None,
        payment_method=None,
        payment_method_options={},
        payment_method_types=["card"],
        status="requires_payment_method",
        usage=params.get("usage", "off_session"),
    )
    setup["client_secret"] = f"{setup['id']}_secret_{secrets.token_hex(12)}"
    world.emit("setup_intent.created", setup)
    return setup


def cancel_setup(world: World, setup: Body) -> Body:
    if setup["status"] in {"succeeded", "canceled"}:
        raise Problem(400, f"It is {setup['status']}.", code="setup_intent_unexpected_state")
    setup.update(status="canceled", cancellation_reason="abandoned")
    world.emit("setup_intent.canceled", setup)
    return setup


def confirm_setup(world: World, setup: Body, number: str, three_ds: str) -> Body:
    """What the app's SDK does with a client secret: enter a card, and answer its bank."""
    if setup["status"] not in {"requires_payment_method", "requires_action"}:
        raise Problem(400, f"It is {setup['status']}.", code="setup_intent_unexpected_state")
    if number not in CARDS:
        raise Problem(402, "Unknown test card", kind="card_error", code="incorrect_number")
    card = CARDS[number]
    method = add_card(world, number)
    setup.update(payment_method=method["id"], last_setup_error=None, next_action=None)
    if card.save:
        return _fail(world, setup, decline(card.save))
    if card.three_ds != "never":
        setup.update(status="requires_action", next_action={"type": "use_stripe_sdk", "use_stripe_sdk": {}})
        if three_ds == "abandon":
            world.emit("setup_intent.requires_action", setup)
            return setup
        if three_ds == "fail":
            code = "setup_intent_authentication_failure"
            return _fail(
                world, setup, {"type": "invalid_request_error", "code": code, "message": "Not confirmed."}
            )
        world.confirmed.add(method["id"])
    method["customer"] = setup["customer"]
    setup.update(status="succeeded", next_action=None)
    world.emit("payment_method.attached", method)
    world.emit("setup_intent.succeeded", setup)
    return setup


def add_card(world: World, number: str) -> Body:
    card = {
        "brand": CARDS[number].brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "FR",
        "display_brand": CARDS[number].brand,
        "exp_month": 8,
        "exp_year": 2099,
        "fingerprint": f"fp{number}",
        "funding": "credit",
        "generated_from": None,
        "last4": number[-4:],
        "networks": {"available": [CARDS[number].brand], "preferred": None},
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    billing = {"address": dict(NO_ADDRESS), "email": None, "name": None, "phone": None, "tax_id": None}
    method = world.add(
        "payment_method",
        allow_redisplay="unspecified",
        billing_details=billing,
        card=card,
        customer=None,
        metadata={},
        type="card",
    )
    world.numbers[method["id"]] = number
    return method


def detach(world: World, method: Body) -> Body:
    if method["customer"] is None:
        raise Problem(400, "The payment method you provided is not attached to a customer.")
    method["customer"] = None
    world.emit("payment_method.detached", method)
    return method


def card_of_customer(world: World, method_id: Any, customer: Any) -> Body:
    """A saved card as a payment may use it."""
    method = world.get("payment_method", method_id, "payment_method")
    if method["customer"] is None or method["customer"] != customer:
        raise missing("PaymentMethod of this customer", str(method_id), "payment_method")
    return method


def _fail(world: World, setup: Body, error: Body) -> Body:
    setup.update(
        status="requires_payment_method", last_setup_error=error, payment_method=None, next_action=None
    )
    world.emit("setup_intent.setup_failed", setup)
    return setup

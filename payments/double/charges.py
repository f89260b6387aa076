"""Charges, what Stripe keeps of them, and refunds."""

from payments.double.cards import decline
from payments.double.problem import Problem
from payments.double.world import Body, World

HELD_FOR = 7 * 86_400
HELD_FOR_OFF_SESSION = 4 * 86_400 + 18 * 3_600
"""Visa holds begun by the merchant; all others 7 days (docs.stripe.com, "Place a hold")."""

FEE_FIXED = {"eur": 25, "gbp": 20, "chf": 30}
FEE_BASIS_POINTS = 150


def authorised(world: World, intent: Body, method: Body, *, off_session: bool) -> Body:
    visa = method["card"]["brand"] == "visa"
    lasts = HELD_FOR_OFF_SESSION if off_session and visa else HELD_FOR
    charge = _charge(world, intent, method)
    charge.update(paid=True, status="succeeded")
    charge["outcome"]["type"] = "authorized"
    if intent["capture_method"] == "manual":
        charge["payment_method_details"]["card"]["capture_before"] = world.now() + lasts
    return charge


def refused(world: World, intent: Body, method: Body, reason: str) -> Body:
    charge = _charge(world, intent, method)
    error = decline(reason)
    charge.update(paid=False, status="failed", failure_code=error["code"], failure_message=error["message"])
    charge["outcome"].update(type="issuer_declined", reason=reason)
    world.emit("charge.failed", charge)
    return charge


def settle(world: World, charge: Body, amount: int) -> None:
    """Take this much, keep the fee."""
    fee = FEE_FIXED[charge["currency"]] + (amount * FEE_BASIS_POINTS + 5_000) // 10_000
    entry = money_moves(world, charge, "charge", amount, min(fee, amount))
    charge.update(captured=True, amount_captured=amount, balance_transaction=entry["id"])


def update(world: World, charge: Body, params: Body) -> Body:
    charge["metadata"] |= params.get("metadata") or {}
    world.emit("charge.updated", charge)
    return charge


def create_refund(world: World, params: Body) -> Body:
    charge = _charge_to_refund(world, params)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if any(not one["is_charge_refundable"] for one in _disputes_of(world, charge)):
        raise Problem(400, f"Charge {charge['id']} has been charged back.", code="charge_disputed")
    if left == 0:
        raise Problem(
            400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount = params.get("amount", left)
    if amount < 1:
        raise Problem(400, "Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        raise Problem(400, message, param="amount")
    refund = world.add(
        "refund",
        amount=amount,
        balance_transaction=None,
        charge=charge["id"],
        currency=charge["currency"],
        destination_details={"card": {"type": "refund"}, "type": "card"},
        metadata=params.get("metadata", {}),
        payment_intent=charge["payment_intent"],
        reason=params.get("reason"),
        receipt_number=None,
        source_transfer_reversal=None,
        status="succeeded",
        transfer_reversal=None,
    )
    refund["balance_transaction"] = money_moves(world, refund, "refund", -amount, 0)["id"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    world.emit("refund.created", refund)
    world.emit("charge.refunded", charge)
    return refund


def send_back(world: World, refund: Body) -> Body:
    """The cardholder's bank could not take the refund: the money is ours again."""
    if refund["status"] != "succeeded":
        raise Problem(400, f"{refund['id']} is {refund['status']}")
    entry = money_moves(world, refund, "refund_failure", refund["amount"], 0)
    refund.update(
        status="failed", failure_reason="lost_or_stolen_card", failure_balance_transaction=entry["id"]
    )
    charge = world.get("charge", refund["charge"])
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    world.emit("refund.failed", refund)
    return refund


def _disputes_of(world: World, charge: Body) -> list[Body]:
    return [one for one in world.of_kind("dispute") if one["charge"] == charge["id"]]


def _charge_to_refund(world: World, params: Body) -> Body:
    if "payment_intent" in params:
        intent = world.get("payment_intent", params["payment_intent"], "payment_intent")
        charge = world.objects.get(intent["latest_charge"] or "")
    else:
        charge = world.get("charge", params.get("charge"), "charge")
    if charge is None or not charge["captured"]:
        raise Problem(400, "There is no captured charge to refund.", param="payment_intent")
    return charge


def _charge(world: World, intent: Body, method: Body) -> Body:
    card = method["card"]
    details = {
        key: card[key] for key in ("brand", "country", "exp_month", "exp_year", "fingerprint", "last4")
    }
    return world.add(
        "charge",
        amount=intent["amount"],
        amount_captured=0,
        amount_refunded=0,
        application=None,
        application_fee=None,
        application_fee_amount=intent["application_fee_amount"],
        balance_transaction=None,
        billing_details=method["billing_details"],
        captured=False,
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        disputed=False,
        failure_balance_transaction=None,
        failure_code=None,
        failure_message=None,
        fraud_details={},
        metadata=dict(intent["metadata"]),
        on_behalf_of=intent["on_behalf_of"],
        outcome={"network_status": None, "reason": None, "type": None},
        paid=False,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details={"card": details, "type": "card"},
        receipt_email=None,
        refunded=False,
        statement_descriptor=None,
        status="pending",
        transfer_data=None,
        transfer_group=intent["transfer_group"],
    )


def money_moves(world: World, source: Body, kind: str, amount: int, fee: int) -> Body:
    """An entry of our own balance there. In another currency it is one for one: nothing here depends on the rate."""
    currency = source["currency"]
    return world.add(
        "balance_transaction",
        amount=amount,
        available_on=world.now() + 3 * 86_400,
        balance_type="payments",
        currency=world.settles_in.get(currency, currency),
        description=None,
        exchange_rate=1.0 if currency in world.settles_in else None,
        fee=fee,
        fee_details=[],
        net=amount - fee,
        reporting_category=kind,
        source=source["id"],
        status="pending",
        type=kind,
    )


def take_fee(world: World, amount: int, currency: str) -> Body:
    """Of no single charge: for accounts, payouts, fraud rules."""
    return money_moves(world, {"id": None, "currency": currency}, "stripe_fee", -amount, 0)


def balance(world: World) -> Body:
    """What lies there: what has arrived, what is on its way, and what of it is kept back for owners' accounts."""
    sums: dict[str, dict[str, int]] = {
        "available": {currency: -amount for currency, amount in world.reserved.items()},
        "connect_reserved": dict(world.reserved),
        "pending": {},
    }
    for entry in world.of_kind("balance_transaction"):
        part = sums["available" if entry["available_on"] <= world.now() else "pending"]
        part[entry["currency"]] = part.get(entry["currency"], 0) + entry["net"]
    parts = {
        name: [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in sorted(found.items())
        ]
        for name, found in sums.items()
    }
    return {"object": "balance", "livemode": False, **parts}

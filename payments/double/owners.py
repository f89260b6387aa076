"""Owners' accounts, the links where they say who they are, and transfers to them."""

import secrets

from payments.double.charges import money_moves
from payments.double.problem import Problem, missing
from payments.double.world import Body, World

STATES = ("incomplete", "enabled", "restricted")
ASKED = ["external_account", "individual.dob.day", "individual.first_name", "individual.last_name"]
LINK_S = 300


def create_account(world: World, params: Body) -> Body:
    account = world.add(
        "account",
        business_type=params.get("business_type"),
        capabilities={"transfers": "inactive"},
        charges_enabled=False,
        controller={**params.get("controller", {}), "is_controller": True, "type": "application"},
        country=params.get("country", "FR"),
        default_currency="eur",
        details_submitted=False,
        email=params.get("email"),
        metadata=params.get("metadata", {}),
        payouts_enabled=False,
        requirements=_requirements(ASKED, None),
        type="none",
    )
    world.emit("account.updated", account)
    return account


def create_link(world: World, params: Body) -> Body:
    world.get("account", params["account"], "account")
    url = f"https://connect.stripe.test/setup/{secrets.token_hex(8)}"
    return {"object": "account_link", "created": world.now(), "expires_at": world.now() + LINK_S, "url": url}


def settle_account(world: World, account: Body, state: str) -> Body:
    """What the owner does behind the link, or what Stripe finds out later."""
    enabled = state == "enabled"
    missing = {"incomplete": ASKED, "enabled": [], "restricted": ["individual.verification.document"]}[state]
    account.update(
        capabilities={"transfers": "active" if enabled else "inactive"},
        details_submitted=state != "incomplete",
        payouts_enabled=enabled,
        requirements=_requirements(missing, None if enabled else "requirements.past_due"),
    )
    world.emit("account.updated", account)
    return account


def create_transfer(world: World, params: Body) -> Body:
    account = world.get("account", params["destination"], "destination")
    if account["capabilities"]["transfers"] != "active":
        message = "Your destination account needs to have the transfers capability enabled."
        raise Problem(400, message, code="insufficient_capabilities_for_transfer")
    if world.short_of_money or "source_transaction" not in params:
        raise Problem(400, "The double's balance is empty.", code="balance_insufficient")
    charge = world.get("charge", params["source_transaction"], "source_transaction")
    amount: int = params["amount"] if "amount" in params else charge["amount_captured"]
    moved = sum(
        each["amount"] - each["amount_reversed"]
        for each in world.of_kind("transfer")
        if each["source_transaction"] == charge["id"]
    )
    settled_in = world.get("balance_transaction", charge["balance_transaction"])["currency"]
    if amount < 1 or params["currency"] != settled_in:
        raise Problem(400, "Wrong amount or currency.", param="amount")
    if amount > charge["amount_captured"] - moved:
        raise Problem(400, "More than the charge has left.", param="amount")
    transfer = world.add(
        "transfer",
        amount=amount,
        amount_reversed=0,
        balance_transaction=None,
        currency=params["currency"],
        description=params.get("description"),
        destination=account["id"],
        metadata=params.get("metadata", {}),
        reversals={"object": "list", "data": [], "has_more": False, "url": ""},
        reversed=False,
        source_transaction=charge["id"],
        source_type="card",
        transfer_group=params.get("transfer_group"),
    )
    transfer["balance_transaction"] = money_moves(world, transfer, "transfer", -amount, 0)["id"]
    transfer["reversals"]["url"] = f"/v1/transfers/{transfer['id']}/reversals"
    world.emit("transfer.created", transfer)
    return transfer


def reverse_transfer(world: World, transfer: Body, params: Body) -> Body:
    left = transfer["amount"] - transfer["amount_reversed"]
    amount: int = params.get("amount") or left
    if not 1 <= amount <= left:
        raise Problem(400, f"Reversal amount ({amount}) is not from 1 to {left}.", param="amount")
    if amount > balance_of(world, transfer["destination"], transfer["currency"]):
        message = "The connected account does not have sufficient funds to cover this reversal."
        raise Problem(400, message, code="balance_insufficient")
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    reversal = world.add(
        "transfer_reversal",
        amount=amount,
        balance_transaction=None,
        currency=transfer["currency"],
        metadata=params.get("metadata", {}),
        transfer=transfer["id"],
    )
    reversal["balance_transaction"] = money_moves(world, reversal, "transfer_refund", amount, 0)["id"]
    transfer["reversals"]["data"].insert(0, reversal)
    world.emit("transfer.reversed", transfer)
    return reversal


def balance_of(world: World, account: str, currency: str) -> int:
    """What lies on an owner's account: transferred, not taken back, not on its way to the bank."""
    came = sum(
        each["amount"] - each["amount_reversed"]
        for each in world.of_kind("transfer")
        if (each["destination"], each["currency"]) == (account, currency)
    )
    left = sum(
        each["amount"]
        for each in world.of_kind("payout")
        if (world.bank_payouts.get(each["id"]), each["currency"]) == (account, currency)
        and each["status"] != "failed"
    )
    return int(came - left)


def pay_to_bank(world: World, account: Body, currency: str) -> Body:
    """What Stripe does by itself each day: all that lies on the account goes to its owner's bank, and arrives."""
    amount = balance_of(world, account["id"], currency)
    if amount < 1:
        raise Problem(400, "Nothing lies on this account.", param="account")
    payout = _payout(world, amount, currency)
    world.bank_payouts[payout["id"]] = account["id"]
    world.emit("payout.paid", payout)
    return payout


def pay_own_to_bank(world: World, amount: int, currency: str) -> Body:
    """The platform's own payout: its balance falls."""
    if amount < 1:
        raise Problem(400, "Nothing is paid out.", param="amount")
    payout = _payout(world, amount, currency)
    payout["balance_transaction"] = money_moves(world, payout, "payout", -amount, 0)["id"]
    world.emit("payout.paid", payout)
    return payout


def _payout(world: World, amount: int, currency: str) -> Body:
    return world.add(
        "payout",
        amount=amount,
        application_fee=None,
        application_fee_amount=None,
        arrival_date=world.now(),
        automatic=True,
        balance_transaction=None,
        currency=currency,
        description="STRIPE PAYOUT",
        destination=f"ba_{secrets.token_hex(12)}",
        failure_balance_transaction=None,
        failure_code=None,
        failure_message=None,
        metadata={},
        method="standard",
        original_payout=None,
        reconciliation_status="completed",
        reversed_by=None,
        source_type="card",
        statement_descriptor=None,
        status="paid",
        type="bank_account",
    )


def payout_of(world: World, payout: str) -> Body:
    """Seen from its owner's account alone."""
    if world.bank_payouts.get(payout) != world.acting_for:
        raise missing("payout", payout)
    return world.get("payout", payout)


def fail_payout(world: World, payout: Body, code: str) -> Body:
    """The bank sends it back, which may be days after it arrived."""
    payout.update(status="failed", failure_code=code, failure_message=f"The bank said {code}.")
    if payout["id"] not in world.bank_payouts:  # our own: the balance has it again
        back = money_moves(world, payout, "payout_failure", payout["amount"], 0)
        payout["failure_balance_transaction"] = back["id"]
    world.emit("payout.failed", payout)
    return payout


def _requirements(missing: list[str], reason: str | None) -> Body:
    return {
        "current_deadline": None,
        "currently_due": list(missing),
        "disabled_reason": reason,
        "errors": [],
        "eventually_due": list(missing),
        "past_due": [],
        "pending_verification": [],
    }

"""The part of Stripe's API that the double plays: verb and path to what it does."""

from collections.abc import Callable

from payments.double import charges, disputes, intents, owners, setups
from payments.double.lists import page
from payments.double.world import Body, World

Handler = Callable[[World, str, Body], Body]


def _on(kind: str, act: Callable[[World, Body, Body], Body]) -> Handler:
    """A step on one object, named in the path."""
    return lambda world, path, params: act(world, world.get(kind, path.split("/")[3]), params)


def _read(kind: str) -> Handler:
    return lambda world, path, _params: world.get(kind, path.split("/")[3])


def _list(kind: str) -> Handler:
    return lambda world, path, params: page(world, kind, path, params)


def _cards_of_customer(world: World, path: str, params: Body) -> Body:
    customer = world.get("customer", path.split("/")[3])
    return page(world, "payment_method", path, {**params, "customer": customer["id"]})


HANDLERS: dict[tuple[str, str], Handler] = {
    ("post", "/v1/customers"): lambda world, _path, params: setups.create_customer(world, params),
    ("get", "/v1/customers"): _list("customer"),
    ("get", "/v1/customers/{customer}"): _read("customer"),
    ("get", "/v1/customers/{customer}/payment_methods"): _cards_of_customer,
    ("get", "/v1/payment_methods"): _list("payment_method"),
    ("get", "/v1/payment_methods/{payment_method}"): _read("payment_method"),
    ("post", "/v1/payment_methods/{payment_method}/detach"): _on(
        "payment_method", lambda world, method, _params: setups.detach(world, method)
    ),
    ("post", "/v1/setup_intents"): lambda world, _path, params: setups.create_setup(world, params),
    ("get", "/v1/setup_intents"): _list("setup_intent"),
    ("get", "/v1/setup_intents/{intent}"): _read("setup_intent"),
    ("post", "/v1/setup_intents/{intent}/cancel"): _on(
        "setup_intent", lambda world, setup, _params: setups.cancel_setup(world, setup)
    ),
    ("post", "/v1/payment_intents"): lambda world, _path, params: intents.create(world, params),
    ("get", "/v1/payment_intents"): _list("payment_intent"),
    ("get", "/v1/payment_intents/{intent}"): _read("payment_intent"),
    ("post", "/v1/payment_intents/{intent}"): _on("payment_intent", intents.update),
    ("post", "/v1/payment_intents/{intent}/confirm"): _on("payment_intent", intents.confirm),
    ("post", "/v1/payment_intents/{intent}/capture"): _on("payment_intent", intents.capture),
    ("post", "/v1/payment_intents/{intent}/cancel"): _on("payment_intent", intents.cancel),
    ("get", "/v1/charges"): _list("charge"),
    ("get", "/v1/charges/{charge}"): _read("charge"),
    ("post", "/v1/charges/{charge}"): _on("charge", charges.update),
    ("post", "/v1/refunds"): lambda world, _path, params: charges.create_refund(world, params),
    ("get", "/v1/refunds"): _list("refund"),
    ("get", "/v1/refunds/{refund}"): _read("refund"),
    ("get", "/v1/balance"): lambda world, _path, _params: charges.balance(world),
    ("get", "/v1/balance_transactions"): _list("balance_transaction"),
    ("get", "/v1/balance_transactions/{id}"): _read("balance_transaction"),
    ("post", "/v1/accounts"): lambda world, _path, params: owners.create_account(world, params),
    ("get", "/v1/accounts/{account}"): _read("account"),
    ("post", "/v1/account_links"): lambda world, _path, params: owners.create_link(world, params),
    ("post", "/v1/transfers"): lambda world, _path, params: owners.create_transfer(world, params),
    ("get", "/v1/transfers"): _list("transfer"),
    ("get", "/v1/transfers/{transfer}"): _read("transfer"),
    ("post", "/v1/transfers/{id}/reversals"): _on("transfer", owners.reverse_transfer),
    ("get", "/v1/payouts"): _list("payout"),
    ("get", "/v1/payouts/{payout}"): lambda world, path, _params: owners.payout_of(world, path.split("/")[3]),
    ("post", "/v1/files"): lambda world, _path, params: disputes.keep_file(world, params),
    ("get", "/v1/disputes"): _list("dispute"),
    ("get", "/v1/disputes/{dispute}"): _read("dispute"),
    ("post", "/v1/disputes/{dispute}"): _on("dispute", disputes.update),
    ("get", "/v1/radar/early_fraud_warnings"): _list("radar.early_fraud_warning"),
    ("get", "/v1/radar/early_fraud_warnings/{early_fraud_warning}"): lambda world, path, _params: world.get(
        "radar.early_fraud_warning", path.split("/")[4]
    ),
    ("get", "/v1/events"): _list("event"),
    ("get", "/v1/events/{id}"): _read("event"),
}

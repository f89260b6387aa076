"""How an answer of the double differs from Stripe's: by the shape of their own fixture, and the types of the pinned SDK."""

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

import stripe

SHAPES: dict[str, Any] = json.loads((Path(__file__).parent / "stripe_shapes.json").read_text())["shapes"]
"""Kind of object -> key -> JSON type, or what is within."""
CLASSES: dict[str, Any] = {
    "account": stripe.Account,
    "account_link": stripe.AccountLink,
    "balance": stripe.Balance,
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "file": stripe.File,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "payout": stripe.Payout,
    "radar.early_fraud_warning": stripe.radar.EarlyFraudWarning,
    "refund": stripe.Refund,
    "setup_intent": stripe.SetupIntent,
    "transfer": stripe.Transfer,
    "transfer_reversal": stripe.TransferReversal,
}
NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", type(None): "null"}


def differences(body: dict[str, Any]) -> Iterator[str]:
    """A key that is not theirs, a value of another type, a null they never give, a key they never leave out."""
    kind = body["object"]
    yield from _in_object(body, SHAPES[kind], CLASSES[kind], kind)


def _in_object(body: dict[str, Any], shape: dict[str, Any], known: Any, where: str) -> Iterator[str]:
    """`shape` is empty where the fixture has no example of it: then the SDK's types alone say what may be."""
    hints = known.__annotations__
    for key, value in body.items():
        own = f"{where}.{key}"
        if key not in hints:
            yield f"{own} is no key of theirs"
        elif not _allows(hints[key], value) or not _as_in_fixture(shape.get(key, "null"), hints[key], value):
            yield f"{own} is never {json.dumps(value)[:60]}"
        else:
            yield from _within(value, shape.get(key), hints[key], own)
    always = {key for key in shape if key in hints and not _allows(hints[key], None)}
    yield from (f"{where}.{key} is never left out" for key in sorted(always - set(body)))


def _within(value: Any, shape: Any, hint: Any, where: str) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            continue
        if isinstance(one.get("object"), str) and one["object"] in CLASSES:
            yield from differences(one)
        elif (known := _class_in(hint)) is not None:
            yield from _in_object(one, shape if isinstance(shape, dict) else {}, known, where)


def _as_in_fixture(shape: Any, hint: Any, value: Any) -> bool:
    """The same type; a null of the fixture says nothing, and an object that is expanded there may be its id here."""
    name = "object" if isinstance(shape, dict) else shape
    expandable = any(isinstance(one, ForwardRef) for one in _options(hint))
    return value is None or name in ("null", NAMES[type(value)]) or expandable


def _allows(hint: Any, value: Any) -> bool:
    return any(_is(one, value) for one in _options(hint))


def _is(hint: Any, value: Any) -> bool:
    if hint is Any:
        return True
    if hint in (str, int, bool, type(None)):
        return type(value) is hint
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    return isinstance(value, list if get_origin(hint) is list else dict)


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _class_in(hint: Any) -> Any:
    """The SDK's class of an object within, or of the objects of a list; None where their keys are free."""
    for one in _options(hint):
        found = get_args(one)[0] if get_origin(one) is list else one
        if isinstance(found, type) and issubclass(found, stripe.StripeObject):
            return found
    return None

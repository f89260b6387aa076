"""Reading: one object, a page of a list, and what a caller wants expanded."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from payments.double.problem import Problem, missing
from payments.double.world import Body, World

EXPANDABLE = frozenset(
    {
        "latest_charge",
        "balance_transaction",
        "payment_method",
        "customer",
        "payment_intent",
        "charge",
        "source",
    }
)
EXACT = ("customer", "payment_intent", "charge", "type", "source", "transfer_group", "destination", "status")
RANGES: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}
PAGE, MOST = 10, 100


def page(world: World, kind: str, url: str, params: Body) -> Body:
    """Newest first, after or before a cursor."""
    found = [body for body in world.of_kind(kind) if _fits(world, body, params)]
    limit = params.get("limit", PAGE)
    if not 1 <= limit <= MOST:
        raise Problem(400, "limit is from 1 to 100", code="parameter_invalid_integer", param="limit")
    if "starting_after" in params:
        found = found[_index(found, kind, params["starting_after"]) + 1 :]
    elif "ending_before" in params:
        found = found[: _index(found, kind, params["ending_before"])][-limit:]
    return {"object": "list", "url": url, "has_more": len(found) > limit, "data": found[:limit]}


def expanded(world: World, body: Body, wanted: list[str]) -> Body:
    """A copy with the wished ids replaced by their objects."""
    copy = deepcopy(body)
    for path in wanted:
        _expand(world, [copy], path.split("."))
    return copy


def _expand(world: World, nodes: list[Any], path: list[str]) -> None:
    for node in nodes:
        if path[0] == "data" and node.get("object") == "list":
            _expand(world, node["data"], path[1:])
            continue
        if path[0] not in node or path[0] not in EXPANDABLE:
            raise Problem(400, f"This property cannot be expanded ({path[0]}).", param="expand")
        if isinstance(node[path[0]], str):
            node[path[0]] = deepcopy(world.objects[node[path[0]]])
        if len(path) > 1 and node[path[0]] is not None:
            _expand(world, [node[path[0]]], path[1:])


def _fits(world: World, body: Body, params: Body) -> bool:
    if body["object"] == "payout" and world.bank_payouts.get(body["id"]) != world.acting_for:
        return False
    created = params.get("created", {})
    bounds = created.items() if isinstance(created, dict) else [("gte", created), ("lte", created)]
    if not all(RANGES[name](body["created"], bound) for name, bound in bounds):
        return False
    if any(name in params and body.get(name) != params[name] for name in EXACT):
        return False
    if "types" in params and body["type"] not in params["types"]:
        return False
    if "delivery_success" in params:
        wanted: bool = params["delivery_success"]
        return (body["id"] in world.delivered) is wanted
    return True


def _index(found: list[Body], kind: str, cursor: str) -> int:
    for index, body in enumerate(found):
        if body["id"] == cursor:
            return index
    raise missing(kind, cursor, "starting_after")

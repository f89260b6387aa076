"""The parameters of the contract: each belongs to its operation, says what it is, and has its limits."""

import json
import re
from typing import Any

from app.kit.shapes import METHODS, Spec

WORDS: dict[str, str] = {
    "acknowledged": "Only those taken note of, or only the others.",
    "as": "Only those one drives, or only those of one's own cars.",
    "as_of": "As it was known at this instant; now when left out.",
    "at": "The instant asked about.",
    "block_id": "The block.",
    "certificate_id": "The certificate.",
    "channel": "The channel.",
    "code": "The code of the invitation.",
    "community": "The community.",
    "country": "The country that issued the plate.",
    "cursor": "`next_cursor` of the page before.",
    "email": "The e-mail address.",
    "fare": "Only cars at this fare.",
    "free_from": "Only cars free from here; goes with `free_to`.",
    "free_to": "Only cars free up to here; goes with `free_from`.",
    "from": "From this instant.",
    "kind": "Only this kind.",
    "limit": "How many at most.",
    "month": "The month, `YYYY-MM`.",
    "near": "A point, `lat,lon`: only cars around it, each with its distance, the nearest first.",
    "phone_id": "The phone.",
    "plate": "The number plate, in any spelling.",
    "powertrain": "Only this kind of drive.",
    "quote_id": "The quote.",
    "radius_km": "At most this far from `near`.",
    "range_km": "Only cars that can go at least this far.",
    "secret": "The secret of the feed.",
    "seats": "At least so many seats.",
    "session_id": "The session.",
    "state": "Only those in this state.",
    "step": "The step asked about.",
    "to": "Up to this instant, not included.",
    "unread": "Only those not read yet, or only the others.",
    "version": "The version.",
    "vin": "The vehicle identification number.",
    "year": "The year.",
}
LIMITS: dict[str, dict[str, Any]] = {
    "code": {"pattern": "^[^/]+$"},
    "invitation": {"pattern": "^inv_[0-9a-f]{32}$"},
    "month": {"pattern": "^[0-9]{4}-[0-9]{2}$"},
    "secret": {"pattern": "^[A-Za-z0-9_-]+$"},
}


def tidy(spec: Spec) -> None:
    """Hand the parameters of a path to its operations, complete them, and join paths that differ in names alone."""
    for item in spec["paths"].values():
        shared = item.pop("parameters", [])
        for method in METHODS:
            if method in item:
                own = [*json.loads(json.dumps(shared)), *item[method].get("parameters", ())]
                item[method]["parameters"] = [_complete(one) for one in own]
                if not own:
                    del item[method]["parameters"]
    _join(spec)


def _complete(parameter: Spec) -> Spec:
    name, schema = parameter["name"], parameter["schema"]
    plain = WORDS.get(name) or f"The {name.replace('_', ' ')}."
    parameter["description"] = parameter.get("description") or plain
    if parameter["in"] == "path":
        schema.update({key: value for key, value in LIMITS.get(name, {}).items() if key not in schema})
        if schema.get("type") == "integer":
            schema.setdefault("minimum", 0)
            schema.setdefault("maximum", 10**15)
            schema.setdefault("format", "int32" if schema["maximum"] < 2**31 else "int64")
    kinds = schema.get("type")
    if isinstance(kinds, list):  # a query has no null; left out is what a null default means
        schema["type"] = next(one for one in kinds if one != "null")
    if schema.get("default", "") is None:
        del schema["default"]
    if None in schema.get("enum", ()):
        schema["enum"] = [one for one in schema["enum"] if one is not None]
    return parameter


def _join(spec: Spec) -> None:
    """`/invitations/{invitation}` and `/invitations/{code}` are one path to OpenAPI, whatever each method takes."""
    first: dict[str, str] = {}
    for path in list(spec["paths"]):
        alike = re.sub(r"\{[^}]*\}", "{}", path)
        kept = first.setdefault(alike, path)
        if kept != path:
            names = dict(zip(re.findall(r"\{([^}]*)\}", path), re.findall(r"\{([^}]*)\}", kept), strict=True))
            for method, operation in spec["paths"].pop(path).items():
                for one in operation.get("parameters", ()):
                    one["name"] = names.get(one["name"], one["name"]) if one["in"] == "path" else one["name"]
                spec["paths"][kept][method] = operation

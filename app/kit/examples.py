"""The examples of the contract: real values by the name of a field, put together into whole bodies and answers."""

import re
from typing import Any

Spec = dict[str, Any]
DIGITS = "0197a3f2c1d07b4e9a5c3d2e1f0a9b8c"
UUID = "0197a3f2-c1d0-7b4e-9a5c-3d2e1f0a9b8c"
_SPAN = {"from": "2027-03-01T09:00:00.000Z", "to": "2027-03-01T18:00:00.000Z"}
BY_NAME: dict[str, Any] = {
    "accept": ["rental-2026-1", "insurance-2026-1"],
    "accepted": ["rental-2026-1", "insurance-2026-1"],
    "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJwZXJfMDE5N2EzZjIifQ.c2lnbmF0dXJl",
    "address": "12 rue du Port, 44000 Nantes",
    "amount": 1250,
    "answer_by": "2027-02-26T12:00:00.000Z",
    "answer_text": "Vehicle unlocked",
    "ask": "Try the handle: the box cannot see whether the car is locked.",
    "asked_by": "Max",
    "asked_on": "an Android phone",
    "auth": "tBHItJI5svbpez7KI4CCXg",
    "birth_date": "1990-04-02",
    "body": "Max would like the smart EQ fortwo on Monday from 10:00 to 19:00.",
    "brand": "visa",
    "bytes": 183204,
    "cancellation": [{"hours_before": 24, "percent": 50}],
    "car_name": "smart EQ fortwo",
    "certificate_jws": "eyJ0eXAiOiJjZXJ0K2p3dCIsImFsZyI6IkVTMjU2In0.eyJpbnN1cmVyIjoiRXhlbXBsZSJ9.c2lnbmF0dXJl",
    "chain": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "charge_percent": {"value": 82, "at": "2027-03-01T08:57:12.000Z"},
    "classes": ["B"],
    "client_secret": "seti_1PgafmB7WZ01zgkW_secret_QcPz0N1h",
    "code": "482913",
    "config_lines": ["vehicle type SE", "config set server.v3 server mqtt.example"],
    "country": "FR",
    "covered_minutes": 540,
    "charged_km": 37,
    "charged_minutes": 540,
    "description": "Rent, 9 hours",
    "detail": "Free until 14:00.",
    "distance_km": 1.4,
    "driver_ref": "drv_5f2b1d0a9c8e7f6a",
    "email": "max@example.org",
    "end_evidence": "strong: doors locked, ignition off",
    "expected_km": 60,
    "expires_on": "2035-05-01",
    "exp_year": 2029,
    "exp_month": 11,
    "first_name": "Max",
    "first_registration": "2024-05-01",
    "inspection_until": "2028-05-01",
    "installation": UUID,
    "insurer": "Exemple Assurances",
    "inviter": "Olga",
    "issued_on": "2010-05-01",
    "kid": "crt-2027-1",
    "km": 54,
    "label": "Place de la Mairie",
    "language": "fr",
    "last4": "4242",
    "lat": 48.8566,
    "licence": "12AB34567",
    "link": f"/v1/rentals/ren_{DIGITS}/approve",
    "links": {"self": f"/v1/rentals/ren_{DIGITS}", "cancel": f"/v1/rentals/ren_{DIGITS}/cancel"},
    "location": "48.8566,2.3522",
    "lon": 2.3522,
    "make": "smart",
    "model": "EQ fortwo",
    "month": "2027-03",
    "name": "Max Member",
    "near": "48.8566,2.3522",
    "note": "The keys are in the glove box.",
    "odometer_km": 23104,
    "odometer_start_km": 23104,
    "odometer_end_km": 23158,
    "p256dh": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
    "part": "front bumper",
    "password": "correct horse battery",
    "phone": f"pho_{DIGITS}",
    "plate": "AB-123-CD",
    "policy_number": "FR-2026-0001",
    "public_key": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
    "qr": "data:image/png;base64,iVBORw0KGgo=",
    "quantity": 9,
    "range_km": {"value": 96, "at": "2027-03-01T08:57:12.000Z"},
    "rdates": ["2027-05-01"],
    "exdates": ["2027-12-24"],
    "reason": "The train runs again.",
    "reasons": ["driver_age"],
    "refresh_token": "ses_0197a3f2.4mZ1o9Jx8Q2r7T5v",
    "remedy": "Switch the ignition off.",
    "roles": [],
    "rrule": "FREQ=WEEKLY;BYDAY=SA,SU",
    "scope": "coverage:read",
    "sent_sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "seats": 2,
    "session": f"ses_{DIGITS}",
    "text": "Scratch on the front bumper, left.",
    "time_zone": "Europe/Paris",
    "title": "Max asks for your car",
    "totp": "492039",
    "unit": "h",
    "url": "https://app.glovebox.example/i/7Xk2mQ9rT4vW8yZ1",
    "username": f"box_{DIGITS}",
    "vat_rate": 2000,
    "vat_rates": [2000],
    "version": 3,
    "vin": "WME4533911K123456",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "yearly_cost": {"amount": 240000, "currency": "EUR"},
    **_SPAN,
}
BY_PLACE: dict[str, Any] = {
    "Certificate.certificate": BY_NAME["certificate_jws"],
    "Community.name": "Friends of Port",
    "Capability.name": "unlock",
    "Condition.code": "ignition",
    "ConditionsLink.url": "/conditions/rental-2026-1",
    "Invitation.code": "7Xk2mQ9rT4vW8yZ1",
    "Line.code": "time",
    "Line.quantity": 540,
    "Line.unit": "min",
    "Terms.per_kwh": 40,
    "Driver.name": "Max Member",
    "PushAddress.address": "fMEP0vJqS0:APA91bHqX1",
    "Receipt.car": "smart EQ fortwo",
    "Receipt.driver": "Max Member",
    "Preview.community": "Friends of Port",
    "FieldError.pointer": "/seats",
    "FieldError.parameter": "limit",
    "FieldError.code": "invalid",
    "FieldError.detail": "Must be at most 9.",
    "Rental.owner": f"per_{DIGITS}",
    "Terms.text": "No smoking, please.",
    "TimelineEvent.kind": "rental.started",
    "TimelineEvent.text": "Max unlocked the car.",
    "BoxConfig.pin": "4711",
    "Window.from": "2027-03-06T08:00",
    "Window.to": "2027-03-06T20:00",
    "Message.title": "Max asks for your car",
    "MessageAction.label": "Approve",
    "QuietHours.from": "22:00",
    "QuietHours.to": "07:00",
    "Log.chain": BY_NAME["chain"],
    "LookupQuery.plate": "AB-123-CD",
    "InsurerEligibility.accepted": ["insurance-2026-1"],
    "ConditionsLink.version": "rental-2026-1",
    "PaymentShort.state": "held",
    "Receipt.payment_state": "paid",
    "Statement.month": "2027-03",
}
WHOLE: dict[str, Any] = {
    "Shares": {
        "owner": {"amount": 938, "currency": "EUR"},
        "insurer": {"amount": 125, "currency": "EUR"},
        "platform": {"amount": 156, "currency": "EUR"},
        "vat": {"amount": 31, "currency": "EUR"},
        "vat_rate": 2000,
    },
    "DepositShort": {
        "payment": f"pay_{DIGITS}",
        "state": "held",
        "amount": {"amount": 50000, "currency": "EUR"},
        "taken": {"amount": 0, "currency": "EUR"},
        "release_at": "2027-03-03T18:00:00.000Z",
    },
    "Earnings": {
        "car": f"car_{DIGITS}",
        "year": 2027,
        "state": "open",
        "stated": {"amount": 240000, "currency": "EUR"},
        "earned": {"amount": 96050, "currency": "EUR"},
        "promised": {"amount": 1250, "currency": "EUR"},
        "left": {"amount": 142700, "currency": "EUR"},
    },
}
"""Schemas whose fields only make sense together; the shares are those of the amount in all other examples."""
_SUFFIXES = ("In", "Body", "Patch", "Query")


def fill(spec: Spec) -> None:
    """Give every property, parameter, body and answer of the document its example."""
    schemas = spec["components"]["schemas"]
    for name, schema in schemas.items():
        for key, one in schema.get("properties", {}).items():
            if "$ref" not in one and "anyOf" not in one:
                found = one.pop("example", None)
                one["examples"] = [_leaf(name, key, one, schemas) if found is None else found]
    for item in spec["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                _fill_operation(operation, schemas)


def _fill_operation(operation: Spec, schemas: Spec) -> None:
    for parameter in operation.get("parameters", ()):
        if "example" not in parameter and "$ref" not in parameter:
            schema = parameter["schema"]
            found = schema.pop("example", None)
            value = _leaf("", parameter["name"], schema, schemas) if found is None else found
            parameter["example"] = value
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for part in (*bodies, *operation["responses"].values()):
        for content in part.get("content", {}).values():
            if "example" not in content and "examples" not in content:
                content["example"] = of(content["schema"], schemas)


def of(schema: Spec, schemas: Spec, place: str = "", name: str = "") -> Any:
    """An example of any schema, references followed."""
    if "$ref" in schema:
        inner = schema["$ref"].rpartition("/")[2]
        return WHOLE[inner] if inner in WHOLE else of(schemas[inner], schemas, inner)
    if "anyOf" in schema:
        return of(schema["anyOf"][0], schemas, place, name)
    if schema.get("type") == "object" and "properties" in schema:
        return {key: of(one, schemas, place, key) for key, one in schema["properties"].items()}
    if schema.get("examples"):
        return schema["examples"][0]
    return _leaf(place, name, schema, schemas)


def _leaf(place: str, name: str, schema: Spec, schemas: Spec) -> Any:
    if "example" in schema:
        return schema["example"]
    base = place
    for suffix in _SUFFIXES:
        base = base.removesuffix(suffix)
    for candidate in (BY_PLACE.get(f"{base}.{name}"), BY_NAME.get(name)):
        if candidate is not None and fits(candidate, schema):
            return candidate
    return _made(place, name, schema, schemas)


def fits(value: Any, schema: Spec) -> bool:
    """Whether an example can stand for a schema: type, words, pattern and limits."""
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "enum" in schema:
        return value in schema["enum"]
    if isinstance(value, str):
        longest, shortest = schema.get("maxLength", 10**6), schema.get("minLength", 0)
        if "string" not in kinds or not shortest <= len(value) <= longest:
            return False
        if schema.get("format") in ("date-time", "date") and not re.match(r"\d{4}-\d{2}-\d{2}", value):
            return False
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, list):
        inner = schema.get("items", {})
        return "array" in kinds and "$ref" not in inner and all(fits(one, inner) for one in value)
    if isinstance(value, dict):
        return "object" in kinds and "properties" not in schema
    within = schema.get("minimum", -(10**18)) <= value <= schema.get("maximum", 10**18)
    return within and ("number" in kinds or ("integer" in kinds and isinstance(value, int)))


def _made(place: str, name: str, schema: Spec, schemas: Spec) -> Any:
    kinds = schema.get("type", "string")
    kind = next(one for one in (kinds if isinstance(kinds, list) else [kinds]) if one != "null")
    if "enum" in schema:
        return schema["enum"][0]
    if kind == "array":
        return [of(schema.get("items", {}), schemas, place, name.removesuffix("s"))]
    if kind in ("integer", "number"):
        least, most = schema.get("minimum", 0), schema.get("maximum", 100)
        return min(max(least, 30), most)
    if kind == "boolean":
        return True
    if kind == "object":
        return {}
    return _string(schema)


def _string(schema: Spec) -> str:
    pattern = schema.get("pattern", "")
    prefix = re.fullmatch(r"\^\(?([a-z]{3})(?:\|[a-z]{3}\))?_\[0-9a-f\]\{32\}\$", pattern)
    if prefix:
        return f"{prefix[1]}_{DIGITS}"
    by_format = {
        "date-time": "2027-03-01T09:00:00.000Z",
        "date": "2027-03-01",
        "uuid": UUID,
        "uri": "https://app.glovebox.example",
        "uri-reference": f"/v1/rentals/ren_{DIGITS}",
    }
    if schema.get("format") in by_format:
        return by_format[str(schema["format"])]
    for candidate in ("Example", "example-1", "482913", "12:00", "B", "cHJpdmF0ZQ", UUID):
        if fits(candidate, schema):
            return candidate
    return "x" * int(schema.get("minLength", 1) or 1)

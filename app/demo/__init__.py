"""The demo: the whole story over HTTP on real parts: who, what, the answer that matters, who heard of it."""

from typing import Any

PRICED: dict[str, Any] = {
    "currency": "EUR",
    "hour": 600,
    "day_cap": 4800,
    "km_included_per_day": 100,
    "per_km": 30,
    "late_fee": 1500,
    "cancellation": [{"hours_before": 24, "percent": 50}],
}
POLICY: dict[str, Any] = {
    "version": 1,
    "insurer": {"name": "Exemple Assurances", "address": "1 rue de la Paix, 75002 Paris"},
    "policyholder": "Glovebox",
    "countries": ["FR"],
    "territory": ["FR", "BE", "DE", "CH"],
    "currency": "EUR",
    "valid_from": "2026-01-01T00:00:00+01:00",
    "valid_to": "2040-01-01T00:00:00+01:00",
    "min_driver_age": 21,
    "min_licence_years": 2,
    "licence_classes": ["B"],
    "clearance": "owner",
    "powertrains": ["electric", "petrol"],
    "max_declared_value": 5_000_000,
    "needs_immobiliser": True,
    "needs_valid_inspection": True,
    "liability_until": "lock",
    "late": {"rule": "lock"},
    "mode": "delegated",
    "max_open_unacknowledged": 10_000,
    "max_unacknowledged_age_hours": 720,
    "max_rental_days": 30,
    "max_named_drivers": 3,
    "conditions": ["insurance-2026-1"],
    "premium": {"per": "hour", "amount": 150, "day_cap": 900, "minimum_minutes": 60, "basis": "covered"},
}
SCOPES = ("coverage:read", "coverage:lookup")

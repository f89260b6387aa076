"""What a cover says of the car and of the contract: as they are when it is given, or taken up."""

from app.coverage import eligibility, master_policies
from app.coverage.master_policies import InForce
from app.coverage.models import Cover, Policy
from app.coverage.trip import Trip, as_insured
from app.kit.db import Big


def note(cover: Cover, trip: Trip, policy: InForce | Policy) -> None:
    """Under which policy, in which currency, and the car with the plate, the place and the value it has by now."""
    terms = master_policies.read(policy)
    cover.policy_id, cover.currency = policy.id, terms.currency
    cover.car, cover.time_zone = as_insured(trip.car), trip.car.time_zone
    value = eligibility.declared_value(trip.car, terms.currency)
    cover.declared_value = None if value is None else Big(value)

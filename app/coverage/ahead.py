"""Cover ahead of an offline grant: first the cover, on condition, then the grant. And what such a cover came to."""

from datetime import datetime

from app.coverage import conditional, cover, licence_check, master_policies, name_driver, versions
from app.coverage.master_policies import InForce
from app.coverage.models import Cover, Policy
from app.coverage.trip import Trip
from app.facts import CoverActivated, CoverBound, CoverExtended
from app.kit.db import session
from insurance import period


def bind(trip: Trip, from_at: datetime, until: datetime) -> None:
    """Cover on condition for what a grant may open in [from_at, until). Raises NotInsurable.

    An open cover of the rental is enough; a conditional one is endorsed where the grant reaches further.
    """
    if _is_open(trip):
        return
    found = conditional.of(trip.rental)
    if found is not None:
        _endorse(found, trip, until)
        return
    policy, reasons = cover.judged(trip, from_at, share_lock=True, exact=True)
    if policy is None or reasons:
        raise cover.refusal(reasons)
    licence_check.keep(trip.rental, trip.driver, from_at)
    name_driver.look_again(trip, policy, from_at)
    _record(_draft(trip, policy, from_at, until))


def keep(trip: Trip, from_at: datetime, until: datetime) -> None:
    """A grant that is out may still open the car, whatever became of the rental: its cover is given on condition again.

    Nobody is asked anew: the grant was given under this policy, and the third party is not to bear what came since.
    """
    if _is_open(trip) or conditional.of(trip.rental) is not None:
        return
    last = cover.of(trip.rental)
    if last is not None:
        _record(_draft(trip, master_policies.find(last.policy_id), from_at, until))


def use(
    trip: Trip,
    from_at: datetime,
    to_at: datetime,
    *,
    evidence: str,
    odometer_km: tuple[int | None, int | None],
) -> None:
    """A use that is over before we hear of it: covered for its span, given on condition or given up since.

    `odometer_km` at both ends, each where it was told.
    """
    found = conditional.of(trip.rental)
    if found is None:
        last = cover.of(trip.rental)
        assert last is not None, "no grant is issued without a cover"
        found = _draft(trip, master_policies.find(last.policy_id), from_at, to_at)
        session.add(found)
    conditional.begin(found, from_at, trip.to_at)
    found.activated_at, found.odometer_start_km = found.from_at, odometer_km[0]
    cover.end(found, to_at, evidence, None, odometer_km[1])


def begin_earlier(rental: str, at: datetime, *, odometer_km: int) -> None:
    """A record that came late says that the doors opened before we thought: the cover runs from there, by its odometer."""
    found = cover.of(rental)
    if found is None or found.state not in ("active", "closed") or found.from_at <= period.to_ms(at):
        return
    found.from_at = found.activated_at = period.to_ms(at)
    found.odometer_start_km = odometer_km
    if found.to_at is None:
        versions.record(found, CoverActivated)
    else:
        cover.end(found, found.to_at, found.end_evidence or "", None, found.odometer_end_km)


def _is_open(trip: Trip) -> bool:
    given = cover.open_of_car(trip.car.no)
    return given is not None and given.rental_id == trip.rental


def _draft(trip: Trip, policy: Policy | InForce, from_at: datetime, until: datetime) -> Cover:
    found = cover.draft(trip, policy, period.to_ms(from_at))
    found.state, found.to_at, found.own_damage_to = "conditional", found.from_at, found.from_at
    found.conditional_to = period.to_ms(until)
    return found


def _record(found: Cover) -> None:
    cover.continue_confirmation(found)
    session.add(found)
    versions.record(found, CoverBound)


def _endorse(found: Cover, trip: Trip, until: datetime) -> None:
    """Only ever further: what was promised until then is looked for by it, also as of an instant before."""
    assert found.conditional_to is not None
    ends, limit = period.to_ms(trip.to_at), max(found.conditional_to, period.to_ms(until))
    if found.planned_to == ends and found.conditional_to == limit:
        return
    found.planned_to, found.conditional_to = ends, limit
    versions.record(found, CoverExtended)

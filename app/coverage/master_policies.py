"""Master policies: added as JSON, activated for their countries, and which is in force where and when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Text, bindparam, select
from sqlalchemy.exc import IntegrityError

from app.coverage.models import INS, POL, Cover, InsurerRow, Policy, PolicyInForce
from app.facts import MasterPolicyActivated
from app.kit import clock, facts
from app.kit.db import in_transaction, new_id, public, session, transactional
from app.kit.driver import plain
from app.kit.errors import AlreadyExists, NotFound, Validation
from app.people import conditions
from insurance.master_policy import MasterPolicy, PolicyInvalid
from insurance.period import to_ms

NO_POLICY = "no_policy"
"""The reason where no policy is in force, beside those of the rules."""
_READ: dict[str, MasterPolicy] = {}
"""Policies never change: each is read once per process."""


def add(insurer: str, body: Any, *, policy_id: str | None = None) -> Policy:
    """Add one version of a policy, under this id or a new one; nothing is bound under it before it is activated.

    Raises NotFound, AlreadyExists, and Validation that names every mistake with its place.
    """
    terms = _checked(body)
    try:
        return _add(policy_id or new_id(POL), insurer, body, terms)
    except IntegrityError as error:
        raise AlreadyExists(f"{terms.number} has a version {terms.version} already.") from error


@transactional
def _add(policy_id: str, insurer: str, body: Any, terms: MasterPolicy) -> Policy:
    if session.get(InsurerRow, insurer) is None:
        raise NotFound
    policy = Policy(
        id=policy_id,
        insurer_id=insurer,
        number=terms.number,
        version=terms.version,
        data=body,
        made_at=clock.now(),
    )
    session.add(policy)
    session.flush()
    return policy


def _checked(body: Any) -> MasterPolicy:
    try:
        terms = MasterPolicy.from_json(body)
    except PolicyInvalid as error:
        raise Validation("The policy cannot be used.", errors=_errors(error.errors)) from error
    unknown = sorted(terms.conditions - conditions.versions())
    if unknown:
        raise Validation(
            "The policy cannot be used.",
            errors=_errors((("/conditions", f"no text of {one} is published"),) for one in unknown),
        )
    return terms


def _errors(found: Any) -> list[dict[str, str]]:
    pairs = [pair for one in found for pair in ([one] if isinstance(one[0], str) else one)]
    return [{"pointer": pointer, "code": "invalid", "detail": reason} for pointer, reason in pairs][:50]


@transactional
def activate(policy_id: str, *, by: str) -> Policy:
    """Bind covers under this policy in its countries, from now or its beginning; it takes over from any other.

    Raises NotFound, and Validation when it has run out.
    """
    policy = find(policy_id)
    terms = read(policy)
    begin, end = max(clock.now(), to_ms(terms.valid_from)), to_ms(terms.valid_to)
    if begin >= end:
        raise Validation(
            errors=[{"pointer": "/valid_to", "code": "invalid", "detail": "The policy has run out."}]
        )
    for country in sorted(terms.countries):
        _clear(country, begin, end)
        session.add(
            PolicyInForce(
                policy_id=policy.id, insurer_id=policy.insurer_id, country=country, from_at=begin, to_at=end
            )
        )
        session.flush()
    facts.record(MasterPolicyActivated(policy=policy.id, by=by))
    return policy


def _clear(country: str, begin: datetime, end: datetime) -> None:
    """What was in force from `begin` on gives way; locks the rows against binds that hold them."""
    rows = session.scalars(
        select(PolicyInForce)
        .where(PolicyInForce.country == country, PolicyInForce.to_at > begin, PolicyInForce.from_at < end)
        .order_by(PolicyInForce.id)
        .with_for_update()
    )
    for row in rows:
        row.to_at = max(begin, row.from_at)
    session.flush()


@transactional
def retire(policy_id: str) -> None:
    """Bind no more covers under this policy; those given run off. Raises NotFound."""
    policy = find(policy_id)
    now = clock.now()
    rows = session.scalars(
        select(PolicyInForce)
        .where(PolicyInForce.policy_id == policy.id, PolicyInForce.to_at > now)
        .order_by(PolicyInForce.id)
        .with_for_update()
    )
    for row in rows:
        row.to_at = max(now, row.from_at)


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy that covers are bound under; what it says is `read`."""

    id: str
    insurer_id: str
    number: str
    version: int


_IN_FORCE = (
    select(Policy.id, Policy.insurer_id, Policy.number, Policy.version)
    .join(PolicyInForce, PolicyInForce.policy_id == Policy.id)
    .where(
        PolicyInForce.country == bindparam("country", type_=Text()),
        PolicyInForce.from_at <= bindparam("at", type_=DateTime(timezone=True)),
        PolicyInForce.to_at > bindparam("at", type_=DateTime(timezone=True)),
    )
)
_IN_FORCE_SHARED = _IN_FORCE.with_for_update(read=True, of=PolicyInForce)


def in_force(country: str, at: datetime, *, share_lock: bool = False) -> InForce | None:
    """The policy under which a cover beginning at `at` is bound in a country; looked up once in a transaction."""
    known: dict[tuple[str, datetime], InForce | None] = (
        session.info.setdefault("policies", {}) if in_transaction() else {}
    )
    if share_lock or (country, at) not in known:
        known[country, at] = _look_up(country, at, share_lock=share_lock)
    return known[country, at]


def _look_up(country: str, at: datetime, *, share_lock: bool) -> InForce | None:
    rows = plain(_IN_FORCE_SHARED if share_lock else _IN_FORCE, {"country": country, "at": at})
    return next(
        (InForce(public(row.id, POL), public(row.insurer_id, INS), row.number, row.version) for row in rows),
        None,
    )


def is_in_force(policy_id: str) -> bool:
    """Whether covers are, or will be, bound under the policy."""
    later = select(PolicyInForce.id).where(
        PolicyInForce.policy_id == policy_id, PolicyInForce.to_at > clock.now()
    )
    return session.execute(later.limit(1)).first() is not None


def find(policy_id: str) -> Policy:
    """Raises NotFound."""
    found: Policy | None = session.get(Policy, policy_id)
    if found is None:
        raise NotFound
    return found


def read(policy: Policy | InForce) -> MasterPolicy:
    """What the policy says."""
    return _read(policy.id)


def of_cover(cover: Cover) -> MasterPolicy:
    """The policy a cover was bound under: it follows that one to its end."""
    return _read(cover.policy_id)


def _read(policy_id: str) -> MasterPolicy:
    if policy_id not in _READ:
        _READ[policy_id] = MasterPolicy.from_json(find(policy_id).data)
    return _READ[policy_id]

"""What operators do about insurers: their clients, their master policies, whom they refused."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import IntegrityError

from app.coverage import blocks, caller, master_policies, partners
from app.coverage.models import Client, InsurerRow, Policy
from app.kit.db import session, transactional
from app.kit.errors import AlreadyExists, InUse, NotFound, StepNotAllowed, Validation
from app.operator.act import audit


@transactional
def add_insurer(name: str, *, by: str, reason: str) -> InsurerRow:
    """Raises AlreadyExists."""
    made = partners.add_insurer(name)
    audit(by, "insurer add", made.id, reason)
    return made


@transactional
def add_client(
    insurer: str,
    *,
    label: str,
    scopes: list[str],
    by: str,
    reason: str,
    public_keys: list[dict[str, Any]] | None = None,
    certificate: str | None = None,
    certificate_alone: bool = False,
) -> tuple[Client, str | None]:
    """A client of an insurer and, where a secret is its proof, that, shown once. Raises NotFound, Validation."""
    client, secret = partners.add_client(
        insurer,
        label=label,
        scopes=scopes,
        public_keys=public_keys,
        certificate=certificate,
        certificate_alone=certificate_alone,
    )
    audit(by, "client add", client.id, reason)
    return client, secret


@transactional
def remove_insurer(insurer: str, *, by: str, reason: str) -> None:
    """Only one nothing was ever made for: what was bound must stay to be asked about. Raises NotFound, InUse."""
    found = partners.find_insurer(insurer)
    try:
        with session.begin_nested():
            session.delete(found)
            session.flush()
    except IntegrityError as error:
        used_by = [f"client {one.id}" for one in partners.clients(insurer)] or ["what was made for it"]
        raise InUse(
            "Remove its clients instead; what was bound under its policies stays.", by=used_by
        ) from error
    audit(by, "insurer remove", insurer, reason)


def find_client(insurer: str, client: str) -> Client:
    """A live client of this insurer. Raises NotFound."""
    found: Client | None = session.get(Client, client)
    if found is None or found.insurer_id != insurer or found.revoked_at is not None:
        raise NotFound
    return found


@transactional
def rotate_client(client: str, *, by: str, reason: str) -> str:
    """A new secret; the old one is dead when this returns. Raises NotFound, StepNotAllowed for one that has keys alone."""
    found = session.get(Client, client)
    if found is not None and found.public_keys and found.secret_hash is None:
        raise StepNotAllowed(
            "This client proves itself by keys of its own. Add one with its new keys, then remove this one.",
            state="keys",
            steps=["add", "remove"],
        )
    secret = partners.rotate_client(client)
    audit(by, "client rotate", client, reason)
    return secret


def remove_client(client: str, *, by: str, reason: str) -> None:
    """The client and its tokens are dead when this returns. Raises NotFound."""
    _remove_client(client, by=by, reason=reason)
    caller.outlast()


@transactional
def _remove_client(client: str, *, by: str, reason: str) -> None:
    partners.end_client(client)
    audit(by, "client remove", client, reason)


@transactional
def add_policy(insurer: str, body: Any, *, by: str, reason: str) -> Policy:
    """A master policy version, checked whole. Raises NotFound, AlreadyExists, Validation."""
    made = master_policies.add(insurer, body)
    audit(by, "policy add", made.id, reason)
    return made


@transactional
def activate_policy(policy: str, *, by: str, reason: str) -> Policy:
    """Covers are bound under it from now on. Raises NotFound."""
    made = master_policies.activate(policy, by=by)
    audit(by, "policy activate", policy, reason)
    return made


@transactional
def put_policy(policy: str, insurer: str, body: Any, *, active: bool, by: str, reason: str) -> Policy:
    """Have this version of a master policy under this id, in force or not; a version never changes.

    Raises NotFound, AlreadyExists, Validation.
    """
    found = session.get(Policy, policy)
    if found is None:
        found = _under("/policy", lambda: master_policies.add(insurer, body, policy_id=policy))
        audit(by, "policy add", policy, reason)
    elif found.insurer_id != insurer or found.data != body:
        raise AlreadyExists("This version never changes; put the next one under an id of its own.")
    if active and not master_policies.is_in_force(policy):
        _under("/policy", lambda: master_policies.activate(policy, by=by))
        audit(by, "policy activate", policy, reason)
    elif not active and master_policies.is_in_force(policy):
        master_policies.retire(policy)
        audit(by, "policy retire", policy, reason)
    return found


def _under(place: str, work: Callable[[], Policy]) -> Policy:
    """What is wrong with the inner document, said of its place in the outer one."""
    try:
        return work()
    except Validation as wrong:
        errors = [{**one, "pointer": place + one["pointer"]} for one in wrong.members.get("errors", ())]
        raise Validation(wrong.detail, errors=errors) from wrong


@transactional
def lift_block(insurer: str, person: str, *, by: str, reason: str) -> None:
    """The insurer will have the driver again. Raises NotFound where no block is in force."""
    blocks.lift(insurer, person)
    audit(by, "block lift", person, reason)

"""What operators do: the product's own use cases, each with a reason, written into the audit log as a fact."""

from collections.abc import Callable
from typing import Any, cast

import pyotp
from sqlalchemy import CursorResult, text
from sqlalchemy.exc import IntegrityError

from app.billing import retry
from app.billing.models import Payment
from app.cars.models import Car
from app.coverage import blocks, master_policies, partners
from app.coverage.models import Client, InsurerRow, Policy
from app.facts import CarBarred, CarUnbarred, OperatorActed, PersonRestored, PersonSuspended
from app.kit import clock, facts, jobs, keys, rights
from app.kit.db import session, transactional
from app.kit.errors import AlreadyExists, InUse, NotFound, StepNotAllowed, Validation
from app.kit.jobs import FailedJob
from app.kit.keys import Purpose
from app.people import licence, register, sign_in
from app.people.models import Person
from app.rentals import close, commands
from app.rentals.models import Rental

COMMAND_LINE = "command line"


def audit(by: str, action: str, subject: str, reason: str) -> None:
    """What was changed, by whom and why, in the transaction of the change."""
    facts.record(OperatorActed(operator=by, action=action, subject=subject, reason=reason))


@transactional
def make_operator(email: str, *, by: str, reason: str) -> str:
    """Make a registered person an operator; returns the TOTP secret for their authenticator, shown once."""
    person = register.find_by_email(email)
    if person is None or person.email_confirmed_at is None:
        raise NotFound("No confirmed account has this address.")
    secret = pyotp.random_base32()
    person.operator, person.totp_sealed, person.totp_last_step = (
        True,
        keys.seal("totp", secret.encode()),
        None,
    )
    sign_in.end_all(person.id, but=None, reason="became an operator")
    audit(by, "operator add", person.id, reason)
    return secret


@transactional
def remove_operator(email: str, *, by: str, reason: str) -> str:
    """Make an operator a person like others; every session ends with it. Returns their id. Raises NotFound."""
    person = register.find_by_email(email)
    if person is None or not person.operator:
        raise NotFound("No operator has this address.")
    person.operator, person.totp_sealed, person.totp_last_step = False, None, None
    sign_in.end_all(person.id, but=None, reason="no longer an operator")
    audit(by, "operator remove", person.id, reason)
    return person.id


@transactional
def look(subjects: list[str], *, by: str, at: str) -> None:
    """Names, addresses and licences were shown: who looked at whose is kept as what they change is."""
    for subject in subjects:
        audit(by, f"look at {at}", subject, "reading")


@transactional
def export_tax_report(year: int, *, by: str, reason: str) -> None:
    """Everybody's earnings and tax numbers of a year left the house."""
    audit(by, "tax report", str(year), reason)


@transactional
def retry_job(job: int, *, by: str, reason: str) -> FailedJob:
    """Run a job that failed for good once more, as it was. Raises NotFound."""
    found = _failed(job)
    jobs.again(found)
    audit(by, "job retry", f"{found.task} {job}", reason)
    return found


@transactional
def dismiss_job(job: int, *, by: str, reason: str) -> FailedJob:
    """Somebody has looked: the job stays undone, and no alarm is about it any longer. Raises NotFound."""
    found = _failed(job)
    session.delete(found)
    audit(by, "job dismiss", f"{found.task} {job}", reason)
    return found


def _failed(job: int) -> FailedJob:
    found: FailedJob | None = session.get(FailedJob, job, with_for_update=True)
    if found is None:
        raise NotFound("No failed job has this number.")
    return found


_RESTAMP = text("update facts set xid = pg_current_xact_id() where position is null")


@transactional
def restamp_facts(*, by: str, reason: str) -> int:
    """After a logical restore: facts without a position carry numbers of the old cluster, and get one of this. How many."""
    count = cast("CursorResult[Any]", session.execute(_RESTAMP)).rowcount
    audit(by, "facts restamp", str(count), reason)
    return count


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
) -> tuple[Client, str | None]:
    """A client of an insurer and, where it has no public keys, its secret, shown once. Raises NotFound, Validation."""
    client, secret = partners.add_client(
        insurer, label=label, scopes=scopes, public_keys=public_keys, certificate=certificate
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


@transactional
def remove_client(client: str, *, by: str, reason: str) -> None:
    partners.remove_client(client)
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
def clear_licence(person: str, *, by: str, reason: str) -> None:
    """An operator has checked a licence. Raises NotFound, Validation."""
    licence.clear(person, by=by, level="operator")
    audit(by, "licence clear", person, reason)


@transactional
def refuse_licence(person: str, *, by: str, reason: str) -> None:
    """An operator has checked a licence and it is not good: no unlock from the moment this returns. Raises NotFound."""
    rights.revoke(person)
    licence.refuse(person, by=by, reason=reason)
    audit(by, "licence refuse", person, reason)


def _person(person: str) -> Person:
    found = session.get(Person, person, with_for_update=True)
    if found is None:
        raise NotFound
    return found


@transactional
def suspend(person: str, *, by: str, reason: str) -> None:
    """No sign-in, no unlock, from the moment this returns. A rental under way runs to its lock. Raises NotFound."""
    rights.revoke(person)
    found = _person(person)
    if found.suspended_at is None:
        found.suspended_at = clock.real_now()
        facts.record(PersonSuspended(person=person, by=by, reason=reason))
        audit(by, "person suspend", person, reason)


@transactional
def restore(person: str, *, by: str, reason: str) -> None:
    found = _person(person)
    if found.suspended_at is not None:
        found.suspended_at = None
        facts.record(PersonRestored(person=person, by=by, reason=reason))
        audit(by, "person restore", person, reason)


@transactional
def lift_block(insurer: str, person: str, *, by: str, reason: str) -> None:
    """The insurer will have the driver again. Raises NotFound where no block is in force."""
    blocks.lift(insurer, person)
    audit(by, "block lift", person, reason)


@transactional
def set_safe(car: str, *, safe: bool, by: str, reason: str) -> None:
    """Bar a car from unlocking, or let it again; an unlock reaches its box before this returns, or never. Raises NotFound.

    With the car locked no new command can come; who asked for the open one has a right in use, which is waited for.
    """
    found = session.get(Car, car, with_for_update=True)
    if found is None:
        raise NotFound
    command = None if safe else commands.open_of(found.no)
    if command is not None:
        rights.revoke(command.asked_by)
    if found.unsafe is safe:
        found.unsafe = not safe
        facts.record(CarUnbarred(car=car, by=by) if safe else CarBarred(car=car, by=by))
    audit(by, "car safe" if safe else "car unsafe", car, reason)


@transactional
def close_rental(rental: str, *, by: str, reason: str) -> Rental:
    """Close a rental whose box cannot. Raises NotFound, StepNotAllowed."""
    closed = close.close_as_operator(rental, reason)
    audit(by, "rental close", rental, reason)
    return closed


@transactional
def retry_payment(payment: str, *, by: str, reason: str) -> Payment:
    """Try a payment again: a new command with a new key. What the provider refused time and again comes first.

    Raises NotFound, StepNotAllowed, CardNeeded.
    """
    retried = retry.as_operator(payment, by)
    audit(by, "payment retry", payment, reason)
    return retried


@transactional
def rotate_keys(purpose: str, *, by: str, reason: str) -> str:
    """The next signing key of a purpose; what the old one signed still verifies."""
    kid = keys.rotate(Purpose(purpose))
    audit(by, f"keys rotate {purpose}", kid, reason)
    return kid


def find_people(email: str) -> list[Person]:
    """The account with an address, as a list of one or none."""
    found = register.find_by_email(email)
    return [found] if found else []

"""What operators do: the product's own use cases, each with a reason, written into the audit log as a fact."""

from typing import Any, cast

import pyotp
from sqlalchemy import CursorResult, text

from app.cars.models import Car
from app.facts import CarBarred, CarUnbarred, OperatorActed, PersonRestored, PersonSuspended
from app.kit import clock, facts, jobs, keys, rights
from app.kit.db import session, transactional
from app.kit.errors import InUse, NotFound
from app.kit.jobs import FailedJob
from app.kit.keys import Purpose
from app.people import licence, register, sign_in
from app.people.models import Person
from app.rentals import car_failed, close, commands, damages
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
    """No sign-in, no unlock, from the moment this returns. Bookings are cancelled at no cost, which restoring does not undo;
    a rental under way runs to its lock. Raises NotFound.
    """
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
def set_safe(car: str, *, safe: bool, by: str, reason: str) -> None:
    """Bar a car from unlocking, or let it again; an unlock reaches its box before this returns, or never.

    With the car locked no new command can come; who asked for the open one has a right in use, which is waited for.
    Raises NotFound, InUse where a damage bars it.
    """
    found = session.get(Car, car, with_for_update=True)
    if found is None:
        raise NotFound
    command = None if safe else commands.open_of(found.no)
    if command is not None:
        rights.revoke(command.asked_by)
    if safe and not found.barred and found.unsafe:
        raise InUse("A damage bars it: mark it as repaired, or as safe.", by=damages.unsafe_of(car))
    if found.barred is safe:
        found.barred, found.unsafe = not safe, found.unsafe or not safe
        damages.settle(found)
        if not safe:
            car_failed.stop(found, by=by)
            facts.record(CarBarred(car=car, by=by))
        elif not found.unsafe:
            facts.record(CarUnbarred(car=car, by=by))
    audit(by, "car safe" if safe else "car unsafe", car, reason)


@transactional
def close_rental(rental: str, *, by: str, reason: str) -> Rental:
    """Close a rental whose box cannot. Raises NotFound, StepNotAllowed."""
    closed = close.close_as_operator(rental, reason)
    audit(by, "rental close", rental, reason)
    return closed


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

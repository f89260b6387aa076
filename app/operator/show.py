"""What operators read: people, licences, payments, covers, failed jobs, the audit log, any fact."""

from typing import Any

from sqlalchemy import ColumnElement, Select, select

from app.billing import document, shown
from app.billing import ledger as books
from app.billing import tax_report as reports
from app.billing.document_models import DocumentSeries
from app.billing.models import Payment
from app.cars.models import Car
from app.claims import represent as claims
from app.claims.models import ChargeRequest
from app.coverage import master_policies, partners, versions
from app.coverage.models import Client, Cover, InsurerRow, Policy, PolicyInForce
from app.facts import OperatorActed
from app.kit import clock
from app.kit.db import session
from app.kit.errors import NotFound
from app.kit.facts import FactRow
from app.kit.http import Page, page, to_cursor, uncursor
from app.kit.jobs import FailedJob
from app.people import licence
from app.people.models import Clearance, Licence, Person
from app.rentals import photos
from app.rentals.lifecycle import Role
from app.rentals.models import Rental
from app.rentals.photo_models import Photo

FIRST_YEAR = 2020


def ledger(rental: str | None, at: int | None = None) -> dict[str, Any]:
    """The trial balance, now or at a position, and the entries of a rental: minor units, debit above zero, credit below.

    Raises NotFound.
    """
    entries = books.of_rental(rental) if rental else []
    return {
        "balance": books.trial_balance(at),
        "entries": [
            {
                "at": entry.at,
                "kind": entry.kind,
                "source": f"{entry.source_type} {entry.source_id}",
                "postings": [
                    {
                        "account": one.account,
                        "subject": one.subject,
                        "amount": {"amount": one.amount, "currency": one.currency},
                    }
                    for one in postings
                ],
            }
            for entry, postings in entries
        ],
    }


def tax_report(year: int) -> dict[str, Any]:
    """Raises NotFound for a year that has not begun, or that nobody could have earned in."""
    if not FIRST_YEAR <= year <= clock.now().year:
        raise NotFound
    return reports.of(year)


def series() -> list[dict[str, Any]]:
    """Each series of documents; `broken` is the number of the first that is missing or was tampered with."""
    rows = session.execute(
        select(DocumentSeries.name, DocumentSeries.last).order_by(DocumentSeries.name)
    ).all()
    return [{"series": row.name, "last": row.last, "broken": document.broken(row.name)} for row in rows]


def person(row: Person) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "email": row.email,
        "country": row.country,
        "made_at": row.made_at,
        "confirmed_at": row.email_confirmed_at,
        "suspended_at": row.suspended_at,
        "operator": row.operator,
    }


def photos_of(rental: str, query: dict[str, Any]) -> Page:
    """The photos of a rental, as both sides see them but for where the picture is read."""
    found = page(photos.of(rental), Photo.id, **query)
    found.items = [{**photos.shown(row), "url": f"/v1/operator/photos/{row.id}/file"} for row in found.items]
    return found


def find_photo(photo: str) -> Photo:
    """Raises NotFound."""
    found = session.get(Photo, photo)
    if found is None:
        raise NotFound
    return found


def find_person(person_id: str) -> dict[str, Any]:
    """Raises NotFound."""
    found = session.get(Person, person_id)
    if found is None:
        raise NotFound
    return person(found)


def to_check() -> Select[Any]:
    """People whose licence is recorded, not refused, and not cleared by an operator or a provider."""
    cleared = select(Clearance.person_id).where(Clearance.withdrawn_at.is_(None), Clearance.level != "owner")
    return select(Licence).where(Licence.person_id.not_in(cleared), Licence.refused_at.is_(None))


def licences(query: dict[str, Any]) -> Page:
    """A page of licences to check."""
    found = page(to_check(), Licence.person_id, **query)
    found.items = [recorded(row) for row in found.items]
    return found


def find_licence(person_id: str) -> dict[str, Any]:
    """Raises NotFound."""
    return recorded(licence.of(person_id))


def recorded(row: Licence) -> dict[str, Any]:
    """A licence, its number masked."""
    return {
        "person": row.person_id,
        "number": f"***{row.number_end}",
        "country": row.country,
        "classes": row.classes,
        "birth_date": row.birth_date,
        "issued_on": row.issued_on,
        "expires_on": row.expires_on,
        "recorded_at": row.recorded_at,
        "state": licence.standing(row.person_id, None, clock.now()).state,
    }


def payments(query: dict[str, Any]) -> Page:
    statement = _where(
        select(Payment), query, state=Payment.state, rental=Payment.rental_id, person=Payment.person_id
    )
    found = page(statement, Payment.id, limit=query["limit"], cursor=query["cursor"])
    found.items = [payment(row) for row in found.items]
    return found


def payment(row: Payment) -> dict[str, Any]:
    more = {
        "rental": row.rental_id,
        "person": row.person_id,
        "failure": row.failure_code,
        "changed_at": row.changed_at,
    }
    return {**shown.payment(row, driver=False), **more}


def charge_requests(query: dict[str, Any]) -> Page:
    statement = _where(
        select(ChargeRequest), query, state=ChargeRequest.state, rental=ChargeRequest.rental_id
    )
    found = page(statement, ChargeRequest.id, limit=query["limit"], cursor=query["cursor"])
    found.items = [charge_request(row) for row in found.items]
    return found


def charge_request(row: ChargeRequest) -> dict[str, Any]:
    more = {"driver": row.driver_id, "owner": row.made_by, "decided_by": row.final_by or row.decided_by}
    return {**claims.charge_request(row, Role.OPERATOR), **more}


def covers(query: dict[str, Any]) -> Page:
    statement = _where(select(Cover), query, state=Cover.state, rental=Cover.rental_id)
    found = page(statement, Cover.id, limit=query["limit"], cursor=query["cursor"])
    found.items = [versions.as_json(row) for row in found.items]
    return found


def _where(statement: Select[Any], query: dict[str, Any], **columns: Any) -> Select[Any]:
    for name, column in columns.items():
        if query[name] is not None:
            statement = statement.where(column == query[name])
    return statement


def jobs(query: dict[str, Any]) -> Page:
    """A page of jobs that failed for good."""
    return _numbered(select(FailedJob), FailedJob.job_id, "job", query, job)


def job(row: FailedJob) -> dict[str, Any]:
    return {
        "id": row.job_id,
        "task": row.task,
        "arguments": row.args,
        "error": row.error,
        "failed_at": row.failed_at,
    }


def acts(query: dict[str, Any]) -> Page:
    """A page of the audit log: what operators did, by whom and why."""
    done = select(FactRow).where(FactRow.kind == OperatorActed.kind, FactRow.position.is_not(None))
    return _numbered(done, FactRow.position, "pos", query, act)


def act(row: FactRow) -> dict[str, Any]:
    return {"position": row.position, "at": row.at, **row.data}


def _numbered(
    statement: Select[Any], key: ColumnElement[Any] | Any, prefix: str, query: dict[str, Any], show: Any
) -> Page:
    """A page of what has a number instead of an id."""
    if query["cursor"]:
        last = int(uncursor(query["cursor"], prefix).removeprefix(f"{prefix}_"), 16)
        statement = statement.where(key < min(last, 2**62))
    rows = session.scalars(statement.order_by(key.desc()).limit(query["limit"] + 1)).all()
    items = rows[: query["limit"]]
    more = to_cursor(f"{prefix}_{getattr(items[-1], str(key.key)):032x}") if len(rows) > len(items) else None
    return Page([show(row) for row in items], more)


def fact(position: int) -> FactRow:
    """The fact at a position of the total order. Raises NotFound."""
    found: FactRow | None = session.scalars(select(FactRow).where(FactRow.position == position)).first()
    if found is None:
        raise NotFound
    return found


def represent_fact(row: FactRow) -> dict[str, Any]:
    names = ("position", "kind", "data", "at", "recorded_at", "sealed_at")
    return {**{name: getattr(row, name) for name in names}, "chain": row.chain.hex() if row.chain else None}


def car_safe(car: str) -> dict[str, Any]:
    found = session.get_one(Car, car)
    return {"car": found.id, "safe": not found.unsafe}


def rental(row: Rental) -> dict[str, Any]:
    return {"id": row.id, "state": row.state, "ended_at": row.ended_at, "end_evidence": row.end_evidence}


def insurers(query: dict[str, Any]) -> Page:
    found = page(select(InsurerRow), InsurerRow.id, **query)
    found.items = [insurer(row) for row in found.items]
    return found


def insurer(row: InsurerRow) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "made_at": row.made_at}


def clients(insurer_id: str, query: dict[str, Any]) -> Page:
    """A page of an insurer's live clients. Raises NotFound."""
    partners.find_insurer(insurer_id)
    live = select(Client).where(Client.insurer_id == insurer_id, Client.revoked_at.is_(None))
    found = page(live, Client.id, **query)
    found.items = [client(row) for row in found.items]
    return found


def client(row: Client, secret: str | None = None) -> dict[str, Any]:
    return {
        "id": row.id,
        "insurer": row.insurer_id,
        "label": row.label,
        "scopes": row.scopes,
        "has_keys": bool(row.public_keys),
        "certificate_sha256": row.certificate_sha256,
        "client_secret": secret,
        "made_at": row.made_at,
        "rotated_at": row.rotated_at,
    }


def policy(policy_id: str) -> dict[str, Any]:
    """A master policy, and where covers are bound under it from now on. Raises NotFound."""
    row: Policy = master_policies.find(policy_id)
    spans = session.scalars(
        select(PolicyInForce)
        .where(PolicyInForce.policy_id == row.id, PolicyInForce.to_at > clock.now())
        .order_by(PolicyInForce.country, PolicyInForce.from_at)
    )
    return {
        "id": row.id,
        "insurer": row.insurer_id,
        "number": row.number,
        "version": row.version,
        "policy": row.data,
        "in_force": [{"country": one.country, "from_": one.from_at, "to": one.to_at} for one in spans],
        "made_at": row.made_at,
    }

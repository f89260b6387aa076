"""A notice of loss: an insurer's claim on one cover of its own, and what becomes of it, version by version."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.cars import custody
from app.coverage.loss_models import Claim, ClaimVersion
from app.coverage.models import Cover
from app.facts import ClaimChanged, ClaimNotified
from app.kit import clock, facts
from app.kit.auth import Partner
from app.kit.clock import z
from app.kit.db import Big, session, transactional
from app.kit.errors import AlreadyExists, NotFound, StepNotAllowed, Validation
from app.kit.http import Page, page
from insurance import claim as rules
from insurance.period import Span, to_ms
from insurance.verify_log import digest


@transactional
def notify(partner: Partner, body: dict[str, Any]) -> tuple[Claim, bool]:
    """The claim under the insurer's reference, and whether it is new; the same notice again is the same claim.

    Raises NotFound for a cover that is not the insurer's, Validation for an instant at which it did not hold, AlreadyExists
    where the reference stands for another notice.
    """
    cover = _cover(partner.insurer, body["cover"])
    known = select(Claim).where(Claim.insurer_id == partner.insurer, Claim.reference == body["reference"])
    found: Claim | None = session.scalars(known).first()
    if found is not None:
        return _same(found, body), False
    _within(cover, body["occurred_at"])
    now = clock.now()
    made = Claim(
        insurer_id=partner.insurer,
        cover_id=cover.id,
        rental_id=cover.rental_id,
        reference=body["reference"],
        occurred_at=body["occurred_at"],
        text=body["text"],
        currency=cover.currency,
        status=rules.BEGUN,
        denied=False,
        version=0,
        notified_at=now,
        changed_at=now,
        **dict.fromkeys(rules.AMOUNTS, Big(0)),
    )
    session.add(made)
    return _record(made, ClaimNotified, partner, now), True


def _cover(insurer: str, cover_id: str) -> Cover:
    """Locked, so that two notices under one reference come one after the other."""
    found: Cover | None = session.get(Cover, cover_id, with_for_update=True, populate_existing=True)
    if found is None or found.insurer_id != insurer:
        raise NotFound
    return found


def _same(found: Claim, body: dict[str, Any]) -> Claim:
    said = (found.cover_id, to_ms(found.occurred_at), found.text)
    if said != (body["cover"], to_ms(body["occurred_at"]), body["text"]):
        raise AlreadyExists("This reference stands for another notice.")
    return found


def _within(cover: Cover, at: datetime) -> None:
    """What happened belongs to exactly one custody, by its instant: that of whom the cover was given for."""
    if at > clock.now():
        raise _refused("future", "That has not happened yet.")
    if cover.state in ("conditional", "void"):
        raise _refused("outside_cover", f"The cover is {cover.state}: nobody drove under it.")
    if not Span(cover.from_at, cover.to_at).holds(at):
        ends = "still open" if cover.to_at is None else f"to {z(cover.to_at)}"
        raise _refused(
            "outside_cover", f"Its liability is from {z(cover.from_at)}, {ends}; others had the car then."
        )
    held = custody.at(cover.car_no, at)
    if held is not None and held.rental_id not in (None, cover.rental_id):
        raise _refused("outside_cover", "Somebody else had the car then, under another cover.")


def _refused(code: str, detail: str) -> Validation:
    return Validation(errors=[{"pointer": "/occurred_at", "code": code, "detail": detail}])


@transactional
def change(partner: Partner, claim: str, body: dict[str, Any], check: Callable[[Claim], None]) -> Claim:
    """Status, amounts, denial, as far as given; what changes nothing is no version.

    `check` sees the claim before. Raises NotFound, StepNotAllowed, Validation.
    """
    row = session.get(Claim, claim, with_for_update=True, populate_existing=True)
    if row is None or row.insurer_id != partner.insurer:
        raise NotFound
    check(row)
    said = _said(row, body)
    if all(getattr(row, name) == value for name, value in said.items()):
        return row
    status = said["status"]
    if not rules.may_become(row.status, status):
        raise StepNotAllowed(f"A claim that is {row.status} does not become {status}.")
    if status in rules.SETTLED and said["reserve_indemnity"] + said["reserve_fees"]:
        detail = "Nothing is kept in reserve for what is closed or withdrawn."
        raise Validation(errors=[{"pointer": "/reserve", "code": "invalid", "detail": detail}])
    now = clock.now()
    if status not in rules.OVER:
        row.over_at = None
    elif row.status not in rules.OVER:
        row.over_at = now
    before = row.status
    for name, value in said.items():
        setattr(row, name, value)
    return _record(row, ClaimChanged, partner, now, before=before)


def _said(row: Claim, body: dict[str, Any]) -> dict[str, Any]:
    """What the claim is to say from now on."""
    said = {"status": body.get("status", row.status), "denied": body.get("denied", row.denied)}
    for name in rules.AMOUNTS:
        part, _, of = name.partition("_")
        said[name] = Big(body.get(part, {}).get(of, getattr(row, name)))
    return said


def _record(
    row: Claim, change: type[ClaimNotified] | type[ClaimChanged], partner: Partner, now: datetime, **more: str
) -> Claim:
    """Write the next version and its fact, which binds what the version says."""
    row.version += 1
    row.changed_at = now
    session.flush()
    data = as_json(row)
    fact = change(
        claim=row.id,
        cover=row.cover_id,
        rental=row.rental_id,
        version=row.version,
        status=row.status,
        sha256=digest(data),
        **more,
    )
    seq = facts.record(fact)
    session.add(
        ClaimVersion(
            claim_id=row.id,
            version=row.version,
            fact_seq=Big(seq),
            recorded_at=now,
            recorded_by=partner.client,
            data=data,
        )
    )
    session.flush()
    return row


def as_json(row: Claim) -> dict[str, Any]:
    """The whole claim as its insurer reads it."""
    return {
        "id": row.id,
        "cover": row.cover_id,
        "reference": row.reference,
        "occurred_at": z(row.occurred_at),
        "text": row.text,
        "status": row.status,
        "denied": row.denied,
        "currency": row.currency,
        **{
            part: {of: int(getattr(row, f"{part}_{of}")) for of in ("indemnity", "fees")}
            for part in ("reserve", "paid")
        },
        "incurred": {
            of: rules.incurred({name: getattr(row, name) for name in rules.AMOUNTS}, of)
            for of in ("indemnity", "fees")
        },
        "version": row.version,
        "notified_at": z(row.notified_at),
        "changed_at": z(row.changed_at),
        "over_at": None if row.over_at is None else z(row.over_at),
    }


# -- reading


def find(insurer: str, claim: str) -> Claim:
    """Raises NotFound."""
    found: Claim | None = session.get(Claim, claim)
    if found is None or found.insurer_id != insurer:
        raise NotFound
    return found


def history(claim: str) -> list[dict[str, Any]]:
    """Every version, oldest first."""
    rows = select(ClaimVersion.data).where(ClaimVersion.claim_id == claim).order_by(ClaimVersion.version)
    return list(session.scalars(rows))


def listed(insurer: str, *, cover: str | None, status: str | None, limit: int, cursor: str | None) -> Page:
    """The insurer's, newest first."""
    wanted = select(Claim).where(Claim.insurer_id == insurer)
    if cover is not None:
        wanted = wanted.where(Claim.cover_id == cover)
    if status is not None:
        wanted = wanted.where(Claim.status == status)
    return page(wanted, Claim.id, limit=limit, cursor=cursor)


def is_open(rental: str) -> bool:
    """Whether a claim on a cover of the rental is not over: its photos stay."""
    found = select(Claim.id).where(Claim.rental_id == rental, Claim.over_at.is_(None))
    return session.scalars(found.limit(1)).first() is not None

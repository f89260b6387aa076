"""HTTP for insurers, after a rental: how the car was used, their claims on their covers, and the evidence."""

from typing import Any

from app.claims import evidence_pack, loss, use, use_schemas
from app.claims import loss_schemas as schemas
from app.coverage.loss_models import Claim
from app.coverage.partner_routes import DRIVERS, READ, routes
from app.coverage.partner_routes import ONE as COVER
from app.kit.auth import Who, partner
from app.kit.errors import AlreadyExists, NotFound, ScopeMissing, StepNotAllowed, Unavailable
from app.kit.http import Answer, Page, require_match
from app.kit.media import ZIP, file
from app.kit.routes import created

WRITE, EVIDENCE = "claims:write", "claims:evidence"
ONE = '/claims/<pid("clm"):claim>'


def _show(row: Claim) -> dict[str, Any]:
    return {**loss.as_json(row), "history": loss.history(row.id)}


@routes.add(
    "POST",
    "/claims",
    who=Who.PARTNER,
    scope=WRITE,
    summary="Notice of a loss",
    body=schemas.ClaimIn,
    returns=schemas.Loss,
    status=201,
    also=(200,),
    problems=(ScopeMissing, NotFound, AlreadyExists),
)
def notify_claim(body: dict[str, Any]) -> Answer:
    """A claim on one's own cover, for an instant of its liability. The same notice under the same reference again is the
    same claim, with 200. Owner and driver are told, without the text.
    """
    row, is_new = loss.notify(partner(), body)
    return created(_show(row), f"/insurer/claims/{row.id}") if is_new else Answer(_show(row), 200)


@routes.add(
    "GET",
    "/claims",
    who=Who.PARTNER,
    scope=WRITE,
    summary="One's claims",
    query=schemas.LossQuery,
    returns=schemas.LossPage,
    problems=(ScopeMissing,),
)
def list_claims(query: dict[str, Any]) -> Page:
    """Claims on one's own covers, newest first, as they stand."""
    found = loss.listed(partner().insurer, **query)
    found.items = [loss.as_json(row) for row in found.items]
    return found


@routes.add(
    "GET",
    ONE,
    who=Who.PARTNER,
    scope=WRITE,
    summary="A claim",
    returns=schemas.Loss,
    etag=True,
    problems=(ScopeMissing, NotFound),
)
def read_claim(claim: str) -> dict[str, Any]:
    """A claim as it stands, with every version."""
    return _show(loss.find(partner().insurer, claim))


@routes.add(
    "PATCH",
    ONE,
    who=Who.PARTNER,
    scope=WRITE,
    summary="Say how a claim stands",
    body=schemas.ClaimPatch,
    returns=schemas.Loss,
    match=True,
    problems=(ScopeMissing, NotFound, StepNotAllowed),
)
def change_claim(claim: str, body: dict[str, Any]) -> dict[str, Any]:
    """Status, denial and amounts, as far as given. Amounts are what is paid and in reserve in all, in minor units. What is
    over is reopened before it goes on; what is closed or withdrawn has nothing in reserve. Owner and driver are told when it
    is over and when it is reopened.
    """
    changed = loss.change(partner(), claim, body, lambda row: require_match(schemas.Loss(), _show(row)))
    return _show(changed)


@routes.add(
    "GET",
    ONE + "/evidence",
    who=Who.PARTNER,
    scope=EVIDENCE,
    summary="The evidence of a claim",
    media=(ZIP,),
    problems=(ScopeMissing, NotFound, Unavailable),
)
def read_evidence(claim: str) -> Any:
    """What the platform's records say of the claim's cover: versions, certificate and proofs, booking, licence check, every
    word to the box and its answer, readings, photos, money, messages; a signed manifest with the SHA-256 of each file. The
    driver's name is in it with the scope drivers:read alone. Each download is written down.
    """
    me = partner()
    found = evidence_pack.pack(me, claim, named=DRIVERS in me.scopes)
    return file(found, ZIP, f"evidence-{claim}.zip")


@routes.add(
    "GET",
    COVER + "/use",
    who=Who.PARTNER,
    scope=READ,
    summary="How the car was used under a cover",
    returns=use_schemas.CoverUse,
    problems=(ScopeMissing, NotFound),
)
def read_use(cover: str) -> dict[str, Any]:
    """Battery, energy and kilometres of the rental, derived when it ended, null where nobody knows; and what the box told of
    the car within the cover's liability, each instant in one cover at most. No place, no track.
    """
    return use.of_cover(partner().insurer, cover)

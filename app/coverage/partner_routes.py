"""HTTP for insurers: their own covers, as known now or as of an instant; every answer says how far it reaches."""

from datetime import datetime
from typing import Any

from app.coverage import (
    alarms,
    bordereau_schemas,
    bordereaux,
    coverage_at,
    eligibility_schemas,
    insurer_reads,
    log_proof,
    log_schemas,
    lookup,
    pre_check,
    report,
)
from app.coverage import partner_schemas as schemas
from app.kit.auth import Who, partner
from app.kit.clock import z
from app.kit.errors import NotFound, ScopeMissing
from app.kit.fields import Paging
from app.kit.http import Answer, Page
from app.kit.keys import settings
from app.kit.media import CSV, JSON, SVG, file, wanted
from app.kit.rate_limits import address, allow_secret
from app.kit.routes import Routes
from insurance import timeline

routes = Routes("insurer", __name__, url_prefix="/v1/insurer", description="What insurers ask.")
METRICS = (alarms,)
READ, LOOKUP, DRIVERS, BORDEREAU = "coverage:read", "coverage:lookup", "drivers:read", "bordereau:read"
ONE = '/covers/<pid("cov"):cover>'


@routes.add(
    "GET",
    "/coverage",
    who=Who.PARTNER,
    scope=READ,
    summary="Was this car covered at this instant",
    query=schemas.CoverageQuery,
    returns=schemas.Coverage,
    problems=(ScopeMissing,),
)
def read_coverage(query: dict[str, Any]) -> Answer:
    """Whether the car was covered at the instant: yes, no, or unknown where the car is not one's own."""
    me = partner()
    found = coverage_at.ask(me.insurer, **query, shown_to=me.client if DRIVERS in me.scopes else None)
    found.pop("car_no", None)
    told = {name: z(value) if isinstance(value, datetime) else value for name, value in found.items()}
    return Answer(told, ready=True)


@routes.add(
    "GET",
    "/covers",
    who=Who.PARTNER,
    scope=READ,
    summary="One's covers",
    query=schemas.CoverQuery,
    returns=schemas.CoverPage,
    problems=(ScopeMissing,),
)
def list_covers(query: dict[str, Any]) -> dict[str, Any]:
    """Covers under one's own master policies, newest first. With a filter a page may be short, or empty, and yet have more
    behind it: go on while there is a `next_cursor`.
    """
    return insurer_reads.covers(partner().insurer, **query)


@routes.add(
    "GET",
    ONE,
    who=Who.PARTNER,
    scope=READ,
    summary="A cover",
    query=schemas.AsOf,
    returns=schemas.KnownCover,
    problems=(ScopeMissing, NotFound),
)
def read_cover(cover: str, query: dict[str, Any]) -> dict[str, Any]:
    """The newest version of a cover, or the one known at `as_of`."""
    return insurer_reads.find(partner().insurer, cover, **query)


@routes.add(
    "GET",
    ONE + "/events",
    who=Who.PARTNER,
    scope=READ,
    summary="Every version of a cover",
    query=schemas.AsOf,
    returns=schemas.Events,
    problems=(ScopeMissing, NotFound),
)
def list_cover_events(cover: str, query: dict[str, Any]) -> dict[str, Any]:
    """Every version of the cover, oldest first."""
    return insurer_reads.events(partner().insurer, cover, **query)


@routes.add(
    "GET",
    ONE + "/timeline.svg",
    who=Who.PARTNER,
    scope=READ,
    summary="The life of a cover as a picture",
    query=schemas.AsOf,
    media=(SVG,),
    problems=(ScopeMissing, NotFound),
)
def draw_cover(cover: str, query: dict[str, Any]) -> Any:
    """Every version a row in the order of recording, drawn over the time it speaks of: planned, liability, own damage, and
    the planned end that passed.
    """
    versions = insurer_reads.events(partner().insurer, cover, **query)["items"]
    return file(timeline.svg(versions), SVG, f"{cover}.svg")


@routes.add(
    "GET",
    ONE + "/proof",
    who=Who.PARTNER,
    scope=READ,
    summary="The proof that a cover lies in the log",
    query=log_schemas.ProofQuery,
    returns=log_schemas.CoverProof,
    problems=(ScopeMissing, NotFound),
)
def prove_cover(cover: str, query: dict[str, Any]) -> dict[str, Any]:
    """A version of the cover, the fact that recorded it, and its path to the signed head of the log over it."""
    return log_proof.proof(partner().insurer, cover, **query)


@routes.add(
    "POST",
    ONE + "/acknowledge",
    who=Who.PARTNER,
    scope=READ,
    summary="Take note of a cover, up to a version",
    query=schemas.AcknowledgeQuery,
    status=204,
    problems=(ScopeMissing, NotFound),
)
def acknowledge_cover(cover: str, query: dict[str, Any]) -> None:
    """Takes note of a cover up to a version; repeating it changes nothing."""
    report.take_note(partner().insurer, cover, query["version"])


@routes.add(
    "GET",
    "/changes",
    who=Who.PARTNER,
    scope=READ,
    summary="What changed since a cursor",
    query=schemas.ChangeQuery,
    returns=schemas.Changes,
    problems=(ScopeMissing,),
)
def list_changes(query: dict[str, Any]) -> dict[str, Any]:
    """Changes in recorded order, complete: nothing is ever put in behind a cursor."""
    return insurer_reads.changes(partner().insurer, **query)


@routes.add(
    "GET",
    "/exposure",
    who=Who.PARTNER,
    scope=READ,
    summary="How many cars are out",
    query=schemas.AsOf,
    returns=schemas.Exposure,
    problems=(ScopeMissing,),
)
def read_exposure(query: dict[str, Any]) -> dict[str, Any]:
    """How many cars are out under open covers, by country, and what they are worth."""
    return insurer_reads.exposure(partner().insurer, **query)


@routes.add(
    "GET",
    "/log-heads",
    who=Who.PARTNER,
    scope=READ,
    summary="Heads of the tamper-evident log",
    query=schemas.ChangeQuery,
    returns=log_schemas.LogHeads,
    problems=(ScopeMissing,),
)
def list_log_heads(query: dict[str, Any]) -> dict[str, Any]:
    """Heads of the hash chain over all facts: kept by an insurer, they prove that nothing was changed later."""
    return insurer_reads.log_heads(**query)


@routes.add(
    "GET",
    "/signed-heads",
    who=Who.PARTNER,
    scope=READ,
    summary="Signed heads of the tamper-evident log",
    query=schemas.ChangeQuery,
    returns=log_schemas.SignedHeads,
    problems=(ScopeMissing,),
)
def list_signed_heads(query: dict[str, Any]) -> dict[str, Any]:
    """One a day, newest first: signed over all facts up to `last`. Keep them: the log can then not be written anew."""
    return insurer_reads.signed_heads(**query)


@routes.add(
    "POST",
    "/eligibility",
    who=Who.PARTNER,
    scope=READ,
    summary="Would this be bound",
    body=eligibility_schemas.EligibilityIn,
    returns=eligibility_schemas.EligibilityOut,
    problems=(ScopeMissing,),
)
def ask_eligibility(body: dict[str, Any]) -> dict[str, Any]:
    """Whether a driver, car and span would be insured, and why not. Nothing is stored."""
    return pre_check.pre_check(partner().insurer, body)


def _guard(**_: Any) -> None:
    """Plates could be guessed at: counted for all processes, per client and per address."""
    most = settings().limits.lookup
    allow_secret("lookup-address", address(), most)
    allow_secret("lookup", partner().client, most)


@routes.add(
    "GET",
    "/lookup",
    who=Who.PARTNER,
    scope=LOOKUP,
    summary="Is this plate covered",
    query=schemas.LookupQuery,
    returns=schemas.LookupAnswer,
    guard=_guard,
    problems=(ScopeMissing,),
)
def look_up_plate(query: dict[str, Any]) -> dict[str, Any]:
    """Whether a plate was covered and by whom, without the driver. Logged, and shown to the car's owner."""
    return lookup.look_up(partner(), **query)


@routes.add(
    "GET",
    "/bordereaux",
    who=Who.PARTNER,
    scope=BORDEREAU,
    summary="The bordereaux that were made",
    query=Paging,
    returns=bordereau_schemas.BordereauPage,
    problems=(ScopeMissing,),
)
def list_bordereaux(query: dict[str, Any]) -> Page:
    """One of each kind per policy and month, made on the sixth of the next month, the last one first."""
    return bordereaux.listed(partner().insurer, **query)


@routes.add(
    "GET",
    "/bordereaux/<string(length=7):month>",
    who=Who.PARTNER,
    scope=BORDEREAU,
    summary="A month's bordereau",
    query=bordereau_schemas.BordereauQuery,
    returns=bordereau_schemas.BordereauFile,
    media=(JSON, CSV),
    problems=(ScopeMissing, NotFound),
)
def read_bordereau(month: str, query: dict[str, Any]) -> Any:
    """The file as it was closed, the same byte by byte whenever it is fetched. What changed since is in a later one."""
    made = bordereaux.find(partner().insurer, month, query["kind"], query["policy_number"])
    form = wanted(JSON, CSV)
    name = f"{made.kind}-{made.month}.{'csv' if form == CSV else 'json'}"
    answer = file(bordereaux.lines(made, form), form, name)
    answer.set_etag(made.csv_sha256 if form == CSV else made.json_sha256)
    return answer

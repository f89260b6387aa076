"""HTTP of opening a car without signal: the grant of a phone, and what boxes signed."""

from typing import Any

from app.kit.auth import Who, caller
from app.kit.errors import (
    NotAllowed,
    NotInsurable,
    NotReady,
)
from app.rentals import (
    grant,
    offline_receipts,
    offline_schemas,
)
from app.rentals.routes import ONE, routes


@routes.add(
    "GET",
    ONE + "/grant",
    summary="What opens the car without signal",
    returns=offline_schemas.GrantOut,
    etag=True,
    problems=(NotAllowed, NotReady, NotInsurable),
)
def read_grant(rental: str) -> dict[str, Any]:
    """The offline access grant for this phone, from a day before the start. Ask again after each change of the rental:
    the answer stays the same until there is something new. It needs a car whose box has a companion, and a phone with a
    `public_key`; not-ready says what is missing.
    """
    return grant.fetch(caller(), rental)


@routes.add(
    "POST",
    "/me/offline-receipts",
    summary="Hand on what a box signed",
    while_suspended=True,
    body=offline_schemas.OfflineReceiptsIn,
    returns=offline_schemas.OfflineReceiptsOut,
)
def upload_receipts(body: dict[str, Any]) -> dict[str, Any]:
    """Takes what boxes signed while they had no signal: in any order, any number of times, from whoever brings it. What
    they did becomes custody, cover and meter at the box's time, between the last contact and now.
    """
    return {"results": offline_receipts.upload(caller().person, body["receipts"])}


@routes.add(
    "POST",
    "/box-records",
    summary="What a box says itself",
    who=Who.ALL,
    body=offline_schemas.BoxRecordsIn,
    returns=offline_schemas.BoxRecordsOut,
)
def upload_box_records(body: dict[str, Any]) -> dict[str, Any]:
    """For a companion with a network of its own, known by the signatures of its records alone: hands on receipts, and
    gets the revocations for it, which it acknowledges with the next call.
    """
    results, revoked = offline_receipts.upload_by_box(body["records"])
    return {"results": results, "revocations": revoked}

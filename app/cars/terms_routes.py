"""HTTP of a car in its communities: shared, and on which terms."""

from typing import Any

from app.cars import (
    access,
    add,
    schemas,
    terms,
    terms_text,
)
from app.cars.routes import ONE, routes
from app.kit.auth import caller
from app.kit.errors import (
    NotAllowed,
    NotFound,
)


@routes.add(
    "PUT",
    ONE + '/communities/<pid("com"):community>',
    summary="Share a car with a community",
    returns=schemas.Share,
    problems=(NotAllowed, NotFound),
)
def share_car(car: str, community: str) -> dict[str, Any]:
    """Offers the car to a community; terms and windows say when and for how much."""
    row = add.share(caller().person, car, community)
    return {"car": row.car_id, "community": row.community_id, "shared_at": row.shared_at}


@routes.add(
    "DELETE",
    ONE + '/communities/<pid("com"):community>',
    summary="End the sharing",
    status=204,
    problems=(NotAllowed,),
)
def unshare_car(car: str, community: str) -> None:
    """Ends the offer to a community; booked rentals stay."""
    add.unshare(caller().person, car, community)


@routes.add(
    "PUT",
    ONE + '/communities/<pid("com"):community>/terms',
    summary="Set the terms: a new version",
    body=schemas.Terms,
    returns=schemas.Terms,
    problems=(NotAllowed, NotFound),
)
def put_terms(car: str, community: str, body: dict[str, Any]) -> dict[str, Any]:
    """Sets price and rules for a community as a new version. Other people's open rentals keep theirs."""
    row = terms.put(caller().person, car, community, body)
    return _shown(row.version, row.data)


@routes.add(
    "GET",
    ONE + '/communities/<pid("com"):community>/terms',
    summary="The terms in force",
    returns=schemas.Terms,
    etag=True,
)
def read_terms(car: str, community: str) -> dict[str, Any]:
    """The newest version of the terms."""
    _may_see_through(car, community)
    version, data = terms.of(car, community)
    return _shown(version, data)


@routes.add(
    "GET",
    ONE + '/communities/<pid("com"):community>/terms/<int(max=1000000):version>',
    summary="One version of the terms",
    returns=schemas.Terms,
    etag=True,
)
def read_terms_version(car: str, community: str, version: int) -> dict[str, Any]:
    """One version of the terms, as a quote names it."""
    _may_see_through(car, community)
    return _shown(version, terms.version(car, community, version).data)


def _shown(version: int, data: dict[str, Any]) -> dict[str, Any]:
    return {"version": version, **data, "text": terms_text.of(data)}


def _may_see_through(car: str, community: str) -> None:
    found = access.may_see(car, caller().person)
    if (
        not access.runs(found, caller().person)
        and access.my_membership(found, caller().person, community) is None
    ):
        raise NotFound

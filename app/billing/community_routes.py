"""HTTP of what a community earns: its account, payouts, statements, tax details."""

from typing import Any

import orjson
from flask import Response, request
from sqlalchemy import select

from app.billing import community_tax, payout_account, schemas, shown, statement, statement_paper
from app.billing.payout_models import Transfer
from app.communities import access
from app.kit.auth import caller
from app.kit.errors import NotFound, Unavailable
from app.kit.fields import Paging
from app.kit.http import Page, page
from app.kit.routes import Routes

routes = Routes("community billing", __name__, url_prefix="/v1", description="What communities earn.")
COMMUNITY = '/communities/<pid("com"):community>'


def _fresh_link(answer: Response) -> Response:
    """Once the account's row and key are committed, as for a person's own account."""
    found = payout_account.with_link((request.view_args or {})["community"])
    answer.set_data(orjson.dumps(schemas.PayoutAccount().dump(found)))
    return answer


@routes.add(
    "POST",
    COMMUNITY + "/payout-account",
    summary="Have a community paid: say who stands behind it",
    returns=schemas.PayoutAccount,
    fresh_password=True,
    secrets=("url",),
    after=_fresh_link,
    problems=(NotFound, Unavailable),
)
def open_community_payout_account(community: str) -> dict[str, Any]:
    """For its owners. Makes the account into which the community is paid, once, and gives a fresh link to the payment
    provider's page; null when nothing is missing.
    """
    access.may_own(community, caller().person)
    payout_account.begin_for_community(community, caller().person)
    return payout_account.shown(community)


@routes.add(
    "GET",
    COMMUNITY + "/payout-account",
    summary="How a community's payouts stand",
    returns=schemas.PayoutAccount,
    problems=(NotFound,),
)
def read_community_payout_account(community: str) -> dict[str, Any]:
    """For its owners: how the account stands, what the provider still asks for, what was earned and not paid out yet."""
    access.may_own(community, caller().person)
    return payout_account.shown(community)


@routes.add(
    "GET",
    COMMUNITY + "/payouts",
    summary="What a community is paid",
    query=Paging,
    returns=schemas.CommunityPayoutPage,
    problems=(NotFound,),
)
def list_community_payouts(community: str, query: dict[str, Any]) -> Page:
    """For its owners and managers: the community's share of each payment, newest first."""
    access.may_read_books(community, caller().person)
    found = page(select(Transfer).where(Transfer.payee == community), Transfer.id, **query)
    found.items = [shown.community_payout(row) for row in found.items]
    return found


@routes.add(
    "GET",
    COMMUNITY + "/statements/<string(length=7):month>",
    summary="A community's month",
    returns=schemas.Statement,
    media=statement_paper.FORMS,
    problems=(NotFound,),
)
def read_community_statement(community: str, month: str) -> Any:
    """For its owners and managers: what the community's own cars earned, gave back and were paid out, in the reader's time
    zone.
    """
    me = caller()
    found = access.may_read_books(community, me.person)
    made = statement.of_community(community, month, me.time_zone)
    return statement_paper.answer(
        made, me.person, me.time_zone, f"statement-{community}-{month}", of=found.name
    )


@routes.add(
    "PUT",
    COMMUNITY + "/tax-details",
    summary="What the tax report needs of a community",
    body=schemas.CommunityTaxDetails,
    returns=schemas.CommunityTaxDetails,
    problems=(NotFound,),
)
def put_community_tax_details(community: str, body: dict[str, Any]) -> dict[str, Any]:
    """For its owners: replaces its tax details. Numbers are sealed at rest and go into the yearly report alone."""
    community_tax.put(community, caller().person, body)
    return community_tax.shown(community)


@routes.add(
    "GET",
    COMMUNITY + "/tax-details",
    summary="A community's tax details",
    returns=schemas.CommunityTaxDetails,
    etag=True,
    problems=(NotFound,),
)
def read_community_tax_details(community: str) -> dict[str, Any]:
    """For its owners: the community's tax details with numbers masked, and what is missing."""
    access.may_own(community, caller().person)
    return community_tax.shown(community)

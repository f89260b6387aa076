"""HTTP of billing: cards, what a rental cost, an owner's statement, and the provider's webhook."""

from collections.abc import Callable
from typing import Any

import orjson
from flask import Response, g

from app.billing import (
    alarms,
    cards,
    dispute_evidence,
    fees,
    hold,
    pay_owner,
    payout_account,
    reconcile,
    retry,
    schemas,
    secured,
    shown,
    statement,
    statement_paper,
    tax_details,
    transfer,
    webhook,
    work,
)
from app.billing.models import Payment
from app.kit import prefer
from app.kit.auth import Who, caller
from app.kit.db import session
from app.kit.errors import (
    CardDeclined,
    CardNeeded,
    InUse,
    NotAllowed,
    NotFound,
    PaymentActionRequired,
    SignatureInvalid,
    StepNotAllowed,
    Unavailable,
)
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page_of_rows
from app.kit.routes import Routes, created

JOBS = (work, fees, webhook, reconcile, cards, pay_owner, payout_account, dispute_evidence, alarms)
"""Importing the routes registers the jobs of these modules, and what Prometheus is told."""
routes = Routes("billing", __name__, url_prefix="/v1", description="Cards, payments, statements.")
webhooks = Routes(
    "stripe", __name__, url_prefix="/webhooks", description="What the payment provider tells us."
)
MAY_SEE_RENTAL: list[Callable[[str, str], str]] = []
"""Who may see a rental's payments: (rental, person) -> "driver" or "owner", or NotFound; the factory fills it."""
RENTAL = '/rentals/<pid("ren"):rental>/payments'


def _begin_setup(answer: Response) -> Response:
    """Once card and command are committed: the one call of a request to the provider. A replay asks with the same key."""
    body = orjson.loads(answer.get_data())
    body["client_secret"] = cards.setup(g.command)
    answer.set_data(orjson.dumps(body))
    return answer


@routes.add(
    "POST",
    "/me/cards",
    summary="Save a card",
    returns=schemas.CardBegun,
    status=201,
    key=True,
    secrets=("client_secret",),
    after=_begin_setup,
    problems=(Unavailable,),
)
def add_card() -> Answer:
    """Begins to save a card: the app confirms it with the payment SDK and the secret, which is shown this
    once.
    """
    row = cards.begin(caller().person)
    g.command = row.id
    return created({"id": row.id, "client_secret": None}, f"/me/cards/{row.id}")


@routes.add("GET", "/me/cards", summary="My cards", query=Paging, returns=schemas.CardList)
def list_cards(query: dict[str, Any]) -> Page:
    """One's saved cards, newest first."""
    found = page_of_rows(cards.mine(caller().person), "crd", **query)
    found.items = [cards.shown(row) for row in found.items]
    return found


@routes.add("DELETE", '/me/cards/<pid("crd"):card>', summary="Forget a card", status=204, problems=(InUse,))
def remove_card(card: str) -> None:
    """Forgets a card that no open payment needs."""
    cards.remove(caller().person, card)


def _after_retry(answer: Response) -> Response:
    """Once the new attempt is committed: wait for the provider, where the caller likes to."""
    payment, seconds = str(orjson.loads(answer.get_data())["id"]), prefer.wait_after()
    row = session.get(Payment, payment)
    if row is not None and seconds:
        secured.wait([row.id], row.rental_id, seconds)
        found = session.get_one(Payment, payment, populate_existing=True)
        answer.set_data(orjson.dumps(schemas.Payment().dump(shown.payment(found, driver=True))))
    return answer


def _role(rental: str) -> str:
    for ask in MAY_SEE_RENTAL:
        return ask(rental, caller().person)
    raise NotFound


@routes.add("GET", RENTAL, summary="The payments of a rental", query=Paging, returns=schemas.PaymentList)
def list_payments(rental: str, query: dict[str, Any]) -> Page:
    """The payments of a rental, oldest first; what the app must confirm is shown to the driver alone, what is paid out
    of it to the owner alone.
    """
    driver = _role(rental) == "driver"
    found = page_of_rows(hold.all_of(rental), "pay", oldest_first=True, **query)
    paid = {} if driver else transfer.of_payments([row.id for row in found.items])
    found.items = [
        {**shown.payment(row, driver=driver), "payout": shown.payout(paid.get(row.id))} for row in found.items
    ]
    return found


@routes.add(
    "POST",
    RENTAL + "/retry",
    summary="Try again, perhaps with another card",
    body=schemas.PaymentRetry,
    returns=schemas.Payment,
    status=202,
    key=True,
    asks=("Prefer",),
    after=_after_retry,
    problems=(NotFound, NotAllowed, StepNotAllowed, CardNeeded, CardDeclined, PaymentActionRequired),
)
def retry_payment(rental: str, body: dict[str, Any]) -> dict[str, Any]:
    """Tries a failed payment again, perhaps with another card. With `Prefer: wait` the answer tells how it went."""
    prefer.wait()
    if _role(rental) != "driver":
        raise NotAllowed("Only the driver pays.")
    return shown.payment(retry.retry(rental, body["card"], caller().person), driver=True)


def _fresh_link(answer: Response) -> Response:
    """Once the account's row and key are committed: the provider is asked for the account and a link that works once."""
    found = payout_account.with_link(caller().person)
    answer.set_data(orjson.dumps(schemas.PayoutAccount().dump(found)))
    return answer


@routes.add(
    "POST",
    "/me/payouts/account",
    summary="Be paid: say who you are",
    returns=schemas.PayoutAccount,
    fresh_password=True,
    secrets=("url",),
    after=_fresh_link,
    problems=(Unavailable,),
)
def open_payout_account() -> dict[str, Any]:
    """Makes the account into which one is paid, once, and gives a fresh link to the payment provider's page, where one
    says who one is; null when nothing is missing.
    """
    payout_account.begin(caller().person)
    return payout_account.shown(caller().person)


@routes.add("GET", "/me/payouts/account", summary="How my payouts stand", returns=schemas.PayoutAccount)
def read_payout_account() -> dict[str, Any]:
    """How one's account stands, what the provider still asks for, and what was earned and not paid out yet."""
    return payout_account.shown(caller().person)


@routes.add(
    "GET",
    "/me/statements/<string(length=7):month>",
    summary="My month: what my cars earned, what I paid",
    returns=schemas.Statement,
    media=statement_paper.FORMS,
)
def read_statement(month: str) -> Any:
    """A person's month in their own time zone: what their cars earned, gave back and were paid out with the balance before
    and after, and what they paid as a driver.
    """
    me = caller()
    found = statement.of(me.person, month, me.time_zone)
    return statement_paper.answer(found, me.person, me.time_zone, f"statement-{month}")


@routes.add(
    "PUT",
    "/me/tax-details",
    summary="What the tax report needs of me",
    body=schemas.TaxDetails,
    returns=schemas.TaxDetails,
)
def put_tax_details(body: dict[str, Any]) -> dict[str, Any]:
    """Replaces one's tax details. The number is sealed at rest and goes into the yearly report alone."""
    tax_details.put(caller().person, body)
    return tax_details.shown(caller().person)


@routes.add("GET", "/me/tax-details", summary="My tax details", returns=schemas.TaxDetails, etag=True)
def read_tax_details() -> dict[str, Any]:
    """One's tax details with their numbers masked, and what is missing."""
    return tax_details.shown(caller().person)


@webhooks.add(
    "POST",
    "/stripe",
    who=Who.SIGNED,
    summary="An event of the payment provider",
    limit="none",
    raw=True,
    problems=(SignatureInvalid, NotFound),
)
def receive_stripe() -> None:
    """Takes an event of the payment provider: stored once, a repeat is 200 too. An old or forged one is
    signature-invalid; without a secret set the route is shut.
    """
    webhook.receive("platform")


@webhooks.add(
    "POST",
    "/stripe-connect",
    who=Who.SIGNED,
    summary="An event on an owner's account",
    limit="none",
    raw=True,
    problems=(SignatureInvalid, NotFound),
)
def receive_stripe_connect() -> None:
    """The same for what happens on the accounts of owners, under a secret of its own."""
    webhook.receive("connect")

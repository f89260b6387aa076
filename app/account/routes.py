"""HTTP of the account as a whole: all that is kept of oneself, and its end."""

from typing import Any

from app.account import erase, export, schemas
from app.kit.auth import caller
from app.kit.errors import InUse, LastOwner, PasswordNeeded
from app.kit.routes import Routes

routes = Routes(
    "account", __name__, url_prefix="/v1", description="All that is kept of oneself, and its end."
)


@routes.add("GET", "/me/export", summary="All that is kept of me", returns=schemas.Export)
def export_me() -> dict[str, Any]:
    """What the account, rentals, payments and messages say of the person, and which insurers were told who they are."""
    return export.export(caller().person)


@routes.add(
    "DELETE",
    "/me",
    summary="Erase my account",
    status=204,
    fresh_password=True,
    problems=(InUse, LastOwner, PasswordNeeded),
)
def erase_me() -> None:
    """Sign-in ends before the answer. Name, address, e-mail, licence, phones, cards and messages are forgotten; rentals,
    covers and books stay under an id. Who drove is kept sealed for a year after the last rental, for fines, and longer
    under a legal hold. Not while a rental, a debt, a charge request or earnings are open, or a car is one's own.
    """
    erase.erase(caller().person)

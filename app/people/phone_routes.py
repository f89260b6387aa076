"""HTTP of one's phones: registered, confirmed, changed, removed."""

from typing import Any

from app.kit import push_services
from app.kit.auth import caller
from app.kit.errors import (
    AlreadyExists,
    CodeInvalid,
)
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page, require_match
from app.kit.keys import settings
from app.kit.routes import created, patch_of
from app.people import phones, schemas, sign_in
from app.people.models import Phone
from app.people.routes import per_person, routes


def _phone(phone: Phone) -> dict[str, Any]:
    """Whoever knows the installation of a confirmed phone signs in as that phone: it is shown to itself alone."""
    shown = ("id", "platform", "push", "public_key", "language", "seen_at")
    own = phone.installation == sign_in.installation_of(caller().session)
    return {name: getattr(phone, name) for name in shown} | {
        "installation": phone.installation if own else None,
        "confirmed": phone.confirmed_at is not None,
    }


@routes.add(
    "POST",
    "/me/phones",
    summary="Register a phone",
    body=schemas.PhoneIn,
    returns=schemas.Phone,
    status=201,
    problems=(AlreadyExists,),
)
def add_phone(body: dict[str, Any]) -> Answer:
    """Registers the app on this device for pushes and for opening doors. A further phone must be confirmed
    before it opens doors; the next refresh puts it into the token. `installation` is a secret of the device.
    """
    phone = phones.add(caller().person, body)
    return created(_phone(phone), f"/me/phones/{phone.id}")


@routes.add("GET", "/me/phones", summary="One's phones", query=Paging, returns=schemas.PhoneList)
def list_phones(query: dict[str, Any]) -> Page:
    """The phones of the account, newest first; the installation is shown of the phone that asks alone."""
    found = page(phones.live(caller().person), Phone.id, **query)
    found.items = [_phone(one) for one in found.items]
    return found


@routes.add("GET", "/me/web-push-key", summary="The key for web push", returns=schemas.WebPushKey)
def read_web_push_key() -> dict[str, Any]:
    """The `applicationServerKey` with which an app in a browser subscribes before it registers as a phone."""
    private = settings().web_push_key
    return {"key": push_services.public_key(private) if private else None}


@routes.add("GET", '/me/phones/<pid("pho"):phone_id>', summary="One phone", returns=schemas.Phone, etag=True)
def read_phone(phone_id: str) -> dict[str, Any]:
    """A phone, its push address and whether it may open doors."""
    return _phone(phones.find(caller().person, phone_id))


_PATCH_PHONE = patch_of(schemas.PhoneIn, "push", "language")


@routes.add(
    "PATCH",
    '/me/phones/<pid("pho"):phone_id>',
    summary="Change a phone",
    body=_PATCH_PHONE,
    returns=schemas.Phone,
    match=True,
)
def change_phone(phone_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Changes where pushes go, or their language."""
    require_match(schemas.Phone(), _phone(phones.find(caller().person, phone_id)))
    return _phone(phones.change(caller().person, phone_id, body))


@routes.add("DELETE", '/me/phones/<pid("pho"):phone_id>', summary="Remove a phone", status=204)
def remove_phone(phone_id: str) -> None:
    """Removes a phone and ends its session and grants."""
    phones.remove(caller().person, phone_id)


@routes.add(
    "POST",
    '/me/phones/<pid("pho"):phone_id>/confirm',
    summary="Confirm a second phone",
    body=schemas.CodeGiven,
    status=204,
    problems=(CodeInvalid,),
    guard=per_person("phone-confirm"),
)
def confirm_phone(phone_id: str, body: dict[str, Any]) -> None:
    """Confirms a further phone with the code mailed to the account: from then on it may open doors."""
    phones.confirm(caller().person, phone_id, body["code"])

"""HTTP of messages: the inbox, how one wants to be told, the timeline of a rental."""

from typing import Any

from app.kit.auth import caller
from app.kit.errors import NotFound
from app.kit.fields import Paging
from app.kit.http import Answer, Page, etag_of, require_match
from app.kit.routes import Routes
from app.messages import inbox, preferences, schemas, timeline

routes = Routes("messages", __name__, url_prefix="/v1", description="What people are told, and how.")


@routes.add(
    "GET", "/me/messages", summary="One's messages", query=schemas.Messages, returns=schemas.MessagePage
)
def list_messages(query: dict[str, Any]) -> Page:
    """What the person was told, newest first, with its way to each phone and mailbox."""
    return inbox.of(caller().person, **query)


@routes.add(
    "POST",
    '/me/messages/<pid("msg"):message>/read',
    summary="Mark a message as read",
    while_suspended=True,
    status=204,
    problems=(NotFound,),
)
def read_message(message: str) -> None:
    """Marks a message as read."""
    inbox.read(caller().person, message)


@routes.add(
    "POST",
    '/me/messages/<pid("msg"):message>/received',
    summary="Say that a message has come",
    while_suspended=True,
    status=204,
    problems=(NotFound,),
)
def message_received(message: str) -> None:
    """For an app that is woken by a push, before anybody looks: the message needs no mail any more. A message that was
    listed or marked as read has come as well.
    """
    inbox.received(caller().person, message)


@routes.add(
    "GET",
    "/me/preferences",
    summary="How one wants to be told",
    returns=schemas.Preferences,
    etag=True,
)
def read_preferences() -> dict[str, Any]:
    """Quiet hours, channels for all and by topic, digest."""
    return preferences.shown(caller().person)


@routes.add(
    "PUT",
    "/me/preferences",
    summary="Replace how one wants to be told",
    body=schemas.Preferences,
    returns=schemas.Preferences,
    match=True,
)
def replace_preferences(body: dict[str, Any]) -> Answer:
    """Replaces quiet hours, channels, digest, and channels by topic, which stay where they are left out. Codes and news
    of the account itself come in any case.
    """
    schema = schemas.Preferences()
    put = preferences.replace(caller().person, body, lambda current: require_match(schema, current))
    return Answer(put, headers={"ETag": f'"{etag_of(schema.dump(put))}"'})


@routes.add(
    "GET",
    '/rentals/<pid("ren"):rental>/timeline',
    summary="What happened in a rental",
    query=Paging,
    returns=schemas.EventPage,
)
def read_timeline(rental: str, query: dict[str, Any]) -> Page:
    """What happened in a rental, the same to driver and owner; no place."""
    return timeline.of(caller().person, rental, **query)

"""HTTP of calendar feeds: one's secret addresses, and what a calendar program reads there."""

from typing import Any

from flask import Response, current_app, request
from sqlalchemy import select

from app.kit.auth import Who, caller
from app.kit.errors import InUse, NotFound
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page
from app.kit.media import CALENDAR
from app.kit.routes import Routes, created
from app.rentals import feed_schemas, feeds
from app.rentals.feed_models import CalendarFeed
from app.rentals.routes import routes

public = Routes("feeds", __name__, description="Calendars to subscribe to.")


def _feed(row: CalendarFeed, url: str | None = None) -> dict[str, Any]:
    return {"id": row.id, "car": row.car_id, "made_at": row.made_at, "url": url}


@routes.add(
    "POST",
    "/me/calendar-feeds",
    summary="Subscribe to a calendar",
    body=feed_schemas.Feed,
    returns=feed_schemas.Feed,
    status=201,
    secrets=("url",),
    problems=(NotFound, InUse),
)
def add_calendar_feed(body: dict[str, Any]) -> Answer:
    """Makes a secret address for a calendar program: of one's own rentals, or with `car` of that car, which tells its
    owner who drives and the other members only when it is taken. The address is shown once; removing it ends it.
    """
    row, url = feeds.add(caller().person, body.get("car"))
    return created(_feed(row, url), f"/me/calendar-feeds/{row.id}")


@routes.add(
    "GET", "/me/calendar-feeds", summary="One's calendar feeds", query=Paging, returns=feed_schemas.FeedPage
)
def list_calendar_feeds(query: dict[str, Any]) -> Page:
    """The feeds one has made; their addresses are not shown again."""
    mine = select(CalendarFeed).where(CalendarFeed.person_id == caller().person)
    found = page(mine, CalendarFeed.id, **query)
    found.items = [_feed(row) for row in found.items]
    return found


@routes.add("DELETE", '/me/calendar-feeds/<pid("fed"):feed>', summary="End a feed", status=204)
def remove_calendar_feed(feed: str) -> None:
    """Ends a feed: its address is dead before the answer."""
    feeds.remove(caller().person, feed)


@public.add(
    "GET",
    "/feeds/<string(minlength=16,maxlength=64):secret>.ics",
    who=Who.ALL,
    summary="A calendar to subscribe to",
    media=(CALENDAR,),
    limit="feeds",
)
def read_feed(secret: str) -> Response:
    """The calendar at a secret address, in the language of whoever made it; 304 for a program that has it already."""
    answer: Response = current_app.response_class(feeds.read(secret), mimetype=CALENDAR)
    answer.headers["Cache-Control"] = "private, max-age=900"
    answer.headers["X-Robots-Tag"] = "noindex"
    answer.add_etag()
    answer.make_conditional(request)
    return answer

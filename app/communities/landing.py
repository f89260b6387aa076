"""Where an invitation link leads in a browser: who invites to what, how to get the app, the code, and a square to scan."""

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import segno
from flask import Blueprint, Response, render_template_string, request

from app.communities import invite
from app.kit import i18n, locales
from app.kit.config import Settings
from app.kit.errors import InvitationGone, NotFound, RateLimited
from app.kit.keys import settings
from app.kit.media import html

routes = Blueprint("landing", __name__)
PAGE = (Path(__file__).parent / "landing.html").read_text("utf-8")


@routes.get("/i/<string(minlength=1,maxlength=64):code>")
def invitation(code: str) -> Response:
    """The page of an invitation; looking at it changes nothing, so that a messenger's preview uses nothing up."""
    try:
        invite.count_look()
        found = invite.preview(code)
    except InvitationGone as gone:
        return _page(
            410, i18n.title(gone.slug, gone.title), [i18n.say(f"landing.gone.{gone.members['reason']}")]
        )
    except NotFound:
        return _page(404, i18n.say("landing.unknown"), [i18n.say("landing.unknown.why")])
    except RateLimited as slow:
        answer = _page(429, i18n.title(slow.slug, slow.title), [])
        answer.headers.update(slow.headers)
        return answer
    return _invitation(code, found)


def _invitation(code: str, found: dict[str, Any]) -> Response:
    language = i18n.reader()
    locale = locales.locale_of(language, None)
    url = f"{settings().public_url}/i/{code}"
    until = locales.moment(found["expires_at"], locale, "UTC")
    lines = [
        i18n.say("landing.to", community=found["community"]),
        i18n.say(f"landing.role.{found['role']}"),
    ]
    return _page(
        200,
        i18n.say("landing.title", inviter=found["inviter"]),
        lines,
        url=url,
        code=code,
        square=_square(url),
        until=i18n.say("landing.until", at=f"{until} UTC"),
        open_app=_android(url, settings()),
        stores=_stores(code, settings()),
        store_id=settings().apple_store_id,
    )


def _page(status: int, title: str, lines: list[str], **more: Any) -> Response:
    body = render_template_string(
        PAGE, language=i18n.reader(), title=title, lines=lines, say=i18n.say, **more
    )
    answer = html(body, status)
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Vary"] = "Accept-Language, User-Agent"
    return answer


def _square(url: str) -> str:
    """For whoever looks at it on another screen than their phone's."""
    code = segno.make(url, error="m", micro=False)
    return code.svg_inline(scale=5, border=4, svgclass=None, lineclass=None, title=url)


def _android(url: str, house: Settings) -> str | None:
    """What opens the installed app from its own domain's page, and the page itself again where there is none."""
    if not house.android_package or "Android" not in request.user_agent.string:
        return None
    parts = urlsplit(url)
    back = quote(url, safe="")
    return (
        f"intent://{parts.netloc}{parts.path}#Intent;scheme={parts.scheme};package={house.android_package};"
        f"S.browser_fallback_url={back};end"
    )


def _stores(code: str, house: Settings) -> list[tuple[str, str]]:
    """Google Play hands the code on to the app that is installed through it."""
    found = []
    if house.apple_store_id:
        found.append((i18n.say("landing.ios"), f"https://apps.apple.com/app/id{house.apple_store_id}"))
    if house.android_package:
        referrer = quote(f"invitation={code}", safe="")
        href = f"https://play.google.com/store/apps/details?id={house.android_package}&referrer={referrer}"
        found.append((i18n.say("landing.android"), href))
    return found

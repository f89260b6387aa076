"""Where an invitation link leads in a browser."""

import dataclasses
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask

from app.communities import accept, invite
from app.communities.models import Invitation
from app.doors import Doors
from app.factory import create_app
from app.facts import InvitationReminded
from app.kit import clock
from app.kit.db import dispose, session
from app.kit.deadlines import Deadline
from app.kit.facts import FactRow
from app.messages import channels
from app.messages.models import Message
from app.people.models import Person
from insurance.partners import partners_of
from tests import factories

ANDROID = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"
LANGUAGES = {
    "en": "invites you",
    "fr": "invite",
    "de": "lädt dich ein",
    "nl": "nodigt je uit",
    "it": "ti invita",
    "es": "te invita",
    "pt": "convida-te",
}


@pytest.fixture
def olga(app: Flask) -> Person:
    del app
    return factories.person("Olga <b>Owner")


@pytest.fixture
def made(olga: Person) -> Invitation:
    circle = factories.circle(olga, name="Family & friends")
    return invite.invite(olga.id, circle.id, {})


def fetch(app: Flask, code: str, status: int = 200, **headers: str) -> Any:
    session.rollback()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = app.test_client().get(f"/i/{code}", headers=named)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "text/html"
    return answer


class Reader(HTMLParser):
    """The tags of a page, and what a screen reader reads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_invites_to_what_is_said_in_the_readers_language(
    app: Flask, made: Invitation, language: str
) -> None:
    page = Reader(fetch(app, invite.code_of(made.id), Accept_Language=language).text)
    text = " ".join(page.words)
    assert LANGUAGES[language] in text
    assert "Family & friends" in text
    assert page.all("html")[0]["lang"] == language


def test_a_name_is_text_and_nothing_runs(app: Flask, made: Invitation) -> None:
    answer = fetch(app, invite.code_of(made.id))
    page = Reader(answer.text)
    assert (page.all("b"), page.all("script")) == ([], [])
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


def test_it_can_be_read_by_everybody(app: Flask, made: Invitation) -> None:
    page = Reader(fetch(app, invite.code_of(made.id)).text)
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert "user-scalable" not in str(page.all("meta"))
    [square] = page.all("svg")
    assert square
    assert page.all("title")


def test_looking_at_it_uses_nothing_up(app: Flask, made: Invitation) -> None:
    for _ in range(3):
        fetch(app, invite.code_of(made.id))
    assert session.get_one(Invitation, made.id, populate_existing=True).used == 0


def test_an_invitation_that_is_over_says_why(app: Flask, olga: Person, made: Invitation) -> None:
    invite.revoke(olga.id, made.id)
    assert "revoked" in fetch(app, invite.code_of(made.id), 410).text
    other = invite.invite(olga.id, made.community_id, {})
    clock.forward(timedelta(days=8))
    page = fetch(app, invite.code_of(other.id), 410).text
    assert "expired" in page
    assert invite.code_of(other.id) not in page


@pytest.mark.parametrize("code", ["nothing", "<script>", "%2e%2e", "a" * 64])
def test_a_link_that_was_cut_short_says_what_to_do(app: Flask, code: str) -> None:
    page = fetch(app, code, 404).text
    assert "cut short" in page
    assert "<script>" not in page


def test_the_stores_and_the_app_are_offered_where_there_is_one(app: Flask, made: Invitation) -> None:
    code = invite.code_of(made.id)
    assert Reader(fetch(app, code).text).all("a") == []
    settings = dataclasses.replace(
        app.extensions["glovebox"].settings, android_package="org.glovebox.app", apple_store_id="1234567890"
    )
    other = create_app(settings, Doors(insurers=partners_of([]), payments=None, push=None, mail=None))
    with other.app_context():
        links = [one["href"] or "" for one in Reader(fetch(other, code, User_Agent=ANDROID).text).all("a")]
        plain = fetch(other, code).text
        dispose()
    assert [re.split(r"[/#?]", one)[2] for one in links][1:] == ["apps.apple.com", "play.google.com"]
    assert links[0].startswith("intent://")
    assert "package=org.glovebox.app" in links[0]
    assert code in links[2]
    assert "intent://" not in plain
    assert 'name="apple-itunes-app"' in plain


# -- a reminder -------------------------------------------------------------------------------------------------------


def reminded(invitation: Invitation) -> int:
    """How often whoever is invited was asked again."""
    session.rollback()
    rows = session.query(FactRow).filter(FactRow.kind == InvitationReminded.kind)
    return rows.filter(FactRow.data["invitation"].astext == invitation.id).count()


def test_whoever_was_mailed_and_has_not_answered_is_asked_once_more(olga: Person) -> None:
    circle = factories.circle(olga)
    made = invite.invite(olga.id, circle.id, {"email": "max@example.org"})
    due = session.get_one(Deadline, ("invitation_reminder", made.id)).due_at
    assert due - made.made_at == timedelta(days=3)
    invite.remind(made.id)
    assert reminded(made) == 1


def test_who_has_answered_is_not_asked_again(olga: Person) -> None:
    circle, max_ = factories.circle(olga), factories.person("Max")
    made = invite.invite(olga.id, circle.id, {"email": max_.email})
    accept.accept(max_.id, invite.code_of(made.id))
    invite.remind(made.id)
    assert reminded(made) == 0


def test_who_joined_by_another_link_is_not_asked_again(olga: Person) -> None:
    circle, max_ = factories.circle(olga), factories.person("Max")
    made = invite.invite(olga.id, circle.id, {"email": max_.email})
    link = invite.invite(olga.id, circle.id, {})
    accept.accept(max_.id, invite.code_of(link.id))
    invite.remind(made.id)
    assert reminded(made) == 0


def test_a_reminder_to_somebody_without_an_account_has_an_address(olga: Person) -> None:
    circle = factories.circle(olga)
    made = invite.invite(olga.id, circle.id, {"email": "nobody-yet@example.org"})
    message = Message(kind="invited_again", person_id=None, params={"link": made.id})
    assert channels.mail_address(message) == "nobody-yet@example.org"


def test_a_link_for_several_reminds_nobody(olga: Person) -> None:
    circle = factories.circle(olga)
    made = invite.invite(olga.id, circle.id, {"uses": 5})
    assert session.get(Deadline, ("invitation_reminder", made.id)) is None

"""A birth date is changed by its holder, but not against their licence."""

from datetime import date

from flask import Flask

from app.people import licence
from tests.communities.circle import Voice, voice


def change(who: Voice, birth_date: str, want: int) -> None:
    who("PATCH", "/me", {"birth_date": birth_date}, want=want, If_Match=who.etag("/me"))


def test_a_birth_date_is_changed_until_a_licence_says_it(app: Flask) -> None:
    nina = voice(app, "Nina New")
    change(nina, "1991-01-01", 200)
    body = {"number": "12AB34567", "country": "FR", "classes": ["B"], "birth_date": date(1990, 4, 2)}
    licence.record(nina.id, {**body, "issued_on": date(2010, 5, 1), "expires_on": date(2090, 5, 1)})
    change(nina, "1991-01-01", 422)
    change(nina, "1990-04-02", 200)
    assert nina("GET", "/me")["birth_date"] == "1990-04-02"

"""How the tests of HTTP ask: people with fresh sessions, and what kind of problem an answer is."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask

from app.people import sign_in
from tests import factories

Ask = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Signed:
    """A person's id and the header of a fresh session."""

    id: str
    headers: dict[str, str]


def signed_in(house: Flask, name: str) -> Signed:
    """A new person with a fresh session."""
    with house.app_context():
        return session_of(factories.person(name))


def session_of(person: Any, totp: str | None = None) -> Signed:
    """A fresh session of somebody who exists; inside an application context."""
    tokens = sign_in.sign_in(person.email, "correct horse battery", str(uuid.uuid4()), totp)
    return Signed(person.id, {"Authorization": f"Bearer {tokens['access_token']}"})


def slug(answer: Any) -> str:
    """The problem type of an answer that must be a problem document."""
    assert answer.content_type == "application/problem+json", answer.data
    found: str = answer.get_json()["type"]
    return found.removeprefix("/problems/")

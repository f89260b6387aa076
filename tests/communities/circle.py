"""Olga's circle at the API: who is in it asks, and what kind of problem the answer is."""

from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.communities import make
from app.people.models import Person
from tests import factories
from tests.kit.asking import session_of


@dataclass(frozen=True, slots=True)
class Voice:
    """One person who asks."""

    house: Flask
    person: Person
    headers: dict[str, str]

    @property
    def id(self) -> str:
        return self.person.id

    def __call__(
        self, method: str, path: str, body: Any = None, want: int | None = None, **headers: str
    ) -> Any:
        """The body of the answer; of a refusal its slug."""
        answer = self.answer(method, path, body, **headers)
        if want is not None:
            assert answer.status_code == want, answer.text
        said: Any = answer.get_json(silent=True)
        return said["type"].removeprefix("/problems/") if answer.status_code >= 400 else said

    def answer(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()} | self.headers
        return self.house.test_client().open(f"/v1{path}", method=method, json=body, headers=named)

    def etag(self, path: str) -> str:
        return self.answer("GET", path).headers["ETag"]


def voice(house: Flask, name: str) -> Voice:
    """A new person, signed in; inside an application context."""
    person = factories.person(name)
    return Voice(house, person, session_of(person).headers)


@dataclass(frozen=True, slots=True)
class Circle:
    """A community with its owner, a member, and somebody who is not in it."""

    id: str
    olga: Voice
    max: Voice
    charlie: Voice

    def rules(self, **rules: Any) -> None:
        make.change(self.olga.id, self.id, {"rules": rules}, lambda _: None)

    def invite(self, by: Voice, want: int = 201, **body: Any) -> Any:
        return by("POST", f"/communities/{self.id}/invitations", body, want=want)

    def change(self, by: Voice, whom: Voice, want: int = 200, **body: Any) -> Any:
        path = f"/communities/{self.id}/members/{whom.id}"
        return by("PATCH", path, body, want=want, If_Match=by.etag(path))

    def accept(self, who: Voice, invitation: dict[str, Any], want: int = 200) -> Any:
        return who("POST", f"/invitations/{invitation['code']}/accept", want=want)

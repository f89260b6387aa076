"""A person at the operators' routes."""

import uuid
from dataclasses import dataclass
from typing import Any

import pyotp
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.kit.db import session
from app.people.models import Person

PASSWORD = "correct horse battery"


@dataclass
class Desk:
    """A signed-in person at the API."""

    http: FlaskClient
    person: Person
    totp: str | None = None
    token: str = ""

    def sign_in(self, code: str | None) -> TestResponse:
        body = {"email": self.person.email, "password": PASSWORD, "installation": str(uuid.uuid4())}
        answer = self.http.post("/v1/sessions", json=body | ({"totp": code} if code else {}))
        if answer.status_code == 201:
            self.token = answer.json["access_token"]  # type: ignore[index]
        return answer

    def code(self) -> str:
        assert self.totp is not None
        return pyotp.TOTP(self.totp).now()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"Bearer {self.token}"
        return self.http.open(f"/v1/operator{path}", method=method, json=body, headers=named)

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json

    def acts(self) -> list[tuple[str, str, str, str]]:
        """The audit log as the database has it, sealed or not, newest first."""
        rows = session.execute(
            text("select data from facts where kind = 'OperatorActed' order by seq desc")
        ).scalars()
        return [(row["operator"], row["action"], row["subject"], row["reason"]) for row in rows]

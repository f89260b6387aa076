"""What tests of people do more than once: ask over HTTP, run what was put off, read a mailed code, sign in."""

import uuid
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import select, text

from app.kit.db import session, transactional
from app.people import codes, later, register
from app.people.models import EmailCode

PASSWORD = "correct horse battery"
_TAKE = text(
    "with taken as (select id, args from procrastinate_jobs where status = 'todo' and task_name = 'asked_of_address'"
    " order by id for update) update procrastinate_jobs j set status = 'succeeded' from taken where j.id = taken.id"
    " returning taken.id, taken.args"
)


def address(name: str = "olga") -> str:
    return f"{name}.{uuid.uuid4().hex[:10]}@example.org"


@transactional
def _take() -> list[dict[str, Any]]:
    return [row.args for row in sorted(session.execute(_TAKE), key=lambda row: row.id)]


@dataclass(frozen=True, slots=True)
class Desk:
    """The API, and the worker's part of it run when the test says so."""

    house: Flask

    def call(self, method: str, path: str, body: Any = None, token: str = "", **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.house.test_client().open(f"/v1{path}", method=method, json=body, headers=sent)

    def post(self, path: str, body: Any = None, token: str = "", **headers: str) -> Any:
        return self.call("POST", path, body, token, **headers)

    def get(self, path: str, token: str) -> Any:
        answer = self.call("GET", path, token=token)
        assert answer.status_code == 200, answer.data
        return answer.get_json()

    def work(self) -> None:
        """Run what was put off to a worker."""
        with self.house.app_context():
            for args in _take():
                later.work(**args)

    def register(self, email: str, **values: Any) -> None:
        body = {"name": "Olga Owner", "email": email, "password": PASSWORD, "language": "en", "country": "FR"}
        assert self.post("/people", {**body, **values}).status_code == 202
        self.work()

    def confirm(self, email: str, code: str) -> int:
        status: int = self.post("/people/confirm", {"email": email, "code": code}).status_code
        return status

    def mailed(self, email: str, purpose: str = "confirm") -> list[str]:
        """The digits of all codes of this purpose, oldest first."""
        with self.house.app_context():
            person = register.find_by_email(email)
            assert person is not None
            rows = session.scalars(
                select(EmailCode.id)
                .where(EmailCode.person_id == person.id, EmailCode.purpose == purpose)
                .order_by(EmailCode.id)
            )
            return [codes.digits(one) for one in rows]

    def sign_in(self, email: str, password: str = PASSWORD, installation: str = "") -> Any:
        body = {"email": email, "password": password, "installation": installation or str(uuid.uuid4())}
        return self.post("/sessions", body)

    def token(self, email: str, installation: str = "", password: str = PASSWORD) -> str:
        answer = self.sign_in(email, password, installation)
        assert answer.status_code == 201, answer.data
        found: str = answer.get_json()["access_token"]
        return found

    def account(self, name: str = "Olga Owner") -> str:
        """The address of a new, confirmed account."""
        email = address(name.split(maxsplit=1)[0].lower())
        self.register(email, name=name)
        assert self.confirm(email, self.mailed(email)[-1]) == 204
        return email

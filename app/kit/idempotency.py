"""Idempotency keys: an answer that had an effect is stored with the effect and replayed; a refusal is judged anew."""

import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from flask import Response, current_app, g, request
from sqlalchemy import LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.clock import real_now
from app.kit.db import Model, session, transactional
from app.kit.driver import plain, read
from app.kit.errors import IdempotencyBusy, IdempotencyKeyMissing, IdempotencyKeyReused, Malformed, Problem
from app.kit.keys import derived

KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")


class StoredAnswer(Model):
    """The answer of one request that had an effect, for seven days."""

    __tablename__ = "idempotency_keys"
    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    location: Mapped[str | None]
    body: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    command: Mapped[str | None]
    stored_at: Mapped[datetime] = mapped_column(index=True)


def given_key(*, required: bool) -> str | None:
    """The request's key, checked."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        if required:
            raise IdempotencyKeyMissing(
                "Send Idempotency-Key: 8 to 64 of A-Z a-z 0-9 _ -, new for each intent."
            )
        return None
    if not KEY.fullmatch(key):
        raise Malformed("An Idempotency-Key has 8 to 64 of A-Z a-z 0-9 _ -.")
    return key


def fingerprint() -> bytes:
    """Method, route with its query, and body of this request; keyed, since a body may hold a password to guess at."""
    whole = hmac.new(derived("idempotency"), digestmod=hashlib.sha256)
    route = (request.method.encode(), request.path.encode(), request.query_string)
    for part in (*route, request.get_data(cache=True)):
        whole.update(hashlib.sha256(part).digest())
    return whole.digest()


def forget(scope: str) -> None:
    """In the transaction that takes an effect back: the answer stored for this request's key goes with it."""
    key = given_key(required=False)
    stored = session.get(StoredAnswer, (scope, key)) if key else None
    if stored is not None:
        session.delete(stored)


_LOCK = text(
    "select pg_try_advisory_xact_lock(hashtextextended(:name, 7003)) as locked,"
    " k.fingerprint, k.status, k.location, k.body, k.command"
    " from (select) as one left join idempotency_keys k on k.scope = :scope and k.key = :key"
)
_THERE = text("select from idempotency_keys where scope = :scope and key = :key")
_STORE = text(
    "insert into idempotency_keys (scope, key, fingerprint, status, location, body, command, stored_at)"
    " values (:scope, :key, :fingerprint, :status, :location, cast(:body as jsonb), :command, :stored_at)"
)


def once(scope: str, key: str, view: Callable[[], Response], secrets: tuple[str, ...]) -> Response:
    """Run the view once for (scope, key), its answer stored in the view's own transaction."""
    try:
        return _once(scope, key, view, secrets)
    except (IdempotencyBusy, IdempotencyKeyReused):
        raise
    except (IntegrityError, Problem):
        # The other may have committed between our look and our lock: its effect refused ours, and its answer is there.
        if not read(_THERE, {"scope": scope, "key": key}):
            raise
    return _once(scope, key, view, secrets)


@transactional
def _once(scope: str, key: str, view: Callable[[], Response], secrets: tuple[str, ...]) -> Response:
    row = plain(_LOCK, {"name": f"{scope}/{key}", "scope": scope, "key": key})[0]
    if not row.locked:
        raise IdempotencyBusy("The same request is still running; ask again in a moment.")
    if row.fingerprint is not None:
        return _replay(row)
    answer = view()
    if answer.status_code < 300:
        _store(scope, key, answer, secrets)
    return answer


def _store(scope: str, key: str, answer: Response, secrets: tuple[str, ...]) -> None:
    body = answer.get_data()
    if body and secrets:
        shown = orjson.loads(body)
        _blank(shown, frozenset(secrets))
        body = orjson.dumps(shown)
    stored = {
        "scope": scope,
        "key": key,
        "fingerprint": fingerprint(),
        "status": answer.status_code,
        "location": answer.headers.get("Location"),
        "body": body.decode() if body else None,
        "command": g.get("command"),
        "stored_at": real_now(),
    }
    plain(_STORE, stored)


def _blank(value: Any, secrets: frozenset[str]) -> None:
    """Secrets are shown once; a replay has null in their place."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in secrets:
                value[name] = None
            else:
                _blank(inner, secrets)
    elif isinstance(value, list):
        for inner in value:
            _blank(inner, secrets)


def _replay(stored: Any) -> Response:
    if stored.fingerprint != fingerprint():
        raise IdempotencyKeyReused("This key was used for another route or body; take a new one.")
    g.command = stored.command
    body = b"" if stored.body is None else orjson.dumps(stored.body)
    answer = current_app.response_class(body, status=stored.status, mimetype="application/json")
    if stored.body is None:
        del answer.headers["Content-Type"]
    if stored.location:
        answer.headers["Location"] = stored.location
    answer.headers["Idempotent-Replayed"] = "true"
    return answer

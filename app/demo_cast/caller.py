"""Somebody at the API: their requests, signed by their phone where it signs."""

import hashlib
import re
import secrets
import time
import uuid
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from app.kit.keys import b64
from app.supervisor import Supervisor


class Refused(AssertionError):
    """The API answered otherwise than the story wants."""


class Caller:
    """A person with a phone; `call` returns the decoded answer and refuses any status but the wanted."""

    def __init__(
        self, place: Supervisor, name: str, *, language: str = "en", country: str = "FR", signs: bool = False
    ) -> None:
        self.place, self.name, self.language, self.country = place, name, language, country
        self.email = f"{name.split(maxsplit=1)[0].lower()}.{uuid.uuid4().hex[:8]}@example.org"
        self.installation, self.address = str(uuid.uuid4()), f"fid-{uuid.uuid4().hex}"
        self.id = self.phone = ""
        self.access = self.refresh = ""
        self.key = ec.generate_private_key(ec.SECP256R1()) if signs else None
        self.http = requests.Session()
        self.http.trust_env = False
        self.last: requests.Response | None = None
        self.clock_off_s = 0.0

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        want: int | tuple[int, ...] = (200, 201, 202, 204),
        key: str | None = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> Any:
        """One request. Raises Refused when the status is not wanted."""
        sent = {"Accept-Language": self.language, **(headers or {})}
        if self.access:
            sent["Authorization"] = f"Bearer {self.access}"
        if method in ("POST", "PUT"):
            sent["Idempotency-Key"] = key or secrets.token_urlsafe(16)
        prepared = requests.Request(
            method, self.place.url + _path(path), headers=sent, json=body, params=query or None
        ).prepare()
        if self.key is not None and re.search(r"/(unlock|pause|lock|commands)$", path) and method == "POST":
            prepared.headers["Phone-Signature"] = self.sign(prepared)
        answer = self.http.send(prepared, timeout=40)
        self.last = answer
        wanted = (want,) if isinstance(want, int) else want
        if answer.status_code not in wanted:
            raise Refused(
                f"{self.name}: {method} {path} -> {answer.status_code}, wanted {wanted}: {answer.text[:1500]}"
            )
        return (
            answer.json()
            if answer.content and "json" in answer.headers.get("Content-Type", "")
            else answer.text or None
        )

    def sign(self, prepared: requests.PreparedRequest) -> str:
        """The phone's signature over a door command."""
        assert self.key is not None
        raw = prepared.body.encode() if isinstance(prepared.body, str) else (prepared.body or b"")
        seconds = str(int(time.time() + self.clock_off_s))
        parts = (
            prepared.method or "",
            prepared.path_url,
            prepared.headers["Idempotency-Key"],
            seconds,
            hashlib.sha256(raw).hexdigest(),
        )
        r, s = utils.decode_dss_signature(self.key.sign("\n".join(parts).encode(), ec.ECDSA(SHA256())))
        return f"{seconds}.{b64(r.to_bytes(32) + s.to_bytes(32))}"

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.call("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.call("PUT", path, body, **options)

    def patch(self, path: str, body: Any) -> Any:
        """A change on the present state."""
        self.get(path)
        assert self.last is not None
        return self.call("PATCH", path, body, headers={"If-Match": self.last.headers["ETag"]})

    def clear_licence(self, community: str, member: str) -> Any:
        """Clear a member's licence as it is now."""
        path = f"/communities/{community}/members/{member}/licence"
        self.get(path)
        assert self.last is not None
        return self.post(f"{path}/clear", headers={"If-Match": self.last.headers["ETag"]})

    def refused(self, method: str, path: str, body: Any = None, *, slug: str, **options: Any) -> Any:
        """The request must be refused with this problem; returns the document."""
        document = self.call(method, path, body, want=tuple(range(400, 505)), **options)
        if document.get("type") != f"/problems/{slug}":
            raise Refused(f"{self.name}: {method} {path} wanted {slug}, got {document}")
        return document


def _path(path: str) -> str:
    return (
        path
        if path.startswith(("/.", "/oauth", "/webhooks", "/v1", "/conditions", "/problems", "/openapi"))
        else f"/v1{path}"
    )

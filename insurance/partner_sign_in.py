"""How we show an insurer who we are: a fixed token, or OAuth 2 client credentials."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import requests
from requests.auth import AuthBase

from insurance.ask import ask
from insurance.partner import InsurerRejected, InsurerUnavailable

_EARLY: Final = 30.0
_OK: Final = 200
_BUSY: Final = 429
_SERVER: Final = 500


class SignIn(Protocol):
    """Answers the token for the next request; `forget` after the insurer no longer takes it."""

    def token(self) -> str: ...

    def forget(self) -> None: ...


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token agreed by letter."""

    value: str = field(repr=False)

    def token(self) -> str:
        return self.value

    def forget(self) -> None:
        """There is no other."""


class ClientCredentials:
    """RFC 6749, 4.4: one token for all threads, renewed half a minute before it ends."""

    def __init__(
        self,
        *,
        token_url: str,
        client_id: str,
        client_secret: str,
        scope: str = "",
        timeout: tuple[float, float] = (3.0, 10.0),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token_url = token_url
        self._client = (client_id, client_secret)
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._timeout = timeout
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._held = ("", 0.0)

    def token(self) -> str:
        with self._lock:
            value, until = self._held
            if not value or self._monotonic() >= until:
                value, seconds = self._fetch()
                self._held = (value, self._monotonic() + max(0.0, seconds - _EARLY))
            return value

    def forget(self) -> None:
        with self._lock:
            self._held = ("", 0.0)

    def _fetch(self) -> tuple[str, float]:
        try:
            answer = ask("POST", self._token_url, data=self._form, auth=self._client, timeout=self._timeout)
        except requests.RequestException as error:
            raise InsurerUnavailable(f"no token: {error}") from error
        if answer.status_code >= _SERVER or answer.status_code == _BUSY:
            raise InsurerUnavailable(f"no token: {answer.status_code}")
        if answer.status_code != _OK:
            raise InsurerRejected(f"no token: {answer.status_code}")
        try:
            body = answer.json()
            return str(body["access_token"]), float(body.get("expires_in", 60))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InsurerUnavailable("no token: the answer cannot be read") from error


class Bearer(AuthBase):
    """Sets the header itself: without an auth object `requests` would take a password from ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

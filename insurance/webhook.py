"""Webhooks to insurers, by the Standard Webhooks specification: signed with each secret in force, one POST a try.

An address is the insurer's word: it is spoken to over TLS alone, at public addresses alone, and is not followed elsewhere.
The address is looked at again after the connection is made and before a byte goes out, so a name that resolves otherwise
meanwhile reaches nothing of ours.
"""

import base64
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from standardwebhooks import Webhook
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

TIMEOUT_S: Final = 15.0
_PREFIX: Final = "whsec_"


class WebhookFailed(Exception):
    """No 2xx came, and what came or befell instead; `status` is None where no answer did."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class EndpointForbidden(WebhookFailed):
    """No address we speak to."""


def new_secret() -> str:
    """24 random bytes as the specification writes them."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def check_url(url: str, *, local: bool = False) -> None:
    """Raises EndpointForbidden with what would be right. `local`: a demo's and a test's loopback is one, plain too."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise EndpointForbidden("Is to be an https URL.") from error
    loopback = parts.hostname in ("127.0.0.1", "localhost")
    if local and loopback and parts.scheme in ("http", "https"):
        return
    if parts.scheme != "https" or not parts.hostname:
        raise EndpointForbidden("Is to be an https URL.")
    if parts.username or parts.password or parts.fragment:
        raise EndpointForbidden("Is to be without user, password and fragment.")
    try:
        address = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    if not address.is_global:
        raise EndpointForbidden("Is to be a public address.")


def post(
    url: str, body: str, *, message: str, at: datetime, signed_by: Sequence[str], local: bool = False
) -> int:
    """One try; returns the 2xx that came. Raises WebhookFailed."""
    check_url(url, local=local)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Glovebox-Webhooks/1",
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(one).sign(message, at, body) for one in signed_by),
    }
    with requests.Session() as session:
        session.trust_env = False
        if not local:
            session.mount("https://", _PublicAlone())
        try:
            answer = session.post(
                url,
                data=body.encode(),
                headers=headers,
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            raise WebhookFailed(type(error).__name__) from error
    if not answer.ok or answer.status_code >= requests.codes.multiple_choices:
        raise WebhookFailed(str(answer.status_code), answer.status_code)
    return answer.status_code


class _PublicAlone(HTTPAdapter):
    """Connections of requests that end at a public address or not at all."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        cast("Any", self).poolmanager.pool_classes_by_scheme = {"https": _Pool, "http": HTTPConnectionPool}


class _Connection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        made = HTTPConnection._new_conn(self)  # noqa: SLF001 - where urllib3 has its connections made
        if not ipaddress.ip_address(made.getpeername()[0]).is_global:
            made.close()
            raise EndpointForbidden("Resolves to an address that is not public.")
        return made


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection

"""The one way out to an address that somebody else chose: TLS alone, public addresses alone. Each wait is bounded;
who must be bounded as a whole runs apart, as whoever reads calendars does.

The address is looked at again after the connection is made and before a byte goes out, so a name that resolves otherwise
meanwhile reaches nothing of ours. Where settings say demo or test, this machine's own loopback may be spoken to as well.
"""

import ipaddress
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

TIMEOUT_S: Final = 15.0
REDIRECTS: Final = 3
_CHUNK: Final = 1 << 14


class FetchFailed(Exception):
    """No 2xx came, and what came or befell instead; `status` is None where no answer did."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class AddressForbidden(FetchFailed):
    """No address we speak to; the text says what would be one."""


class TooLarge(FetchFailed):
    """More came than was asked for."""


class TooSlow(FetchFailed):
    """It was not all there in time."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: None where nothing has changed since; and what to ask with the next time."""

    body: bytes | None
    etag: str | None
    last_modified: str | None


def check_url(url: str, *, local: bool = False) -> None:
    """Raises AddressForbidden with what would be right. `local`: loopback is one, plain too."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise AddressForbidden("Is to be an https URL.") from error
    loopback = parts.hostname in ("127.0.0.1", "localhost")
    if local and loopback and parts.scheme in ("http", "https"):
        return
    if parts.scheme != "https" or not parts.hostname:
        raise AddressForbidden("Is to be an https URL.")
    if parts.username or parts.password or parts.fragment:
        raise AddressForbidden("Is to be without user, password and fragment.")
    try:
        public = _is_public(parts.hostname)
    except ValueError:
        return
    if not public:
        raise AddressForbidden("Is to be a public address.")


def post(url: str, body: bytes, headers: Mapping[str, str], *, local: bool = False) -> int:
    """One try; returns the 2xx that came; never follows elsewhere. Raises FetchFailed."""
    with _asked("POST", url, headers, body, local=local) as answer:
        _refuse(answer)
        return answer.status_code


def knock(
    url: str, body: bytes, headers: Mapping[str, str], *, local: bool = False
) -> tuple[int, str | None]:
    """One try, for a door that knows nothing of us: the status and Retry-After of whatever came.

    Raises ValueError for an address we do not speak to, ConnectionError where no answer came.
    """
    try:
        with _asked("POST", url, headers, body, local=local) as answer:
            return answer.status_code, answer.headers.get("Retry-After")
    except AddressForbidden as error:
        raise ValueError(str(error)) from error
    except FetchFailed as error:
        raise ConnectionError(str(error)) from error


def get(
    url: str, *, at_most: int, etag: str | None = None, last_modified: str | None = None, local: bool = False
) -> Fetched:
    """What is there, of at most so many bytes and within TIMEOUT_S in all; at most REDIRECTS onwards, each looked at.

    With what came along the last time it says whether anything has changed. Raises FetchFailed.
    """
    until = time.monotonic() + TIMEOUT_S
    # Not compressed: a small answer that grows to gigabytes is none that we read.
    headers = {"User-Agent": "Glovebox-Calendars/1", "Accept-Encoding": "identity"}
    if etag:
        headers["If-None-Match"] = etag
    elif last_modified:
        headers["If-Modified-Since"] = last_modified
    for _ in range(REDIRECTS + 1):
        with _asked("GET", url, headers, None, local=local) as answer:
            if answer.status_code == requests.codes.not_modified:
                return Fetched(None, etag, last_modified)
            if answer.is_redirect:
                url = urljoin(url, answer.headers["Location"])
                continue
            _refuse(answer)
            body = _read(answer, at_most, until)
            return Fetched(body, answer.headers.get("ETag"), answer.headers.get("Last-Modified"))
    raise FetchFailed("too many redirects")


@contextmanager
def _asked(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, local: bool
) -> Iterator[requests.Response]:
    check_url(url, local=local)
    with requests.Session() as session:
        session.trust_env = False
        if not local:
            session.mount("https://", _PublicAlone())
        try:
            answer = session.request(
                method,
                url,
                data=body,
                headers=dict(headers),
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            )
            yield answer
        except requests.Timeout as error:
            raise TooSlow(type(error).__name__) from error
        except requests.RequestException as error:
            raise FetchFailed(type(error).__name__) from error


def _refuse(answer: requests.Response) -> None:
    if not answer.ok or answer.status_code >= requests.codes.multiple_choices:
        raise FetchFailed(str(answer.status_code), answer.status_code)


def _read(answer: requests.Response, at_most: int, until: float) -> bytes:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchFailed("compressed, though not asked for")
    found = bytearray()
    for chunk in answer.iter_content(_CHUNK):
        found += chunk
        if len(found) > at_most:
            raise TooLarge(f"more than {at_most} bytes")
        if time.monotonic() > until:
            raise TooSlow("not all there in time")
    return bytes(found)


def _is_public(address: str) -> bool:
    """Raises ValueError for what is no address but a name."""
    found = ipaddress.ip_address(address)
    inner = getattr(found, "ipv4_mapped", None)
    return (inner or found).is_global


class _PublicAlone(HTTPAdapter):
    """Connections of requests that end at a public address or not at all."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        cast("Any", self).poolmanager.pool_classes_by_scheme = {"https": _Pool, "http": HTTPConnectionPool}


class _Connection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        made = HTTPConnection._new_conn(self)  # noqa: SLF001 - where urllib3 has its connections made
        if not _is_public(made.getpeername()[0]):
            made.close()
            raise AddressForbidden("Resolves to an address that is not public.")
        return made


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection

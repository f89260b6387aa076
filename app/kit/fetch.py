"""The one way out to an address that somebody else chose: TLS alone, public addresses alone, bounded in time and size.

The address is looked at again after the connection is made and before a byte goes out, so a name that resolves otherwise
meanwhile reaches nothing of ours. Where settings say demo or test, this machine's own loopback may be spoken to as well.
"""

import ipaddress
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

from outbound.bounded import Bounded, TooMuch, read

_LAST_FOUR: Final = tuple(ipaddress.IPv6Network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))
"""Nets in whose addresses the last four bytes are an IPv4 address: of NAT64, and of old."""

TIMEOUT_S: Final = 15.0
REDIRECTS: Final = 3
_NO_HOST: Final = re.compile(rb"[^a-z0-9._:-]")
"""What is in no host: neither in a name, as it is asked for, nor in an address."""


class FetchFailed(Exception):
    """No 2xx came, and what came or befell instead; `status` is None where no answer did."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class AddressForbidden(FetchFailed):
    """No address we speak to; the text says what would be one."""


class LeadsInside(AddressForbidden):
    """A name that leads to an address of ours, now: it may lead elsewhere the next time."""


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
        host = (parts.hostname or "").encode("idna").lower()
    except ValueError as error:
        raise AddressForbidden("Is to be an https URL.") from error
    if _NO_HOST.search(host):
        raise AddressForbidden("Is to be an https URL with a host that can be.")
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

    Raises ValueError for an address we do not speak to, ConnectionError where no answer came, or its name leads inside just
    now.
    """
    try:
        with _asked("POST", url, headers, body, local=local) as answer:
            return answer.status_code, answer.headers.get("Retry-After")
    except AddressForbidden as error:
        kind = ConnectionError if isinstance(error, LeadsInside) else ValueError
        raise kind(str(error)) from error
    except FetchFailed as error:
        raise ConnectionError(str(error)) from error


def get(
    url: str,
    *,
    at_most: int,
    etag: str | None = None,
    last_modified: str | None = None,
    local: bool = False,
    within_s: float = TIMEOUT_S,
) -> Fetched:
    """What is there, of at most so many bytes; at most REDIRECTS onwards, each looked at and with `within_s` of its own.

    With what came along the last time it says whether anything has changed. Raises FetchFailed.
    """
    # Not compressed: a small answer that grows to gigabytes is none that we read.
    headers = {"User-Agent": "Glovebox-Calendars/1", "Accept-Encoding": "identity"}
    if etag:
        headers["If-None-Match"] = etag
    elif last_modified:
        headers["If-Modified-Since"] = last_modified
    for _ in range(REDIRECTS + 1):
        with _asked("GET", url, headers, None, local=local, within_s=within_s) as answer:
            if answer.status_code == requests.codes.not_modified:
                return Fetched(None, etag, last_modified)
            if answer.is_redirect:
                url = urljoin(url, answer.headers["Location"])
                continue
            _refuse(answer)
            body = _read(answer, at_most)
            return Fetched(body, answer.headers.get("ETag"), answer.headers.get("Last-Modified"))
    raise FetchFailed("too many redirects")


@contextmanager
def _asked(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    local: bool,
    within_s: float = TIMEOUT_S,
) -> Iterator[requests.Response]:
    """The answer's head; what is read of its body inside is bounded with all else."""
    check_url(url, local=local)
    if not local:
        _refuse_inside(url)
    with Bounded(within_s, None if local else _must_be_public) as session:
        session.trust_env = False
        try:
            answer = session.request(
                method,
                url,
                data=body,
                headers=dict(headers),
                timeout=within_s,
                allow_redirects=False,
                stream=True,
            )
            yield answer
            if session.is_cut:
                raise TooSlow("cut off")
        except TooMuch as error:
            raise TooLarge(str(error)) from error
        except requests.RequestException as error:
            slow = isinstance(error, requests.Timeout) or session.is_cut
            raise (TooSlow if slow else FetchFailed)(type(error).__name__) from error


def _refuse(answer: requests.Response) -> None:
    if not answer.ok or answer.status_code >= requests.codes.multiple_choices:
        raise FetchFailed(str(answer.status_code), answer.status_code)


def _read(answer: requests.Response, at_most: int) -> bytes:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchFailed("compressed, though not asked for")
    return read(answer, at_most)


def _is_public(address: str) -> bool:
    """Raises ValueError for what is no address but a name."""
    found = ipaddress.ip_address(address)
    inner = _inner(found) if isinstance(found, ipaddress.IPv6Address) else None
    return (inner or found).is_global and not found.is_multicast


def _inner(found: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address that a translator or a tunnel on the way makes of it."""
    if any(found in net for net in _LAST_FOUR):
        return ipaddress.IPv4Address(found.packed[-4:])
    return found.ipv4_mapped or found.sixtofour


def _refuse_inside(url: str) -> None:
    """Looked at before the first connection, which would tell whether something listens there; and once more after it, since
    a name may lead elsewhere the next time.
    """
    host = urlsplit(url).hostname
    with suppress(OSError):  # the connection says that there is no such name
        for *_, there in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
            if not _is_public(str(there[0])):
                raise LeadsInside("Resolves to an address that is not public.")


def _must_be_public(made: socket.socket) -> None:
    if not _is_public(made.getpeername()[0]):
        raise LeadsInside("Resolves to an address that is not public.")

"""One request to an insurer, bounded in time and size as a whole: whoever answers drop by drop holds nobody up."""

import json
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

AT_MOST: Final = 1 << 20
_CHUNK: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, read to its end."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Mapping[str, Any]:
        """Of an object; nothing where it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, Mapping) else {}


def ask(method: str, url: str, *, timeout: tuple[float, float], **what: Any) -> Answer:
    """`timeout` is (connect, read) in seconds, and both together for all of it; never followed elsewhere.

    Raises requests.RequestException.
    """
    adapter = _Adapter()
    cut = threading.Timer(sum(timeout), adapter.cut)
    cut.start()
    try:
        with requests.Session() as session:
            for scheme in ("https://", "http://"):
                session.mount(scheme, adapter)
            with session.request(
                method, url, timeout=timeout, allow_redirects=False, stream=True, **what
            ) as answer:
                body = _read(answer)
        if adapter.is_cut:  # what was cut off may look like an end
            raise requests.ReadTimeout("it was not all there in time")
        return Answer(answer.status_code, answer.headers, body)
    finally:
        cut.cancel()
        adapter.forget()


def _read(answer: requests.Response) -> bytes:
    found = bytearray()
    for chunk in answer.iter_content(_CHUNK):
        found += chunk
        if len(found) > AT_MOST:
            raise requests.RequestException(f"more than {AT_MOST} bytes")
    return bytes(found)


class _Adapter(HTTPAdapter):
    """Connections that can be cut off, whoever waits for them."""

    def __init__(self) -> None:
        self._opened = list[socket.socket]()
        self.is_cut = False
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        opened = self._connected

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return opened(super()._new_conn())

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return opened(super()._new_conn())

        plain = type("Pool", (HTTPConnectionPool,), {"ConnectionCls": Plain})
        secure = type("Pool", (HTTPSConnectionPool,), {"ConnectionCls": Secure})
        cast("Any", self).poolmanager.pool_classes_by_scheme = {"http": plain, "https": secure}

    def _connected(self, made: socket.socket) -> socket.socket:
        self._opened.append(made.dup())  # TLS takes the socket itself over
        return made

    def cut(self) -> None:
        self.is_cut = True
        for one in self._opened:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        for one in self._opened:
            one.close()

"""Requests to somebody else's server that end in time and size as a whole: whoever answers drop by drop holds nobody up.

It knows neither the app nor a door; both go out by it.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_CHUNK: Final = 1 << 14
Look = Callable[[socket.socket], None]
"""Looks at a connection that was just made, and raises where it may not be spoken on."""


class TooMuch(requests.RequestException):
    """The answer is larger than may be read."""


class Bounded(requests.Session):
    """A session whose connections are cut off `seconds` after it was made; close it, or use it as a context."""

    def __init__(self, seconds: float, look: Look | None = None) -> None:
        super().__init__()
        self._ends = _Adapter(look)
        for scheme in ("https://", "http://"):
            self.mount(scheme, self._ends)
        self._timer = threading.Timer(seconds, self._ends.cut)
        self._timer.start()

    @property
    def is_cut(self) -> bool:
        """Whether the time ran out; what came by then may look like a whole answer."""
        return self._ends.is_cut

    def close(self) -> None:
        self._timer.cancel()
        super().close()
        self._ends.forget()


def read(answer: requests.Response, at_most: int) -> bytes:
    """The body of an answer that is streamed. Raises TooMuch beyond so many bytes."""
    found = bytearray()
    for chunk in answer.iter_content(_CHUNK):
        found += chunk
        if len(found) > at_most:
            raise TooMuch(f"more than {at_most} bytes")
    return bytes(found)


class _Adapter(HTTPAdapter):
    """Connections that can be cut off, whoever waits for them."""

    def __init__(self, look: Look | None) -> None:
        self._look, self._opened = look, list[socket.socket]()
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
        if self._look is not None:
            try:
                self._look(made)
            except BaseException:
                made.close()
                raise
        self._opened.append(made.dup())  # TLS takes the socket itself over
        return made

    def cut(self) -> None:
        """End what is connected."""
        self.is_cut = True
        for one in self._opened:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        for one in self._opened:
            one.close()

"""The one way out to an address that somebody else chose."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from app.kit import fetch
from app.kit.fetch import AddressForbidden, FetchFailed, TooSlow


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example/changes",
        "ftp://partner.example/",
        "https://",
        "https://[partner.example/",
        "https://partner\x07.example/",
        "https://partner<b>.example/",
        f"https://{'a' * 64}.example/",
        "https://user:secret@partner.example/",
        "https://partner.example/#part",
        "https://10.0.0.1/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::10.0.0.5]/",
        "https://[2002:7f00:1::]/",
        "https://[::127.0.0.1]/",
        "https://[ff0e::1]/",
    ],
)
def test_an_address_that_is_not_public_is_refused(url: str) -> None:
    with pytest.raises(AddressForbidden):
        fetch.check_url(url)


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A port that takes one connection and says this, whatever it is asked."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                taken, _ = server.accept()
            except OSError:
                return
            with taken:
                heard.append(taken.recv(4096))
                taken.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@contextmanager
def dripping(head: bytes) -> Iterator[int]:
    """A port that answers this, and then a byte each tenth of a second."""
    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            taken, _ = server.accept()
            with taken, suppress(OSError):
                taken.sendall(head)
                while not gone.wait(0.1):
                    taken.sendall(b"x")

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        gone.set()
        thread.join()


def test_a_name_that_resolves_to_this_machine_is_not_spoken_to() -> None:
    with answering(b"") as (port, heard):
        with pytest.raises(AddressForbidden):
            fetch.post(f"https://localhost:{port}/", b"{}", {})
        assert heard in ([], [b""])


def test_a_small_answer_that_grows_is_not_read() -> None:
    packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    with answering(packed) as (port, _), pytest.raises(FetchFailed, match="compressed"):
        fetch.get(f"http://127.0.0.1:{port}/", at_most=100, local=True)


def test_what_is_not_http_is_a_failure_like_others() -> None:
    with answering(b"220 smtp.example ESMTP\r\n") as (port, _), pytest.raises(FetchFailed):
        fetch.get(f"http://127.0.0.1:{port}/", at_most=100, local=True)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"]
)
def test_a_byte_now_and_then_ends_with_the_time_for_all(head: bytes) -> None:
    with dripping(head) as port:
        began = time.monotonic()
        with pytest.raises(TooSlow):
            fetch.get(f"http://127.0.0.1:{port}/", at_most=100, local=True, within_s=0.3)
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("listens", [True, False])
def test_a_name_that_leads_inside_says_the_same_whether_something_listens_there(*, listens: bool) -> None:
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        if listens:
            there.listen()
        url = f"https://localhost:{there.getsockname()[1]}/"
        with pytest.raises(AddressForbidden):
            fetch.get(url, at_most=10)
        with pytest.raises(ConnectionError):
            fetch.knock(url, b"", {})

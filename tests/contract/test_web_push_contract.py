"""What the push door promises, kept for browsers: sealed for each, signed, over real sockets to the double's service."""

import base64
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from app.kit import fetch
from notifications import aes128gcm
from notifications.double.browsers import opened
from notifications.double.process import running
from notifications.push import (
    PhoneGone,
    PushCut,
    PushError,
    PushMessage,
    PushOverQuota,
    PushRefused,
    PushUnavailable,
    topic_of,
)
from notifications.push_by_kind import PushByKind
from notifications.web_push import AT_ONCE, WebPush, unb64

KEY = base64.urlsafe_b64encode(b"\x07" * 32).decode()
MESSAGE = PushMessage(
    kind="fid",
    address="fid-max",
    title="Zoé ist offen",
    body="Du hast das Auto bis 18:00\u202f!",
    data={"message": "msg_1", "rental": "ren_1", "kind": "rental_unlocked.driver"},
    urgent=True,
    ttl=timedelta(minutes=10),
    collapse_key="rental-ren_1",
)


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("web-push")) as ready:
        yield ready["control"]


def way_out(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str | None]:
    return fetch.knock(url, body, headers, local=True)


@pytest.fixture(scope="module")
def push() -> WebPush:
    return WebPush(KEY, "mailto:no-reply@glovebox.example", way_out)


def browser(control: str) -> PushMessage:
    """The message for a browser that has just subscribed."""
    found = requests.post(f"{control}/subscribe", timeout=5).json()
    return replace(MESSAGE, kind="webpush", address=found["endpoint"], keys=found["keys"])


def shown(control: str, message: PushMessage) -> list[dict[str, Any]]:
    answer = requests.get(f"{control}/web_pushes", params={"endpoint": message.address}, timeout=5)
    found: list[dict[str, Any]] = answer.json()["pushes"]
    return found


def fault(control: str, message: PushMessage, answer: int, **more: Any) -> None:
    order = {"endpoint": message.address, "answer": answer, **more}
    requests.post(f"{control}/web_fault", json=order, timeout=5).raise_for_status()


def test_the_example_of_the_rfc_is_sealed_as_written_there_and_opened() -> None:
    def private(text: str) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(unb64(text)), ec.SECP256R1())

    reader = private("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")
    secret = unb64("BTBZMqHH6r4Tts7J_aSIgg")
    sealed = aes128gcm.seal(
        b"When I grow up, I want to be a watermelon",
        aes128gcm.raw(reader.public_key()),
        secret,
        sender=private("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
        salt=unb64("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert sealed == unb64(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert opened(sealed, reader, secret) == b"When I grow up, I want to be a watermelon"


def test_only_the_browser_reads_what_it_is_pushed(push: WebPush, control: str) -> None:
    message = browser(control)
    assert push.send_all([message]) == ["msg_1"]
    [arrived] = shown(control, message)
    assert arrived["shown"] == {
        "title": MESSAGE.title,
        "body": MESSAGE.body,
        "data": dict(MESSAGE.data),
        "tag": "rental-ren_1",
    }
    assert arrived["headers"] == {"TTL": "600", "Urgency": "high", "Topic": topic_of("rental-ren_1")}


def test_what_can_wait_lets_the_browser_sleep(push: WebPush, control: str) -> None:
    message = replace(browser(control), urgent=False, ttl=timedelta(hours=24), collapse_key=None)
    push.send_all([message])
    [arrived] = shown(control, message)
    assert arrived["headers"] == {"TTL": "86400", "Urgency": "normal"}


@pytest.mark.parametrize(
    ("answer", "more", "raised", "comes_back"),
    [
        (404, {}, PhoneGone, None),
        (410, {}, PhoneGone, None),
        (429, {"retry_after": "120"}, PushOverQuota, 120.0),
        (429, {}, PushOverQuota, 60.0),
        (500, {}, PushUnavailable, None),
        (503, {"retry_after": "30"}, PushUnavailable, 30.0),
        (400, {}, PushRefused, None),
        (403, {}, PushRefused, None),
        (413, {}, PushRefused, None),
        (302, {}, PushRefused, None),
    ],
)
def test_each_answer_of_a_service_says_what_to_do_next(
    push: WebPush,
    control: str,
    answer: int,
    more: dict[str, str],
    raised: type[PushError],
    comes_back: float | None,
) -> None:
    bad, good = browser(control), browser(control)
    fault(control, bad, answer, **more)
    came = push.send_all([bad, good])
    assert type(came[0]) is raised
    assert getattr(came[0], "retry_after", None) == comes_back
    assert (came[1], shown(control, bad)) == ("msg_1", [])


def test_a_service_that_does_not_answer_is_tried_again(push: WebPush, control: str) -> None:
    nobody = replace(browser(control), address="http://127.0.0.1:9/webpush/1")
    [came] = push.send_all([nobody])
    assert type(came) is PushUnavailable


def test_services_that_hang_hold_up_neither_the_end_of_the_batch_nor_what_is_sent_after_it(
    control: str,
) -> None:
    hung = threading.Event()

    def way(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str | None]:
        if "hangs" in url:
            hung.wait(10)
        return way_out(url, body, headers)

    push = WebPush(KEY, "mailto:no-reply@glovebox.example", way, within_s=1)
    good = [browser(control) for _ in range(4)]
    bad = [replace(good[0], address=f"http://127.0.0.1:9/hangs/{n}") for n in range(AT_ONCE)]
    began = time.monotonic()
    came = push.send_all([*bad, *good])
    assert time.monotonic() - began < 3
    assert [type(one) for one in came] == [PushUnavailable] * AT_ONCE + [PushCut] * 4
    assert push.send_all(good) == ["msg_1"] * 4
    assert [len(shown(control, one)) for one in good] == [1] * 4
    hung.set()


@pytest.mark.parametrize(
    "endpoint", ["http://push.example/1", "https://10.0.0.8/1", "ftp://127.0.0.1/1", "x"]
)
def test_an_endpoint_that_is_none_is_never_called(push: WebPush, control: str, endpoint: str) -> None:
    [came] = push.send_all([replace(browser(control), address=endpoint)])
    assert type(came) is PushRefused


@pytest.mark.parametrize("keys", [None, {}, {"p256dh": "AAAA", "auth": "AAAA"}, {"p256dh": "é", "auth": "="}])
def test_a_subscription_without_keys_that_fit_is_as_good_as_gone(
    push: WebPush, control: str, keys: dict[str, str] | None
) -> None:
    [came] = push.send_all([replace(browser(control), keys=keys)])
    assert type(came) is PhoneGone


def test_a_message_too_big_is_refused_and_the_browser_kept(push: WebPush, control: str) -> None:
    message = browser(control)
    [came] = push.send_all([replace(message, body="é" * 1990)])
    assert type(came) is PushRefused
    assert push.send_all([replace(message, body="é" * 1880)]) == ["msg_1"]


def test_a_key_that_is_not_ours_is_refused_by_the_service(control: str) -> None:
    wrong = WebPush(KEY, "https://glovebox.example", way_out)
    assert type(wrong.send_all([browser(control)])[0]) is PushRefused


def test_keys_of_a_browser_are_not_shown_where_messages_are_logged(control: str) -> None:
    message = browser(control)
    assert message.keys is not None
    assert message.keys["auth"] not in repr(message)


def test_apps_and_browsers_each_go_their_own_way_in_order(push: WebPush, control: str) -> None:
    first, last = browser(control), browser(control)
    came = PushByKind(None, push).send_all([first, MESSAGE, last])
    assert [type(one) for one in came] == [str, PushRefused, str]
    assert [type(one) for one in PushByKind(push, None).send_all([first])] == [PushRefused]


def test_an_address_that_is_not_written_to_any_more_leaves_the_browser_as_it_is(control: str) -> None:
    def off_the_list(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str | None]:
        raise ValueError("not a push service")

    push = WebPush(KEY, "mailto:no-reply@glovebox.example", off_the_list)
    [came] = push.send_all([browser(control)])
    assert type(came) is PushRefused

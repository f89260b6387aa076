"""What the push door promises, kept by the real Firebase adapter over real sockets."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from app.kit import fetch
from notifications.double.process import running
from notifications.firebase_push import FirebasePush
from notifications.push import (
    PhoneGone,
    PushCut,
    PushError,
    PushMessage,
    PushOverQuota,
    PushRefused,
    PushUnavailable,
)
from notifications.push_by_kind import PushByKind
from notifications.web_push import WebPush

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
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with (
        running(tmp_path_factory.mktemp("push")) as ready,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in ready["environment"].items():
            environment.setenv(name, value)
        yield ready


@pytest.fixture(scope="module")
def push(double: dict[str, Any]) -> Iterator[FirebasePush]:
    account = json.loads(Path(double["credentials_file"]).read_text())
    firebase = FirebasePush(account, timeout=5, real_time=lambda: 1_800_000_000.0)
    yield firebase
    firebase.close()


@pytest.fixture(autouse=True)
def _fresh(double: dict[str, Any]) -> None:
    requests.post(f"{double['control']}/reset", timeout=5).raise_for_status()


def send(push: FirebasePush, message: PushMessage) -> str:
    """One message alone; raises what went wrong."""
    [came] = push.send_all([message])
    if isinstance(came, PushError):
        raise came
    return came


def attempts(double: dict[str, Any]) -> int:
    """How many times FCM was asked, in vain or not."""
    return int(requests.get(f"{double['control']}/pushes", timeout=5).json()["attempts"])


def fault(double: dict[str, Any], **order: object) -> None:
    requests.post(f"{double['control']}/fault", json=order, timeout=5).raise_for_status()


def pushes(double: dict[str, Any], address: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{double['control']}/pushes", params={"address": address}, timeout=5).json()
    found: list[dict[str, Any]] = answer["pushes"]
    return found


def test_a_message_reaches_its_phone_and_gets_a_name(push: FirebasePush, double: dict[str, Any]) -> None:
    name = send(push, MESSAGE)
    [arrived] = pushes(double, "fid-max")
    assert arrived["name"] == name
    assert arrived["message"]["fid"] == "fid-max"
    assert arrived["message"]["notification"] == {"title": MESSAGE.title, "body": MESSAGE.body}
    assert arrived["message"]["data"] == dict(MESSAGE.data)


def test_an_older_app_is_reached_by_its_token(push: FirebasePush, double: dict[str, Any]) -> None:
    send(push, replace(MESSAGE, kind="fcm_token", address="token-max"))
    [arrived] = pushes(double, "token-max")
    assert arrived["message"]["token"] == "token-max"
    assert "fid" not in arrived["message"]


def test_an_app_and_a_browser_are_shown_the_same(push: FirebasePush, double: dict[str, Any]) -> None:
    key = base64.urlsafe_b64encode(b"\x07" * 32).decode()
    found = requests.post(f"{double['control']}/subscribe", timeout=5).json()
    browser = replace(MESSAGE, kind="webpush", address=found["endpoint"], keys=found["keys"])
    web = WebPush(key, "mailto:no-reply@glovebox.example", partial(fetch.knock, local=True))
    came = PushByKind(push, web).send_all([MESSAGE, browser])
    assert not any(isinstance(one, PushError) for one in came)
    [app] = pushes(double, "fid-max")
    asked = {"endpoint": browser.address}
    [shown] = requests.get(f"{double['control']}/web_pushes", params=asked, timeout=5).json()["pushes"]
    assert shown["shown"] == {
        **app["message"]["notification"],
        "data": app["message"]["data"],
        "tag": app["message"]["android"]["notification"]["tag"],
    }
    assert shown["headers"] == app["message"]["webpush"]["headers"]


def test_an_urgent_message_wakes_the_phone_and_dies_in_time(
    push: FirebasePush, double: dict[str, Any]
) -> None:
    send(push, MESSAGE)
    message = pushes(double, "fid-max")[0]["message"]
    assert message["android"]["priority"] == "high"
    assert message["android"]["ttl"] == "600s"
    assert message["android"]["collapse_key"] == message["android"]["notification"]["tag"] == "rental-ren_1"
    assert message["android"]["notification"]["visibility"] == "PRIVATE"
    assert message["apns"]["headers"] == {
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": "1800000600",
        "apns-collapse-id": "rental-ren_1",
    }
    aps = message["apns"]["payload"]["aps"]
    assert aps["interruption-level"] == "time-sensitive"
    assert aps["thread-id"] == "ren_1"
    assert aps["category"] == "rental_unlocked.driver"
    assert len(message["webpush"]["headers"]["Topic"]) == 32


def test_a_message_that_can_wait_lets_the_phone_sleep(push: FirebasePush, double: dict[str, Any]) -> None:
    send(push, replace(MESSAGE, urgent=False, ttl=timedelta(hours=24), collapse_key=None))
    message = pushes(double, "fid-max")[0]["message"]
    assert message["android"]["priority"] == "normal"
    assert message["apns"]["headers"]["apns-priority"] == "5"
    assert message["webpush"]["headers"] == {"TTL": "86400", "Urgency": "normal"}


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ("unregistered", PhoneGone),
        ("sender_mismatch", PhoneGone),
        ("invalid", PhoneGone),
        ("not_found", PushRefused),
        ("third_party", PushRefused),
        ("quota", PushOverQuota),
    ],
)
def test_each_answer_of_fcm_says_what_to_do_next(
    push: FirebasePush, double: dict[str, Any], answer: str, raised: type[PushError]
) -> None:
    fault(double, answer=answer, address="fid-max", times=0)
    with pytest.raises(raised) as caught:
        send(push, MESSAGE)
    assert type(caught.value) is raised
    assert not caught.value.may_have_acted
    assert pushes(double, "fid-max") == []


def test_a_fault_of_one_phone_leaves_the_others_alone(push: FirebasePush, double: dict[str, Any]) -> None:
    fault(double, answer="unregistered", address="fid-max", times=0)
    send(push, replace(MESSAGE, address="fid-olga"))
    assert len(pushes(double, "fid-olga")) == 1


@pytest.mark.parametrize(
    ("answer", "raised", "retry_after", "comes_back"),
    [
        ("unavailable", PushUnavailable, None, None),
        ("unavailable", PushUnavailable, 60, 60.0),
        ("internal", PushUnavailable, None, None),
        ("quota", PushOverQuota, None, 60.0),
        ("quota", PushOverQuota, 120, 120.0),
    ],
)
def test_what_is_to_be_repeated_is_asked_once_and_never_slept_over(
    push: FirebasePush,
    double: dict[str, Any],
    answer: str,
    raised: type[PushUnavailable],
    retry_after: int | None,
    comes_back: float | None,
) -> None:
    fault(double, answer=answer, times=0, retry_after=retry_after)
    with pytest.raises(raised) as caught:
        send(push, MESSAGE)
    assert caught.value.temporary
    assert caught.value.may_have_acted is (raised is not PushOverQuota)
    assert caught.value.retry_after == comes_back
    assert attempts(double) == 1


def test_a_lost_answer_shows_twice_under_one_message_id(push: FirebasePush, double: dict[str, Any]) -> None:
    fault(double, answer="lost", times=1)
    with pytest.raises(PushUnavailable):
        send(push, MESSAGE)
    send(push, MESSAGE)
    assert [one["message"]["data"]["message"] for one in pushes(double, "fid-max")] == ["msg_1", "msg_1"]


def test_a_message_too_big_is_refused_and_the_phone_kept(push: FirebasePush, double: dict[str, Any]) -> None:
    with pytest.raises(PushRefused, match="too big"):
        send(push, replace(MESSAGE, data={"message": "msg_1", "text": "é" * 2100}))
    assert attempts(double) == 0


def test_a_reserved_data_name_is_refused(push: FirebasePush) -> None:
    with pytest.raises(PushRefused, match="from"):
        send(push, replace(MESSAGE, data={"message": "msg_1", "from": "Olga"}))


def test_a_browser_subscription_is_refused_in_words(push: FirebasePush) -> None:
    with pytest.raises(PushRefused, match="Web Push"):
        send(push, replace(MESSAGE, kind="webpush", address="https://push.example/1"))


def test_a_wrong_key_is_refused_and_not_retried(double: dict[str, Any], tmp_path: Path) -> None:
    with running(tmp_path) as other:
        account = json.loads(Path(other["credentials_file"]).read_text())
    firebase = FirebasePush(account | {"token_uri": double["token_uri"]}, timeout=5)
    with pytest.raises(PushRefused, match="no access token"):
        send(firebase, MESSAGE)
    firebase.close()


def test_each_of_many_gets_its_own_answer_in_its_place(push: FirebasePush, double: dict[str, Any]) -> None:
    many = [replace(MESSAGE, address=f"fid-{number}") for number in range(130)]
    fault(double, answer="unregistered", address="fid-7", times=0)
    fault(double, answer="unavailable", address="fid-128", times=0)
    came = push.send_all(many)
    assert {n: type(one) for n, one in enumerate(came) if not isinstance(one, str)} == {
        7: PhoneGone,
        128: PushUnavailable,
    }
    assert [pushes(double, one.address)[0]["name"] for one in (many[0], many[129])] == [came[0], came[129]]


def test_a_service_that_takes_none_of_a_hundred_is_not_asked_for_the_rest(
    push: FirebasePush, double: dict[str, Any]
) -> None:
    fault(double, answer="unavailable", times=0)
    came = push.send_all([replace(MESSAGE, address=f"fid-{number}") for number in range(230)])
    assert [type(one) for one in came] == [PushUnavailable] * 100 + [PushCut] * 130
    assert attempts(double) == 100


def test_a_phone_whose_answer_hangs_holds_up_neither_the_others_nor_the_end_of_the_batch(
    double: dict[str, Any],
) -> None:
    account = json.loads(Path(double["credentials_file"]).read_text())
    firebase = FirebasePush(account, timeout=8, within_s=2.5)
    many = [replace(MESSAGE, address=f"fid-{number}") for number in range(130)]
    fault(double, answer="slow", address="fid-7", times=0, seconds=10)
    began = time.monotonic()
    came = firebase.send_all(many)
    assert time.monotonic() - began < 6
    assert {n: type(one) for n, one in enumerate(came[:100]) if not isinstance(one, str)} == {
        7: PushUnavailable
    }
    assert [type(one) for one in came[100:]] == [PushCut] * 30
    assert not any(pushes(double, one.address) for one in many[100:])
    assert firebase.send_all(many[100:]) == [pushes(double, one.address)[0]["name"] for one in many[100:]]
    firebase.close()


def test_one_that_cannot_be_sent_spoils_no_other(push: FirebasePush, double: dict[str, Any]) -> None:
    wrong = replace(MESSAGE, data={"message": "msg_2", "number": 2})  # type: ignore[dict-item]
    browser = replace(MESSAGE, kind="webpush", address="https://push.example/1")
    came = push.send_all([wrong, MESSAGE, browser])
    assert [type(one) for one in came] == [PushRefused, str, PushRefused]
    assert len(pushes(double, "fid-max")) == 1


def test_nothing_to_send_is_no_error(push: FirebasePush, double: dict[str, Any]) -> None:
    assert push.send_all([]) == []
    assert attempts(double) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": {}},
        {"address": ""},
        {"collapse_key": "é" * 33},
        {"ttl": timedelta(seconds=-1)},
    ],
)
def test_a_message_nobody_could_deliver_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"push message|Apple"):
        replace(MESSAGE, **wrong)


def test_an_address_is_not_shown_where_messages_are_logged() -> None:
    assert "fid-max" not in repr(MESSAGE)


def test_an_unknown_fault_is_refused_by_the_double(double: dict[str, Any]) -> None:
    answer = requests.post(f"{double['control']}/fault", json={"answer": "sulk"}, timeout=5)
    assert answer.status_code == 422

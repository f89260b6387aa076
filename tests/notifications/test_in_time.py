"""Many messages at once: each comes to its own end."""

import time
from datetime import timedelta

from notifications import in_time
from notifications.push import PushError, PushMessage, PushUnavailable


def message(address: str) -> PushMessage:
    return PushMessage(
        kind="fid",
        address=address,
        title="",
        body="",
        data={"message": "msg_1"},
        urgent=False,
        ttl=timedelta(1),
        collapse_key=None,
    )


def test_what_nobody_has_foreseen_of_one_is_said_of_it_alone() -> None:
    def send(one: PushMessage) -> str | PushError:
        if one.address == "odd":
            raise KeyError("name")
        return one.address

    odd, even = in_time.each([message("odd"), message("even")], send, at_once=2, until=time.monotonic() + 5)
    assert (type(odd), even) == (PushUnavailable, "even")

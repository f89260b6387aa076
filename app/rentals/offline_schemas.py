"""What goes in and out about opening a car without signal: grants, and what boxes signed."""

from app.cars.box_schemas import BASE64URL
from app.kit.fields import (
    Instant,
    Many,
    OneOf,
    Strict,
    Text,
)


class GrantOut(Strict):
    """What opens the car without signal, for this phone: 153 bytes, base64url, as docs/grants says.

    `box_key` is the box's public key, by which the phone knows the real box; `revocations`, where there are any, is what
    the phone hands to the box first.
    """

    grant = Text(204, shortest=204, pattern=BASE64URL, required=True)
    not_before = Instant(required=True)
    not_after = Instant(required=True)
    box_key = Text(44, shortest=44, pattern=BASE64URL, required=True)
    revocations = Text(1536, pattern=BASE64URL, allow_none=True, required=True)


class OfflineReceiptsIn(Strict):
    """What the box signed, base64url each: receipts, and acknowledgements of revocations."""

    receipts = Many(Text(700), 100, required=True)


class OfflineReceiptsOut(Strict):
    """What became of each, in the order given."""

    results = Many(OneOf(("accepted", "duplicate", "invalid")), 100, required=True)


class BoxRecordsIn(Strict):
    """What a box says itself: an acknowledgement of where it stands, and receipts, base64url each."""

    records = Many(Text(700), 100, required=True)


class BoxRecordsOut(OfflineReceiptsOut):
    """What became of each, and the newest revocations, where the box does not go by them yet."""

    revocations = Text(1536, pattern=BASE64URL, allow_none=True, required=True)

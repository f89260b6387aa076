"""The companion of a box: pinned keys on both sides, so that car and phone can do without signal.

Stock OVMS firmware has none: a box without one is paired as ever, and its car has no offline grants.
"""

from typing import Any

from sqlalchemy import select

from app.cars.models import Box, Companion
from app.kit import clock
from app.kit.db import session
from app.kit.errors import AlreadyExists, Validation
from app.kit.keys import Purpose, ring
from carbox.grant import BadGrant, b64, compressed, read_pairing, unb64


def pair(box: Box, record: str | None) -> None:
    """Keep id and key that the companion proved. Raises Validation, AlreadyExists: an id is never used again."""
    if record is None:
        return
    try:
        hardware_id, key = read_pairing(unb64(record))
    except BadGrant as error:
        raise Validation(
            errors=[{"pointer": "/companion", "code": "invalid", "detail": f"Not a pairing record: {error}."}]
        ) from error
    known = select(Companion.box_id).where(Companion.hardware_id == hardware_id)
    if session.execute(known).first() is not None:
        raise AlreadyExists("A companion with this id was paired before; give it a new id.")
    session.add(
        Companion(
            box_id=box.id,
            hardware_id=hardware_id,
            public_key=compressed(key),
            next_kid=ring().live(Purpose.GRANTS)[1].kid,
            made_at=clock.now(),
        )
    )
    session.flush()


def of(box: Box | None, *, lock: bool = False) -> Companion | None:
    """The companion beside a box, if it has one."""
    if box is None:
        return None
    found: Companion | None = session.get(
        Companion, box.id, with_for_update=True if lock else None, populate_existing=lock
    )
    return found


def by_hardware_id(hardware_id: bytes) -> Companion | None:
    found: Companion | None = session.scalars(
        select(Companion).where(Companion.hardware_id == hardware_id)
    ).first()
    return found


def shown(box: Box) -> dict[str, Any]:
    """Whether there is one, and the keys that one must pin, before it is paired too: those that sign grants now and next."""
    issuers = [b64(compressed(key.public)) for key in ring().live(Purpose.GRANTS)]
    return {"has_companion": of(box) is not None, "grant_issuers": issuers}

"""What boxlink needs to know of boxes in order to hear them: their names, their wiring, and which cars are on the move.

A box is heard under each of its accounts.
"""

from collections.abc import Collection
from typing import Any

import structlog
from cryptography.exceptions import InvalidTag
from sqlalchemy import Select, Text, any_, bindparam, exists, or_, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from app.cars import box as boxes
from app.cars.models import Box, Car, Custody
from app.kit.driver import read
from app.kit.errors import Validation
from carbox.box import Box as Wired

log = structlog.get_logger(__name__)
Account = InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
_ACCOUNTS: tuple[Account, Account] = (Box.username, Box.next_username)
_HOW = (Box.vehicle, Box.config, Box.pin_sealed, Box.key_sensor)
WIRING = (Box.username, *_HOW)
"""The columns of which `box.wired` makes a box for the door."""


def _under(account: Account) -> Select[Any]:
    return select(account.label("username")).where(Box.removed_at.is_(None), account.is_not(None))


def _among(account: Account) -> Select[Any]:
    return _under(account).where(account == any_(bindparam("usernames", type_=ARRAY(Text))))


_IS_LENT = exists().where(
    Car.id == Box.car_id, Custody.car_no == Car.no, Custody.to_at.is_(None), Custody.holder == "driver"
)
_MOVES = or_(_IS_LENT, Box.state["drivable"]["value"].as_boolean())
_NAMES = union_all(*map(_under, _ACCOUNTS))
_WIRED = union_all(*(_among(one).add_columns(*_HOW) for one in _ACCOUNTS))
_ON_THE_MOVE = union_all(*(_among(one).where(_MOVES) for one in _ACCOUNTS))


def names() -> set[str]:
    """Of all boxes in service."""
    return {row.username for row in read(_NAMES)}


def wired(usernames: Collection[str]) -> list[Wired]:
    """Those of these boxes that are in service. One whose wiring cannot be read keeps no other from being heard."""
    found = []
    for row in read(_WIRED, {"usernames": list(usernames)}):
        try:
            found.append(boxes.wired(row))
        except (Validation, InvalidTag) as error:
            log.warning("a box that cannot be heard", box=row.username, error=repr(error))
    return found


def on_the_move(usernames: Collection[str]) -> list[str]:
    """Those whose car is lent, or was last heard to be on."""
    return [row.username for row in read(_ON_THE_MOVE, {"usernames": list(usernames)})]

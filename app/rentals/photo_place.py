"""Whose the place of the photos is: a file in it bears the installation's id, so that nobody sweeps another's photos."""

import re
from enum import StrEnum

import structlog

from app.kit import installation
from app.kit.errors import Unavailable
from app.kit.storage import AWAY, NotKeptError, Storage

log = structlog.get_logger(__name__)

MARK = "installation"
PICTURE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}-([0-9a-f]{32})")
"""What a photo's picture is called, with its id."""


class Whose(StrEnum):
    OURS = "ours"
    ANOTHERS = "another's"
    UNMARKED = "unmarked"
    EMPTY = "empty"


def whose(storage: Storage) -> Whose:
    """By its mark; without one, by whether photos lie there. Outside transactions. Raises Unavailable."""
    said = _said(storage)
    if said is None:
        return Whose.UNMARKED if _holds_pictures(storage) else Whose.EMPTY
    return Whose.OURS if said == installation.known() else Whose.ANOTHERS


def claim(storage: Storage) -> None:
    """Before a photo is laid down: the first one takes an empty place. Another's is not laid into, since its owner would
    sweep what no row of theirs speaks of. Outside transactions. Raises Unavailable.
    """
    found = whose(storage)
    if found is Whose.EMPTY:
        storage.put(MARK, installation.own().encode())
        found = whose(storage)  # two that came at once both wrote: one of them has it
    if found is Whose.ANOTHERS:
        log.error("photos are refused: their place is another installation's, see flask --app wsgi doctor")
        raise Unavailable(AWAY)


def take(storage: Storage) -> None:
    """The place is ours from now on, whatever its mark said. Outside transactions. Raises Unavailable."""
    mine = installation.own().encode()
    storage.delete(MARK)  # a name is never written twice
    storage.put(MARK, mine)


def _said(storage: Storage) -> str | None:
    try:
        return storage.get(MARK).decode("ascii", "replace")
    except NotKeptError:
        return None


def _holds_pictures(storage: Storage) -> bool:
    return any(PICTURE.fullmatch(one.name) for one in storage.kept())

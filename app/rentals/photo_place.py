"""Whose the place of the photos is: a file in it bears the installation's id, so that nobody sweeps another's photos."""

import re
from enum import StrEnum

from app.kit import installation
from app.kit.storage import NotKeptError, Storage

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


def mark_if_empty(storage: Storage) -> None:
    """Before a photo is laid down: the first one takes the place. Outside transactions. Raises Unavailable."""
    if _said(storage) is None and not _holds_pictures(storage):
        storage.put(MARK, installation.own().encode())


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

"""Which boxes this boxlink hears: its share, and those to which it still has a command in hand."""

import contextlib
from collections.abc import Callable

from app.boxlink.sharing import Member
from app.cars import hear
from carbox.box import LOCK_NAMES, BoxAddress, BrokerDown, CarBox

READ_AT_ONCE = 500


class Hearing:
    """Keeps the door's ears on the right boxes."""

    def __init__(self, door: CarBox, member: Member, in_hand: Callable[[], set[str]]) -> None:
        self._door, self._member, self._in_hand = door, member, in_hand
        self._heard: dict[str, BoxAddress] = {}
        self.unfinished = False
        """Whether boxes of others are still heard, for a command in hand."""

    def divide(self) -> bool:
        """As boxes and boxlinks are now. Two may hear the same box for a moment: readings are kept by their receipt, and
        a command is claimed once. Returns True.
        """
        mine = set(filter(self._member.has, hear.names()))
        others = self._heard.keys() - mine
        busy = self._in_hand() & others
        for username in others - busy:
            self._door.forget(self._heard.pop(username))
        self.unfinished = bool(busy)
        self._begin(mine - self._heard.keys())
        return True

    def _begin(self, new: set[str]) -> None:
        """Cars on the move first: whoever heard them may be gone, so they are asked how their doors are."""
        moving = hear.on_the_move(new)
        self._watch(moving, ask=True)
        self._watch(sorted(new.difference(moving)), ask=False)

    def _watch(self, usernames: list[str], *, ask: bool) -> None:
        for first in range(0, len(usernames), READ_AT_ONCE):
            for box in hear.wired(usernames[first : first + READ_AT_ONCE]):
                self._door.watch(box)
                self._heard[box.address.username] = box.address
                if ask:
                    with contextlib.suppress(BrokerDown):  # on coming back a box tells everything by itself
                        self._door.ask(box, LOCK_NAMES)

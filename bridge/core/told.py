"""Which messages the users of one room were told just now: the next who is told the same gets the same value,
with the same ids, so that it is made, encoded and rendered once."""

from __future__ import annotations

from bisect import bisect_right

from bridge.api import MessageReceived, Recent
from bridge.core.values import RoomMessage

_MOST_REPEATS = 256

Key = tuple[str, str, MessageReceived]
"""The room's JID, who said it (XEP-0421), and what the network said of it."""


class Told:
    """A short memory for all shared rooms of one gateway.

    Two messages may look the same. They are told apart by order: to one user, ids only grow, and so the
    second "yes" that a user hears can only be the second that others heard, or a new one. Whoever is behind
    the others gets their ids as long as they are remembered. That two users were given the same id for two
    like messages (one of them came in between) harms nothing: each has an archive of their own.
    """

    __slots__ = ("_recent",)

    def __init__(self) -> None:
        self._recent: Recent[Key, list[RoomMessage]] = Recent()

    def find(self, key: Key, after: int) -> RoomMessage | None:
        """The first such message whose archive id is greater than `after`."""
        same = self._recent.get(key)
        if same is None:
            return None
        if same[0].archive_id > after:
            return same[0]
        at = bisect_right(same, after, key=_archive_id)
        return same[at] if at < len(same) else None

    def add(self, key: Key, message: RoomMessage) -> None:
        """A message that nobody was told before."""
        same = self._recent.get(key)
        if same is None:
            self._recent.put(key, [message])
        elif len(same) < _MOST_REPEATS:
            same.append(message)


def _archive_id(message: RoomMessage) -> int:
    return message.archive_id

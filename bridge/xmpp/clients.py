"""Knows which clients of our users are online, as far as they let us see: for servers where only a client's
answer shows that a message has got past its session (docs/fence.md)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from bridge.xmpp.jids import bare
from bridge.xmpp.received import InMessage, InPresence

__all__ = ["Clients"]

USERS = 10_000
CLIENTS = 5
"""So many are remembered, and so many of each: those heard of last."""

T = TypeVar("T", InMessage, InPresence)


class Clients:
    """The clients that may get what goes to a user's bare JID (RFC 6121 §8.5.2.1)."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, dict[str, None]] = OrderedDict()

    def of(self, user: str) -> tuple[str, ...]:
        """The full JIDs of those of a user (a bare JID) that seem to be online."""
        return tuple(self._of.get(user, ()))

    def forget(self, client: str) -> None:
        """This one does not answer as one that is online would."""
        user = bare(client)
        known = self._of.get(user)
        if known is not None:
            known.pop(client, None)
            if not known:
                del self._of[user]

    def hear_message(self, message: InMessage) -> None:
        """Who writes is online."""
        if message.type != "error" and "/" in message.sender:
            self._seen(message.sender)

    def hear_presence(self, presence: InPresence) -> None:
        """Learn who comes and goes. Leaving a room is not going offline."""
        if "/" not in presence.sender:
            return
        if presence.type == "available":
            if presence.priority >= 0:
                self._seen(presence.sender)
            else:
                self.forget(presence.sender)
        elif presence.type == "unavailable" and not presence.to_resource:
            self.forget(presence.sender)

    def listening(self, hear: Callable[[T], None], take: Callable[[T], None]) -> Callable[[T], None]:
        """A callback that tells us what it passes on to `take`."""
        return partial(_both, hear, take)

    def _seen(self, client: str) -> None:
        user = bare(client)
        known = self._of.setdefault(user, {})
        known.pop(client, None)
        known[client] = None
        if len(known) > CLIENTS:
            del known[next(iter(known))]
        self._of.move_to_end(user)
        if len(self._of) > USERS:
            self._of.popitem(last=False)


def _both(first: Callable[[T], None], then: Callable[[T], None], what: T) -> None:
    first(what)
    then(what)

"""Knows what the parts of one connection share: who we are there, what the server can, who was written to."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any

from backends.irc.address import AddressBook
from backends.irc.casemap import fold_ascii
from backends.irc.channels import Channels
from backends.irc.heard import Heard
from backends.irc.isupport import Isupport
from backends.irc.options import Options
from backends.irc.outbox import Outbox
from backends.irc.replies import Waiters
from backends.irc.unheard import Unheard
from backends.irc.wire import Wire
from bridge.api import ContactId, Event, Host, NetworkId, Reason, RoomId, RoomRefused

_MOST_CORRESPONDENTS = 1000
_UNKNOWN_USERHOST = 10 + 1 + 63
"""Bytes of `user@host` that we assume while the server has not shown us ours: the usual maximum."""


class Correspondents:
    """The nicks that messages were exchanged with, and how the core calls them."""

    def __init__(self, isupport: Isupport) -> None:
        self._isupport = isupport
        self._known: dict[str, ContactId] = {}

    def contact(self, nick: str) -> ContactId:
        """The id of a nick for the core: as it first used it, else in lower case."""
        return self._known.get(self._isupport.fold(nick)) or ContactId(fold_ascii(nick))

    def add(self, contact: ContactId) -> None:
        """A message went to, or came from, this one; the oldest are forgotten first."""
        folded = self._isupport.fold(contact)
        known = self._known.pop(folded, contact)
        self._known[folded] = known
        if len(self._known) > _MOST_CORRESPONDENTS:
            del self._known[next(iter(self._known))]

    def __contains__(self, nick: str) -> bool:
        return self._isupport.fold(nick) in self._known

    def rename(self, old: str, new: str) -> tuple[ContactId, ContactId] | None:
        """A nick changed: its id before and after, if we had to do with it."""
        before = self._known.pop(self._isupport.fold(old), None)
        if before is None:
            return None
        after = ContactId(fold_ascii(new))
        self.add(after)
        return before, after


class Link:
    """One connection. `userhost` is ours as others see it, empty while unknown; `heard` is what all
    connections to this network have in common."""

    def __init__(
        self, host: Host, network: NetworkId, options: Options, book: AddressBook, heard: Heard
    ) -> None:
        self.host = host
        self.heard = heard
        self.network = network
        self.options = options
        self.book = book
        self.isupport = Isupport()
        self.channels = Channels(self.isupport)
        self.correspondents = Correspondents(self.isupport)
        self.waiters = Waiters()
        self.unheard = Unheard()
        self.resting = False
        self.rests = 0
        """how often we began not to read for the bridge's sake, or went on"""
        self.nick = ""
        self.wanted_nick = ""
        self.regaining = False
        self.userhost = ""
        self.caps: set[str] = set()
        self.error = ""
        self.leaving = False
        self.trusted: dict[str, float] = {}
        self._joining: dict[str, tuple[RoomId, asyncio.TimerHandle]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.wire: Wire
        self.outbox: Outbox

    def attach(self, wire: Wire, outbox: Outbox) -> None:
        """The connection is there."""
        self.wire, self.outbox = wire, outbox

    def emit(self, event: Event) -> None:
        """Tell the bridge; IRC owes nobody an acknowledgement, so nothing waits for the storing."""
        self.host.emit(event)

    def is_me(self, nick: str) -> bool:
        """Whether that is us."""
        return nick == self.nick or self.isupport.fold(nick) == self.isupport.fold(self.nick)

    def room_for_text(self, target: str) -> int:
        """How many bytes of text one message to this target may have, so that others get it whole."""
        return _room_for_text(self.isupport.linelen, self.nick, self.userhost, target)

    def joining(self, room: RoomId) -> None:
        """A JOIN is on its way; without any answer it counts as refused."""
        self.joined(room)
        timer = asyncio.get_running_loop().call_later(
            self.options.answer_timeout, self.refuse_join, room, Reason.TIMEOUT, "The network did not answer"
        )
        self._joining[self.isupport.fold(room)] = (room, timer)

    def joined(self, name: str) -> None:
        """A JOIN got its answer."""
        _room, timer = self._joining.pop(self.isupport.fold(name), (None, None))
        if timer is not None:
            timer.cancel()

    def rest(self, resting: bool) -> None:
        """We stop reading, or go on."""
        self.resting = resting
        self.rests += 1

    def refuse_join(self, name: str, reason: Reason, text: str) -> None:
        """Tell the core if a JOIN for that channel is on its way."""
        folded = self.isupport.fold(name)
        if folded in self._joining:
            room, _timer = self._joining[folded]
            self.joined(name)
            self.emit(RoomRefused(room, reason.value, text))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something aside; it ends with the connection."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end(self) -> None:
        """The connection is gone: everything that waits is told."""
        self.outbox.close()
        self.waiters.end()
        for _room, timer in self._joining.values():
            timer.cancel()
        self._joining.clear()
        for task in list(self._tasks):
            task.cancel()


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


@lru_cache(4096)
def _room_for_text(linelen: int, nick: str, userhost: str, target: str) -> int:
    prefix = 1 + _size(nick) + 1 + (_size(userhost) or _UNKNOWN_USERHOST)
    return max(linelen - 2 - prefix - _size(f" PRIVMSG {target} :"), 64)

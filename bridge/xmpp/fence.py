"""Knows when the server surely has a message: a ping answered after it (a component has no XEP-0198).

Prosody answers a ping to its own domain once all stanzas before it are handled and stored. ejabberd does so
for stored messages only; there, pings to the clients of an online user are the fence for that user. A fence
says that the server has the message, never that somebody saw it (docs/fence.md)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Protocol
from xml.etree.ElementTree import Element

from bridge.xmpp.clients import Clients
from bridge.xmpp.fence_lanes import Batch, Lane, Lanes, Message
from bridge.xmpp.iqs import IqFailed, IqLost, IqTimeout, RequestType
from bridge.xmpp.jids import bare
from bridge.xmpp.received import InError

__all__ = ["FENCED", "LOST", "WEAK", "Fence", "FenceLink"]

log = logging.getLogger(__name__)

FENCED = "fenced"
"""The server has it."""
WEAK = "weak"
"""The server took it off the stream, and the stream lived on for a while; no better proof was to be had."""
LOST = "lost"
"""The stream broke first: the server may or may not have it; send it again with the same id."""

_PING = "<ping xmlns='urn:xmpp:ping'/>"
_PASSING = frozenset({"internal-server-error", "resource-constraint", "remote-server-timeout"})


class _Requests(Protocol):
    def submit(
        self, to: str, from_: str, kind: RequestType, payload_xml: str, timeout: float | None = 30
    ) -> asyncio.Future[Element]: ...


class FenceLink(Protocol):
    """What a fence needs of a ComponentLink."""

    @property
    def iqs(self) -> _Requests: ...

    @property
    def up(self) -> bool: ...

    def write(self, text: str) -> bool: ...

    def give_up(self, reason: str) -> None: ...


class Fence:
    """All fences of one link: at most `open_fences` at a time of `batch_size` messages each, which bounds how
    many are sent twice after a crash. What is beyond that waits here, in order.

    The first message on a new stream goes alone: a server that has just started refuses what it takes a
    moment later. It is tried every `retry_seconds` for at most `patience` seconds, before any other."""

    def __init__(
        self,
        link: FenceLink,
        domain: str,
        server: str,
        *,
        batch_size: int = 50,
        open_fences: int = 2,
        wait_seconds: float = 120,
        target_seconds: float = 30,
        weak_seconds: float = 10,
        retry_seconds: float = 0.5,
        patience: float = 20,
    ) -> None:
        """`domain` is our own, `server` the one that the server answers pings for.

        An unanswered fence stops the sending for `wait_seconds`, then the stream is given up. Pings to
        clients wait for `target_seconds`, then the server's word must do: such messages are weak, and only
        settled after `weak_seconds` more."""
        self._link = link
        self._domain = domain
        self.server = server
        self._wait_seconds = wait_seconds
        self._target_seconds = target_seconds
        self._weak_seconds = weak_seconds
        self._retry_seconds = retry_seconds
        self._patience = patience
        self._lanes = Lanes(batch_size, open_fences)
        self._clients = Clients()
        self._messages: dict[str, Message] = {}
        self._weak: dict[Batch, asyncio.TimerHandle] = {}
        self._scheduled = False
        self._warned = False
        self._proven = False
        self._refused_since: float | None = None
        self._pause: asyncio.TimerHandle | None = None

    def send(self, stanza_id: str, xml: str, user: str) -> asyncio.Future[str]:
        """Write a message to a user (a bare JID) as soon as there is room, and fence it.

        The outcome is FENCED, WEAK, LOST, or `bounced: CONDITION TEXT`. Raises ValueError for an id that is
        under way already."""
        if stanza_id in self._messages:
            raise ValueError(f"the message {stanza_id!r} is under way already")
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if not self._link.up:
            outcome.set_result(LOST)
            return outcome
        message = self._messages[stanza_id] = Message(stanza_id, xml, user, outcome)
        self._fill(self._lanes.put(message))
        return outcome

    def bounced(self, sender: str, stanza_id: str, error: InError) -> bool:
        """An error message came; whether it was for one of ours under way to that sender. (Ids can be
        guessed: one user must not settle what goes to another.)"""
        message = self._messages.get(stanza_id)
        if message is None or message.batch is None or message.user != bare(sender):
            return False
        lane = message.batch.lane
        message.batch.drop(stanza_id)
        message.batch = None
        if not self._proven and self._passes(error):
            lane.waiting.appendleft(message)
            self._pause = asyncio.get_running_loop().call_later(self._retry_seconds, self._go_on)
        else:
            self._settle(stanza_id, f"bounced: {error.condition} {error.text}".rstrip())
            self._fill_all()
        return True

    def lost(self) -> None:
        """The stream is gone, and with it all that is not settled."""
        for timer in [*self._weak.values(), *([self._pause] if self._pause else [])]:
            timer.cancel()
        self._weak.clear()
        self._lanes.clear()
        self._proven, self._pause, self._refused_since = False, None, None
        for stanza_id in list(self._messages):
            self._settle(stanza_id, LOST)

    def ping_clients(self, clients: Clients | None) -> None:
        """From now on fence by a user's clients that are online, where there are any (None: never)."""
        self._clients = clients or Clients()
        for lane in self._lanes.part(clients is not None):
            self._fill(lane)

    async def caught_up(self) -> None:
        """Return when the server has handled all that was written so far, or will not."""
        with contextlib.suppress(IqFailed):
            await self._link.iqs.submit(self.server, self._domain, "get", _PING, self._wait_seconds)

    @property
    def unsettled(self) -> int:
        """How many messages wait for their outcome."""
        return len(self._messages)

    # -- writing

    def _fill(self, lane: Lane) -> None:
        """Write what there is room for, and have it fenced."""
        while lane.waiting and lane.has_room:
            if not self._proven and (self._lanes.under_way or self._pause is not None):
                return
            message = lane.waiting.popleft()
            self._link.write(message.xml)
            if lane.add(message, self._clients.of(message.user)):
                self._ask_all(lane)
            elif not self._scheduled:
                self._scheduled = True
                asyncio.get_running_loop().call_soon(self._tick)

    def _fill_all(self) -> None:
        for lane in self._lanes.all():
            self._fill(lane)

    def _tick(self) -> None:
        self._scheduled = False
        for lane in self._lanes.all():
            self._ask_all(lane)

    def _go_on(self) -> None:
        self._pause = None
        self._fill_all()

    def _passes(self, error: InError) -> bool:
        """Whether what a new stream's first message ran into may be over soon."""
        now = asyncio.get_running_loop().time()
        if error.type != "wait" and error.condition not in _PASSING:
            return False
        if self._refused_since is None:
            self._refused_since = now
        self._proven = now - self._refused_since >= self._patience
        return not self._proven

    # -- fences

    def _ask_all(self, lane: Lane) -> None:
        """Open fences for what was written, as many as may be open."""
        while (batch := lane.to_open()) is not None:
            if not self._proven or not batch.clients:
                self._ask(batch, self.server, self._wait_seconds)
            else:
                self._ask_clients(batch)

    def _ask_clients(self, batch: Batch) -> None:
        for client in batch.clients:
            self._ask(batch, client, self._target_seconds)

    def _ask(self, batch: Batch, target: str, seconds: float) -> None:
        batch.asked += 1
        answer = self._link.iqs.submit(target, self._domain, "get", _PING, seconds)
        answer.add_done_callback(lambda done: self._answered(batch, target, done.exception()))

    def _answered(self, batch: Batch, target: str, error: BaseException | None) -> None:
        if not batch.open:
            return
        batch.asked -= 1
        if isinstance(error, IqLost):
            self.lost()
        elif error is not None and not isinstance(error, IqFailed):
            raise error
        elif target != self.server:
            self._client_answered(batch, target, error)
        elif isinstance(error, IqTimeout):
            self._link.give_up(f"{target} has not answered a ping in {self._wait_seconds:g} s")
        else:
            self._server_answered(batch, error)

    def _client_answered(self, batch: Batch, client: str, error: IqFailed | None) -> None:
        """Only a result counts: an error may be the server's own, for a client that is gone."""
        if error is not None:
            batch.weak = True
            if not isinstance(error, IqTimeout):
                self._clients.forget(client)
        if batch.asked == 0:
            if batch.weak:
                self._ask(batch, self.server, self._wait_seconds)
            else:
                self._finish(batch)

    def _server_answered(self, batch: Batch, error: IqFailed | None) -> None:
        first = not self._proven and bool(batch.ids)
        self._proven = self._proven or first
        if error is not None:
            self._warn(error)
            batch.weak = True
        if first and batch.clients and not batch.weak:
            self._ask_clients(batch)
        else:
            self._finish(batch)
        if first:
            self._fill_all()

    def _warn(self, error: IqFailed) -> None:
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        text = "%s answers pings with %s: no certain fence (enable XEP-0199)"
        log.log(level, text, self.server, error.condition)

    # -- outcomes

    def _finish(self, batch: Batch) -> None:
        batch.open = False
        for done in batch.lane.finished():
            if done.weak and done.ids:
                loop = asyncio.get_running_loop()
                self._weak[done] = loop.call_later(self._weak_seconds, self._believe, done)
            else:
                self._settle_all(done, FENCED)
        self._fill(batch.lane)
        self._ask_all(batch.lane)
        self._lanes.tidy(batch.lane)
        if not self._proven:
            self._fill_all()

    def _believe(self, batch: Batch) -> None:
        del self._weak[batch]
        log.debug("%d messages are settled without a certain fence", len(batch.ids))
        self._settle_all(batch, WEAK)

    def _settle_all(self, batch: Batch, outcome: str) -> None:
        for stanza_id in batch.ids:
            self._settle(stanza_id, outcome)

    def _settle(self, stanza_id: str, outcome: str) -> None:
        future = self._messages.pop(stanza_id).outcome
        if not future.done():
            future.set_result(outcome)

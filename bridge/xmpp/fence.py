"""Knows when the server surely has a message: a ping answered after it (a component has no XEP-0198).

Prosody answers a ping to its own domain once all stanzas before it are handled and stored. ejabberd does so
for stored messages only; there, a ping to the full JID of an online user is the fence for that user. A fence
says that the server has the message, never that somebody saw it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Literal, Protocol
from xml.etree.ElementTree import Element

from msgspec import Struct

from bridge.xmpp.iqs import IqFailed, IqLost, IqTimeout, RequestType
from bridge.xmpp.received import InError

__all__ = ["Fence", "FenceLink", "Settled"]

log = logging.getLogger(__name__)

_PING = "<ping xmlns='urn:xmpp:ping'/>"


class Settled(Struct, frozen=True):
    """What became of one message.

    fenced: the server has it; `weak` if only the fallback says so (no answer from the chosen target, or
    an error instead of a result). bounced: it was refused, see `error`. lost: the stream broke first, so
    the server may or may not have it; send it again with the same id.
    """

    outcome: Literal["fenced", "bounced", "lost"]
    weak: bool = False
    error: InError | None = None


_LOST = Settled("lost")


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


class _Batch(Struct, eq=False):
    target: str
    ids: list[str]
    answered: bool = False
    weak: bool = False


class Fence:
    """All fences of one link, at most `open_fences` of them at a time with `batch_size` messages each.

    `room` has as many slots as messages may be without their fence: hold one per tracked message;
    it comes free when the message is settled. Small, because it bounds the duplicates after a crash.
    """

    def __init__(
        self,
        link: FenceLink,
        domain: str,
        server: str,
        *,
        batch_size: int = 50,
        open_fences: int = 2,
        wait_seconds: float = 120,
        target_seconds: float = 10,
    ) -> None:
        """`domain` is our own, `server` the one that the server answers pings for.

        An unanswered fence stops the sending for `wait_seconds`, then the stream is given up; one
        to another target falls back to the server after `target_seconds`.
        """
        self._link = link
        self._domain = domain
        self._server = server
        self._batch_size = batch_size
        self._open_fences = open_fences
        self._wait_seconds = wait_seconds
        self._target_seconds = target_seconds
        self.room = asyncio.Semaphore(batch_size * open_fences)
        self._futures: dict[str, asyncio.Future[Settled]] = {}
        self._gathering: deque[_Batch] = deque()
        self._open: deque[_Batch] = deque()
        self._scheduled = False
        self._warned = False

    async def send(self, stanza_id: str, xml: str, target: str | None = None) -> asyncio.Future[Settled]:
        """Wait for room, write the stanza, and return what will tell its outcome."""
        await self.room.acquire()
        if stanza_id in self._futures:
            self.room.release()
            raise ValueError(f"the message {stanza_id!r} is under way already")
        self._link.write(xml)
        return self.track(stanza_id, target)

    def track(self, stanza_id: str, target: str | None = None) -> asyncio.Future[Settled]:
        """Fence a stanza just written, in the same loop step; the caller holds a slot of `room`.

        The ping goes to `target`, or to the server's domain. Outcomes come in the order of tracking,
        except for bounces and losses. Raises ValueError for an id that is under way already.
        """
        if stanza_id in self._futures:
            raise ValueError(f"the message {stanza_id!r} is under way already")
        future: asyncio.Future[Settled] = asyncio.get_running_loop().create_future()
        self._futures[stanza_id] = future
        if not self._link.up:
            self._settle(stanza_id, _LOST)
            return future
        self._add(stanza_id, target or self._server)
        return future

    def bounced(self, stanza_id: str, error: InError) -> bool:
        """A message came back as an error; whether it was one of ours under way."""
        return self._settle(stanza_id, Settled("bounced", error=error))

    @property
    def unsettled(self) -> int:
        """How many messages wait for their fence."""
        return len(self._futures)

    def _add(self, stanza_id: str, target: str) -> None:
        last = self._gathering[-1] if self._gathering else None
        if last is None or last.target != target or len(last.ids) >= self._batch_size:
            last = _Batch(target, [])
            self._gathering.append(last)
        last.ids.append(stanza_id)
        if len(last.ids) >= self._batch_size:
            self._pump()
        elif not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        self._scheduled = False
        self._pump()

    def _pump(self) -> None:
        """Open fences for what was gathered, as many as may be open."""
        while self._gathering and len(self._open) < self._open_fences:
            batch = self._gathering.popleft()
            self._open.append(batch)
            self._ping(batch, batch.target)

    def _ping(self, batch: _Batch, target: str) -> None:
        seconds = self._wait_seconds if target == self._server else self._target_seconds
        answer = self._link.iqs.submit(target, self._domain, "get", _PING, seconds)
        answer.add_done_callback(lambda done: self._answered(batch, target, done.exception()))

    def _answered(self, batch: _Batch, target: str, error: BaseException | None) -> None:
        if batch not in self._open:
            return
        if isinstance(error, IqLost):
            self._lose_all()
        elif error is None:
            self._finish(batch)
        elif not isinstance(error, IqFailed):
            raise error
        elif target != self._server:
            # The user's session may be gone, and the server, not the client, has answered.
            batch.weak = True
            self._ping(batch, self._server)
        elif isinstance(error, IqTimeout):
            self._link.give_up(f"{target} has not answered a ping in {self._wait_seconds:g} s")
        else:
            self._warn(target, error)
            batch.weak = True
            self._finish(batch)

    def _warn(self, target: str, error: IqFailed) -> None:
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        log.log(
            level, "%s answers pings with %s: no certain fence (enable XEP-0199)", target, error.condition
        )

    def _finish(self, batch: _Batch) -> None:
        batch.answered = True
        while self._open and self._open[0].answered:
            done = self._open.popleft()
            for stanza_id in done.ids:
                self._settle(stanza_id, Settled("fenced", weak=done.weak))
        self._pump()

    def _lose_all(self) -> None:
        self._open.clear()
        self._gathering.clear()
        for stanza_id in list(self._futures):
            self._settle(stanza_id, _LOST)

    def _settle(self, stanza_id: str, outcome: Settled) -> bool:
        future = self._futures.pop(stanza_id, None)
        if future is None:
            return False
        self.room.release()
        if not future.done():
            future.set_result(outcome)
        return True

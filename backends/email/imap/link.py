"""Knows how one command is asked and answered: one at a time, each with a time limit. Whatever breaks off in
the middle ends the connection: nobody could say any more which answer belongs to what."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import aioimaplib
import msgspec

from backends.email.imap.reading import Response
from backends.email.imap.syntax import Status
from backends.email.imap.trouble import ServerSaidNo
from backends.email.imap.wire import Wire
from bridge.api import ConnectionLost

Part = Callable[[Wire], Awaitable[None]]
"""Sends what the server asks for in the middle of a command."""


class Answer(msgspec.Struct, frozen=True):
    """What the server said to a command: untagged responses, and how it ended."""

    responses: tuple[Response, ...]
    status: Status


def sending(data: bytes) -> Part:
    """A part that is some bytes."""

    async def send(wire: Wire) -> None:
        wire.write(data)

    return send


class Link:
    """Commands over a connection. `limit`: seconds that the server has for an answer."""

    def __init__(self, wire: Wire, limit: float) -> None:
        self.wire = wire
        self.limit = limit
        self.capabilities: frozenset[str] = frozenset()

    async def ask(self, name: str, *arguments: str, uid: bool = False, parts: Sequence[Part] = ()) -> Answer:
        """Ask a command; `parts` are sent one by one when the server asks for them. Arguments are written as
        they go on the wire. Raises `ConnectionLost` and `ProtocolError`."""
        command = aioimaplib.Command(name, self.wire.new_tag(), *arguments, prefix="UID" if uid else None)
        async with self._whole(name):
            if parts:
                await self._in_parts(command, parts)
            else:
                async with asyncio.timeout(self.limit):
                    await self.wire.execute(command)
        return self._answer(command)

    async def ask_for(self, name: str, *arguments: str, uid: bool = False) -> tuple[Response, ...]:
        """What the server says to a command; raises `ServerSaidNo` where it will not do it."""
        answer = await self.ask(name, *arguments, uid=uid)
        self.expect_ok(name, answer.status)
        return answer.responses

    def expect_ok(self, name: str, status: Status) -> None:
        """Raise `ServerSaidNo` where a command did not succeed."""
        if status.kind != "OK":
            raise ServerSaidNo(f'{self.wire.where} refused {name}: "{status.text}"', status.code)

    async def idle(self, seconds: float, stop: Callable[[], bool]) -> None:
        """Let the server tell when something comes (RFC 2177), until it does, `stop()` holds when `wire.stir`
        is set, or the time is over. Raises `ServerSaidNo` where it has no IDLE after all."""
        wire = self.wire
        command = aioimaplib.Command("IDLE", wire.new_tag())
        async with self._whole("IDLE"):
            running = self._begin(command)
            async with asyncio.timeout(self.limit):
                await self._until(lambda: wire.asked or running.done())
            await self.until(lambda: wire.news or running.done() or stop(), seconds)
            if not running.done():
                wire.write(b"DONE\r\n")
            async with asyncio.timeout(self.limit):
                await running
        self.expect_ok("IDLE", self._answer(command).status)

    async def until(self, holds: Callable[[], bool], seconds: float) -> None:
        """Wait until something holds, which is looked at when `wire.stir` is set, the connection ends, or the
        time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._until(holds)

    async def _in_parts(self, command: aioimaplib.Command, parts: Sequence[Part]) -> None:
        running = self._begin(command)
        for part in parts:
            async with asyncio.timeout(self.limit):
                await self._until(lambda: self.wire.asked or running.done())
            if running.done():
                break
            self.wire.asked = False
            await part(self.wire)
        async with asyncio.timeout(self.limit):
            await running

    def _begin(self, command: aioimaplib.Command) -> asyncio.Task[aioimaplib.Response]:
        running = asyncio.create_task(self.wire.execute(command))
        running.add_done_callback(lambda _: self.wire.stir.set())
        return running

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds() and self.wire.failure is None:
            self.wire.stir.clear()
            await self.wire.stir.wait()

    @contextlib.asynccontextmanager
    async def _whole(self, name: str) -> AsyncIterator[None]:
        """All of it, or the connection is over."""
        self.wire.check()
        try:
            yield
        except TimeoutError as error:
            lost = ConnectionLost(f"{self.wire.where} did not answer {name} within {self.limit:g} s")
            self.wire.fail(lost)
            raise lost from error
        except BaseException:
            self.wire.fail(ConnectionLost(f"The connection to {self.wire.where} was given up"))
            raise
        self.wire.check()

    def _answer(self, command: aioimaplib.Command) -> Answer:
        *responses, status = command.response.lines
        return Answer(tuple(responses), status)

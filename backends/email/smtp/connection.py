"""Knows how to talk to a mail server over an open connection, and tells apart how it can break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import aiosmtplib
import msgspec

from backends.email.smtp.replies import Reply
from bridge.api import BackendError, ConnectionLost


class TimeLimits(msgspec.Struct, frozen=True):
    """The time for each step in seconds (RFC 5321 §4.5.3.2). `connect` is for one address, TLS included;
    `block` for the server to take a piece of a mail, `final` to answer to a whole one."""

    connect: float = 30.0
    greeting: float = 300.0
    login: float = 60.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    final: float = 600.0
    quit: float = 2.0


class ServerSaid(BackendError):
    """A server answered no where there is nothing to go on with: before a mail was offered."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.code} {reply.text}")
        self.reply = reply


class Unanswered(BackendError):
    """The link broke after the whole mail had gone out: the server may have it, or not."""


class Connection:
    """A connection over which mails can be sent. `name` is how the server is called in what users read.

    Everything that waits raises `ConnectionLost` with words where the link breaks, the server takes too long,
    or what it says is no SMTP; it is certain then that no mail was handed over."""

    def __init__(self, smtp: aiosmtplib.SMTP, name: str, limits: TimeLimits) -> None:
        self.name = name
        self.limits = limits
        self.mails = 0
        self._smtp = smtp
        self._writer: asyncio.StreamWriter | None = None

    @property
    def alive(self) -> bool:
        """Whether it can still be used, as far as is known."""
        return self._smtp.is_connected

    def offers(self, extension: str) -> str | None:
        """The parameters of an extension that the server offers (often empty); None: it does not."""
        return self._smtp.esmtp_extensions.get(extension.lower())

    async def command(self, *words: str, seconds: float | None = None) -> Reply:
        """Send a command and wait for its answer."""
        limit = self.limits.command if seconds is None else seconds
        return await command(self._smtp, self.name, limit, words[0], *[word.encode() for word in words])

    async def transfer(self, pieces: AsyncIterator[bytes], end: Callable[[], bytes]) -> Reply:
        """Send a mail after DATA was answered with 354, and wait for the answer.

        `pieces` are as on the wire; what `end` returns is sent after the last one. The server is heard all
        the time: one that says no before the end is believed, and the connection closed. Raises `Unanswered`
        when the link breaks or the server falls silent after the end."""
        protocol = self._smtp.protocol
        if protocol is None:
            raise ConnectionLost(f"{self.name} closed the connection.")
        answer = asyncio.create_task(protocol.read_response())
        try:
            await asyncio.sleep(0)  # it listens from now on: aiosmtplib drops what comes earlier
            if not await self._pour(pieces, answer):
                return await self._early(answer)
            self._write(end())
            return await self._final(answer)
        finally:
            if not answer.done():
                answer.cancel()
                self.close()
            await asyncio.gather(answer, return_exceptions=True)

    async def _pour(
        self, pieces: AsyncIterator[bytes], answer: asyncio.Task[aiosmtplib.SMTPResponse]
    ) -> bool:
        """Whether all of it went out without a word of the server."""
        try:
            async for piece in pieces:
                if answer.done():
                    return False
                await self._drain(self._write(piece))
        except ConnectionLost:
            # Who says why and closes has said it.
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                return False
            raise
        return not answer.done()

    def _write(self, data: bytes) -> aiosmtplib.protocol.SMTPProtocol:
        protocol = self._smtp.protocol
        try:
            if protocol is None:
                raise aiosmtplib.SMTPServerDisconnected("closed")
            protocol.write(data)
        except aiosmtplib.SMTPException as error:
            self.close()
            raise ConnectionLost(explain(error, self.name, "the mail")) from error
        return protocol

    async def _drain(self, protocol: aiosmtplib.protocol.SMTPProtocol) -> None:
        if self._writer is None:
            transport = cast(asyncio.WriteTransport, protocol.transport)
            self._writer = asyncio.StreamWriter(transport, protocol, None, asyncio.get_running_loop())
        try:
            async with asyncio.timeout(self.limits.block):
                await self._writer.drain()
        except OSError as error:
            self.close()
            raise ConnectionLost(explain(error, self.name, "the mail")) from error

    async def _early(self, answer: asyncio.Task[aiosmtplib.SMTPResponse]) -> Reply:
        try:
            said = await answer
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ConnectionLost(explain(error, self.name, "the mail")) from error
        finally:
            self.close()
        if said.code < 400:
            raise ConnectionLost(f"{self.name} answered {said.code} in the middle of the mail.")
        return Reply(said.code, said.message)

    async def _final(self, answer: asyncio.Task[aiosmtplib.SMTPResponse]) -> Reply:
        try:
            async with asyncio.timeout(self.limits.final):
                said = await asyncio.shield(answer)
        except (aiosmtplib.SMTPException, OSError) as error:
            self.close()
            raise Unanswered(explain(error, self.name, "the whole mail")) from error
        return Reply(said.code, said.message)

    async def quit(self) -> None:
        """Say good-bye, if the server is still there, and close."""
        try:
            if self.alive:
                await self._smtp.execute_command(b"QUIT", timeout=self.limits.quit)
        except (aiosmtplib.SMTPException, OSError):
            return  # whoever does not answer to QUIT is left without
        finally:
            self.close()

    def close(self) -> None:
        """Close at once."""
        self._smtp.close()


async def command(smtp: aiosmtplib.SMTP, name: str, seconds: float, step: str, *words: bytes) -> Reply:
    """Send a command and wait for its answer; `step` is what the user reads of it. Raises `ConnectionLost`,
    and closes then."""
    try:
        answer = await smtp.execute_command(*words, timeout=seconds)
    except (aiosmtplib.SMTPException, OSError) as error:
        smtp.close()
        raise ConnectionLost(explain(error, name, step)) from error
    return Reply(answer.code, answer.message)


def explain(error: Exception, name: str, step: str) -> str:
    """What broke at a step, in words for the user."""
    if isinstance(error, TimeoutError):
        return f"{name} did not answer to {step} in time."
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{name} answered to {step} with something that is no SMTP."
    return f"The connection to {name} broke at {step}."

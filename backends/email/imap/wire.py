"""Knows how commands and responses go over one connection: aioimaplib's commands, tags and states, with the
reading and the ends of a connection done anew.

What is replaced, and why: its reader calls itself for each line, looks through all lines at each one, and
takes `* ` out of lines; a lost connection, or a wait that was given up, leaves a command waiting for ever;
what is sent and received goes into its log."""

from __future__ import annotations

import asyncio
import logging

import aioimaplib

from backends.email.imap import syntax
from backends.email.imap.reading import Reader, Response
from bridge.api import BackendError, ConnectionLost, ProtocolError

_MOST_COLLECTED = 16 * 1024 * 1024
"""Bytes that one command's answers may have."""

# It would write secrets and mails at DEBUG and INFO, if it were asked to; nothing of it is asked to.
logging.getLogger("aioimaplib").setLevel(logging.WARNING)
logging.getLogger("aioimaplib.aioimaplib").setLevel(logging.WARNING)


class Wire(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]
    """One connection. `where` is what the server is called in messages; `largest_literal` is in bytes.

    `stir` is set when something happened that somebody who waits wants to know: mail came, the connection
    ended, the server asks for more of a command. `failure` says why the connection ended.
    """

    def __init__(self, where: str, largest_literal: int) -> None:
        super().__init__(asyncio.get_running_loop())
        self.where = where
        self.failure: BackendError | None = None
        self.greeting: Response | None = None
        self.stir = asyncio.Event()
        self.asked = False
        self.exists = 0
        self.news = False
        self._reader = Reader(largest_literal)
        self._collected = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._bye = ""

    # What the transport calls.

    def data_received(self, data: bytes) -> None:
        """Take what came, response by response; what is no IMAP ends the connection."""
        if self.failure is not None:
            return
        try:
            for response in self._reader.feed(data):
                self._take(response)
        except ProtocolError as error:
            self.fail(ProtocolError(f"{self.where}: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """End what waits."""
        said = f' and said "{self._bye}"' if self._bye else ""
        self.fail(ConnectionLost(f"{self.where} closed the connection{said}"))

    def pause_writing(self) -> None:
        """Too much waits to be sent."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It is sent."""
        self._writable.set()

    # What the layer above calls.

    def fail(self, error: BackendError) -> None:
        """End the connection, for this reason; all that wait, or ask later, are told. Only the first
        counts."""
        if self.failure is not None:
            return
        self.failure = error
        if self.transport is not None:
            self.transport.abort()
        command = self.pending
        if command is not None:
            command.close(b"", "KO")
        self._writable.set()
        self.stir.set()

    def check(self) -> None:
        """Raise what ended the connection, if it has ended."""
        if self.failure is not None:
            raise type(self.failure)(str(self.failure)) from self.failure

    @property
    def pending(self) -> aioimaplib.Command | None:
        """The command that is not answered yet: there is one at a time."""
        waiting: list[aioimaplib.Command | None] = [
            self.pending_sync_command,
            *self.pending_async_commands.values(),
        ]
        return next((each for each in waiting if each is not None), None)

    @property
    def silent(self) -> bool:
        """Nothing has come beyond what was taken."""
        return self._reader.between_responses

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        if self.failure is None:
            self.transport.write(data)

    async def drained(self) -> None:
        """Wait until more may be sent. Raises what ended the connection."""
        await self._writable.wait()
        self.check()

    def send(self, line: str, scrub: str | None = None) -> None:
        """Send a command's line (called by `execute`)."""
        self._collected = 0
        self.asked = False
        self.write(line.encode("ascii") + b"\r\n")

    # Responses.

    def _take(self, response: Response) -> None:
        line = response[0]
        if self.greeting is None:
            self.greeting = response
            self.stir.set()
        elif line.startswith(b"*"):
            self._untagged(response)
        elif line.startswith(b"+"):
            self.asked = True
            self.stir.set()
        else:
            self._tagged(line)

    def _tagged(self, line: bytes) -> None:
        found, command = syntax.status(line), self.pending
        if found is None or command is None or found[0] != command.tag.encode():
            raise ProtocolError("The mail server answered what nobody had asked")
        self.pending_sync_command = None
        self.pending_async_commands.clear()
        command.close(found[1], found[1].kind)
        self.stir.set()

    def _untagged(self, response: Response) -> None:
        words = response[0].split(None, 3)
        self._count(words)
        if len(words) > 1 and words[1].upper() == b"BYE":
            self._bye = syntax.words(response[0][5:])[:200]
        command = self.pending
        if command is None or command.name == "IDLE":
            return
        self._collected += sum(map(len, response)) + 64
        if self._collected > _MOST_COLLECTED:
            raise ProtocolError("The mail server sent more than it was asked for")
        command.append_to_resp(response)

    def _count(self, words: list[bytes]) -> None:
        """How many mails the mailbox has, so that a larger number is known to be news."""
        if len(words) < 3 or not words[1].isdigit() or len(words[1]) > 10:
            return
        kind = words[2].upper()
        if kind == b"EXISTS":
            if int(words[1]) > self.exists:
                self.news = True
                self.stir.set()
            self.exists = int(words[1])
        elif kind == b"EXPUNGE":
            self.exists = max(0, self.exists - 1)

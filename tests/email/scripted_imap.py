"""Knows how a server speaks just enough IMAP for a watcher, and where a test wants it to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from backends.email.imap.login import Credentials
from backends.email.imap.settings import Settings
from backends.email.imap.watcher import Inbox, Watcher
from backends.email.values import Security, Server
from bridge.testing.fake_host import FakeHost

HANG = b"(hang)"
"""A reply that never comes."""

QUICK = Settings(connect=0.5, answer=0.5, poll=0.05)

Reply = bytes | Callable[[str], bytes]


class ScriptedImap:
    """Answers by command name (`UID FETCH`, `greeting`, ...).

    In a reply `TAG` stands for the tag; without one `TAG OK done` follows. `HANG`: what is before it is sent,
    and then nothing any more. After a reply that begins with `+` more lines are read, and `end` is the
    reply. `lines` are what it was sent.
    """

    def __init__(self) -> None:
        self.port = 0
        self.lines: list[str] = []
        self.replies: dict[str, Reply] = {
            "greeting": b"* OK ready\r\n",
            "CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE\r\n",
            "AUTHENTICATE": b"+ \r\n",
            "LOGIN": b"+ \r\n",
            "SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] .\r\n* OK [UIDNEXT 2] .\r\n",
            "UID SEARCH": b"* SEARCH 1\r\n",
            "FETCH": overview(1),
            "UID FETCH": fetch_one,
            "IDLE": b"+ idling\r\n",
            "end": b"TAG OK done\r\n",
        }

    @property
    def server(self) -> Server:
        return Server("127.0.0.1", self.port, Security.PLAIN)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client until it goes."""
        self._send(writer, self.replies["greeting"], "")
        while line := await self._read(reader):
            tag, _, rest = line.partition(" ")
            words = rest.upper().split()
            name = " ".join(words[: 2 if words[0] == "UID" else 1])
            reply = self.replies.get(name, b"")
            reply = reply if isinstance(reply, bytes) else reply(line)
            if HANG in reply:
                self._send(writer, reply, tag)
                await self._hang(reader)
            elif not reply.startswith(b"+"):
                done = b"" if b"TAG " in reply else b"TAG OK done\r\n"
                self._send(writer, reply + done, tag)
            else:
                self._send(writer, reply, tag)
                while re.search(r"\{\d+\}$", await self._read(reader)):
                    self._send(writer, b"+ \r\n", tag)
                self._send(writer, self.replies["end"], tag)

    async def _hang(self, reader: asyncio.StreamReader) -> None:
        while await self._read(reader):
            pass

    async def _read(self, reader: asyncio.StreamReader) -> str:
        line = (await reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
        self.lines.append(line)
        return line

    @staticmethod
    def _send(writer: asyncio.StreamWriter, reply: Reply, tag: str) -> None:
        assert isinstance(reply, bytes)
        writer.write(reply.partition(HANG)[0].replace(b"TAG ", tag.encode() + b" "))


def overview(uid: int) -> bytes:
    """What a look at a mail is answered with."""
    field = "Message-ID: <one@x.example>\r\n\r\n"
    return (
        f"* {uid} FETCH (UID {uid} FLAGS () RFC822.SIZE 21 "
        'INTERNALDATE "26-Nov-2026 08:00:00 +0000" '
        f"BODY[HEADER.FIELDS (MESSAGE-ID FROM DATE)] {{{len(field)}}}\r\n{field})\r\n"
    ).encode()


def fetch_one(line: str) -> bytes:
    """The answers to UID FETCH."""
    if "INTERNALDATE" in line:
        return overview(1)
    return b"* 1 FETCH (UID 1 BODY[]<0> {18}\r\nSubject: one\r\n\r\nhi)\r\n"


@contextlib.asynccontextmanager
async def scripted_imap() -> AsyncIterator[ScriptedImap]:
    """A scripted server on loopback, gone after the `async with`."""
    script = ScriptedImap()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def serve() -> None:
            try:
                await script.serve(reader, writer)
            finally:
                writer.close()

        task = asyncio.create_task(serve())
        tasks.add(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def watcher_of(
    script: ScriptedImap, spool: Path, place: str | None = None, settings: Settings = QUICK
) -> Watcher:
    """A watcher of the scripted server."""
    inbox = Inbox(script.server, Credentials("alice", "secret"))
    return Watcher(inbox, FakeHost(), ssl.create_default_context(), spool, place, settings)

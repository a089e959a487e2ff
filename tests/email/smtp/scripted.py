"""A mail server on a real socket that does what a test tells it to, at the step that the test names."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Mapping

HANG, CLOSE = "hang", "close"
STEPS = ("greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "body", "dot", "RSET", "QUIT")

_USUAL = {
    "greeting": "220 scripted ESMTP",
    "EHLO": "250-scripted\r\n250-8BITMIME\r\n250-SIZE 50000000\r\n250-DSN\r\n250-SMTPUTF8\r\n250 AUTH PLAIN",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "dot": "250 2.0.0 taken",
    "RSET": "250 2.0.0 ok",
    "QUIT": "221 bye",
}


class Scripted:
    """`says` maps steps to what happens there: a reply, `HANG` (nothing more is said or read), `CLOSE`, or a
    list of these, one for each time. `lines` are the commands it got, `mails` the mails as they came,
    without the end."""

    def __init__(self, says: Mapping[str, str | list[str]], tls: ssl.SSLContext | None = None) -> None:
        self.says = dict(says)
        self.tls = tls
        self.port = 0
        self.lines: list[str] = []
        self.mails: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self._stop = asyncio.Event()

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._talk(reader, writer)
        finally:
            self.open -= 1
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        going = await self._do("greeting", writer)
        while going and (raw := await reader.readline()):
            line = raw.decode().rstrip("\r\n")
            self.lines.append(line)
            step = line.split(" ")[0].upper()
            going = await self._do(step, writer)
            if step == "STARTTLS" and going and self.tls is not None:
                await writer.start_tls(self.tls)
            if step == "DATA" and going and str(self.said).startswith("354"):
                going = await self._take(reader, writer)
            if step == "QUIT":
                return

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if "body" in self.says:
            await reader.readexactly(10)
            if not await self._do("body", writer):
                return False
        mail = b"\r\n"
        while not mail.endswith(b"\r\n.\r\n"):
            piece = await reader.read(1 << 20)
            if not piece:
                return False
            mail += piece
        self.mails.append(mail[2:-3])
        return await self._do("dot", writer)

    async def _do(self, step: str, writer: asyncio.StreamWriter) -> bool:
        says = self.says.get(step, _USUAL.get(step, "500 what?"))
        self.said = says if isinstance(says, str) else says.pop(0) if says else _USUAL[step]
        if self.said == HANG:
            await self._stop.wait()
            return False
        if self.said == CLOSE:
            return False
        writer.write(f"{self.said}\r\n".encode())
        await writer.drain()
        return True

    def stop(self) -> None:
        self._stop.set()


@contextlib.asynccontextmanager
async def scripted(
    says: Mapping[str, str | list[str]] | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Scripted]:
    """A running one, on a port of its own."""
    server = Scripted(says or {}, tls)
    # A small window, so that a server that does not read holds its client up.
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    sock.bind(("127.0.0.1", 0))
    listening = await asyncio.start_server(server.client, sock=sock, limit=1 << 20)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.stop()
        listening.close()
        async with asyncio.timeout(10):
            while server.open:
                await asyncio.sleep(0.01)

"""The ends of mail: a smarthost that takes everything, and a mail server that delivers prepared mails. They
know just what a gateway and the floor need."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from bench.ends import PATIENCE, Catch, WrongCount
from bench.work import NETWORK, ODD, SERVER, person

OURS = "bench.example"
OWN = f"user0@{OURS}"
_END = b"\r\n.\r\n"


def address(number: int) -> str:
    """The mail address of somebody outside."""
    return f"{person(number)}@{NETWORK}"


def small(number: int, sender: int = 0) -> bytes:
    """A mail, ready for the wire: what a person writes, with a line of its own."""
    return (
        f"From: Person {sender} <{address(sender)}>\r\nTo: {OWN}\r\nSubject: Mail {number}\r\n"
        f"Date: Mon, 02 Jan 2023 10:00:00 +0000\r\nMessage-ID: <{number}.bench@{NETWORK}>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\nline {number} {ODD}\r\n"
    ).encode()


class SmtpEnd(asyncio.Protocol):
    """A connection to the smarthost. All of them share `catch`, which gets the mails as they are on the
    wire."""

    def __init__(self, catch: Catch) -> None:
        self._catch = catch
        self._rest = b""
        self._in_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 smarthost.bench ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while True:
            mark = _END if self._in_mail else b"\r\n"
            part, found, rest = self._rest.partition(mark)
            if not found:
                return
            self._rest = rest
            if self._in_mail:
                self._in_mail = False
                self._catch.take(part + mark)
                self._transport.write(b"250 2.0.0 taken\r\n")
            else:
                self._command(part[:4].upper())

    def _command(self, word: bytes) -> None:
        if word == b"EHLO":
            self._transport.write(b"250-smarthost.bench\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n")
        elif word == b"DATA":
            self._in_mail = True
            self._transport.write(b"354 go on\r\n")
        elif word == b"QUIT":
            self._transport.write(b"221 bye\r\n")
            self._transport.close()
        else:
            self._transport.write(b"250 2.0.0 ok\r\n")


class Sender:
    """A mail server's connection to the program under test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> Sender:
        """Connect, once something listens there, and say hello."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    await asyncio.sleep(0.02)
        sender = cls(reader, writer)
        await sender._answer()
        await sender._ask(f"EHLO mta.{SERVER}\r\n".encode())
        return sender

    async def send(self, mail: bytes, sender: str) -> float:
        """Deliver a mail; when its first octet was written (`perf_counter`)."""
        await self._ask(f"MAIL FROM:<{sender}>\r\n".encode())
        await self._ask(f"RCPT TO:<{OWN}>\r\n".encode())
        await self._ask(b"DATA\r\n")
        began = time.perf_counter()
        await self._ask(mail + b".\r\n")
        return began

    async def send_all(self, mails: Sequence[bytes], sender: str) -> None:
        """One after the other."""
        for mail in mails:
            await self.send(mail, sender)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def _ask(self, line: bytes) -> None:
        self._writer.write(line)
        await self._answer()

    async def _answer(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                line = await self._reader.readline()
                if line[:1] not in (b"2", b"3"):
                    raise WrongCount(f"the listener answered {line!r}")
                if line[3:4] == b" ":
                    return

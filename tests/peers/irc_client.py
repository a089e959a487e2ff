"""Knows how a test speaks raw IRC: send a line, wait for a line, everything that came is kept."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

PROMPT_SECONDS = 10.0


class IrcClient:
    """One raw connection to an IRC server.

    `lines` holds every line that came, without its end; `wait_for` looks at those not yet
    waited for, in order, so that two waits never see the same line. PINGs are answered.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nick: str) -> None:
        self.nick = nick
        self.lines: list[str] = []
        self.closed = False
        self._reader, self._writer = reader, writer
        self._seen = 0
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            while raw := await self._reader.readline():
                line = raw.rstrip(b"\r\n").decode("utf-8", "replace")
                if line.startswith("PING"):
                    self.send("PONG" + line[4:])
                async with self._news:
                    self.lines.append(line)
                    self._news.notify_all()
        except ConnectionError as lost:
            self.lines.append(f"(connection lost: {lost})")
        finally:
            self.closed = True
            async with self._news:
                self._news.notify_all()

    def send(self, line: str | bytes) -> None:
        """Send one line (its end is added); bytes go out as they are, for odd encodings."""
        self._writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def say(self, target: str, text: str) -> None:
        self.send(f"PRIVMSG {target} :{text}")

    async def join(self, channel: str) -> None:
        """Join a channel and wait for the end of its list of names."""
        self.send(f"JOIN {channel}")
        await self.wait_for(rf" 366 \S+ {re.escape(channel)} ")

    async def wait_for(self, want: str | Callable[[str], bool], seconds: float = PROMPT_SECONDS) -> str:
        """The next line that matches (a regular expression, or a function), skipping others.

        Raises AssertionError with all lines since the last wait if none comes in time.
        """
        matches = want if callable(want) else re.compile(want).search
        start = self._seen
        try:
            async with asyncio.timeout(seconds):
                while True:
                    async with self._news:
                        while self._seen < len(self.lines):
                            line = self.lines[self._seen]
                            self._seen += 1
                            if matches(line):
                                return line
                        if self.closed:
                            break
                        await self._news.wait()
        except TimeoutError:
            pass
        why = "the connection is closed" if self.closed else f"{seconds} s are over"
        came = "\n  ".join(self.lines[start:]) or "(nothing)"
        raise AssertionError(f"{self.nick} waited for {want!r}, {why}; since the last wait came:\n  {came}")

    async def sync(self) -> None:
        """Return once the server has handled all that was sent before: a PING and its PONG."""
        token = f"sync{self._seen}x{len(self.lines)}"
        self.send(f"PING :{token}")
        await self.wait_for(rf"PONG .*{token}")

    async def close(self, reason: str = "bye") -> None:
        """QUIT and close; a connection that is gone already is fine."""
        with contextlib.suppress(ConnectionError):
            self.send(f"QUIT :{reason}")
            await self._writer.drain()
        await self.abort()

    async def abort(self) -> None:
        """Drop the connection without a word."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()


async def connect(
    port: int, nick: str, *, ca_file: Path | None = None, register: bool = True, password: str | None = None
) -> IrcClient:
    """Connect to an IRC server on loopback (with TLS if `ca_file` is given) and register the nick."""
    context = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, limit=1 << 20)
    client = IrcClient(reader, writer, nick)
    if register:
        if password is not None:
            client.send(f"PASS :{password}")
        client.send(f"NICK {nick}")
        client.send(f"USER {nick} 0 * :{nick}")
        await client.wait_for(r" (376|422) ")
    return client


@contextlib.asynccontextmanager
async def irc_client(
    port: int, nick: str, *, ca_file: Path | None = None, register: bool = True, password: str | None = None
) -> AsyncIterator[IrcClient]:
    """A registered client inside the `async with`, gone (QUIT) after it."""
    client = await connect(port, nick, ca_file=ca_file, register=register, password=password)
    try:
        yield client
    finally:
        await client.close()

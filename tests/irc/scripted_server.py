"""A server on a real socket that says what a test tells it to, for what no real IRC server would say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

SECONDS = 10.0


class ScriptedServer:
    """Takes one client at a time. It welcomes a client that sends USER, unless `welcomes` is false, and
    answers PING; it closes after QUIT, unless `closes` is false. `say` and `raw` send, `heard` waits for a
    line of the client."""

    def __init__(self) -> None:
        self.port = 0
        self.welcomes = True
        self.answers_ping = True
        self.closes = True
        self.lines: list[str] = []
        self.connections = 0
        self._writer: asyncio.StreamWriter | None = None
        self._seen = 0
        self._news = asyncio.Event()

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.connections += 1
        with contextlib.suppress(ConnectionError):
            while raw := await reader.readline():
                line = raw.decode("utf-8", "surrogateescape").removesuffix("\r\n")
                self.lines.append(line)
                self._answer(line)
                self._news.set()
        writer.close()

    def _answer(self, line: str) -> None:
        if line.startswith("USER ") and self.welcomes:
            self.welcome()
        if line.startswith("PING ") and self.answers_ping:
            self.say(f":irc.example.org PONG irc.example.org {line[5:]}")
        if line.startswith("QUIT") and self.closes:
            self.say("ERROR :Closing link (Quit)")
            self.hang_up()

    def welcome(self, nick: str = "alice", *tokens: str) -> None:
        features = f" {' '.join(tokens)}" if tokens else ""
        self.say(
            f":irc.example.org 001 {nick} :Welcome",
            f":irc.example.org 005 {nick} PREFIX=(qaohv)~&@%+ CASEMAPPING=rfc1459{features} :are supported",
            f":irc.example.org 422 {nick} :No MOTD",
        )

    def say(self, *lines: str) -> None:
        self.raw("".join(f"{line}\r\n" for line in lines).encode())

    def raw(self, data: bytes) -> None:
        assert self._writer is not None, "nobody is connected"
        self._writer.write(data)

    def hang_up(self) -> None:
        assert self._writer is not None, "nobody is connected"
        self._writer.close()

    async def heard(self, text: str) -> str:
        """The next line that contains the text. Raises AssertionError."""
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    while self._seen < len(self.lines):
                        self._seen += 1
                        if text in self.lines[self._seen - 1]:
                            return self.lines[self._seen - 1]
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{text!r} not heard in {SECONDS} s: {self.lines[-20:]}") from None


@contextlib.asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """A scripted server on a free port of loopback."""
    script = ScriptedServer()
    server = await asyncio.start_server(script.client, "127.0.0.1", 0, limit=1 << 20)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        if script._writer is not None:
            script._writer.close()

"""A loopback server that speaks the component protocol by hand, so that it can misbehave on order."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from xml.etree import ElementTree as ET

from bridge.xmpp.link import ComponentLink
from bridge.xmpp.link_config import LinkConfig
from bridge.xmpp.reconnect import LinkProblem

DOMAIN = "irc.example.test"
SECRET = "sekrit"
SERVER = "example.test"
HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
    "xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='irc.example.test'>"
)


class RawConnection:
    """One accepted connection: what the component sends arrives as elements, read only when asked."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._parser = ET.XMLPullParser(("start", "end"))
        self._depth = 0
        self.ended = False

    def send(self, xml: str) -> None:
        self.writer.write(xml.encode())

    async def next(self) -> ET.Element:
        """The component's next stanza; the stream header for the first call."""
        while True:
            for event, element in self._parser.read_events():
                assert isinstance(element, ET.Element)
                if event == "start":
                    self._depth += 1
                    if self._depth == 1:
                        return element
                    continue
                self._depth -= 1
                if self._depth == 1:
                    return element
                if self._depth == 0:
                    self.ended = True
                    raise EOFError
            data = await asyncio.wait_for(self.reader.read(65536), 10)
            if not data:
                raise EOFError
            self._parser.feed(data)

    async def accept(self) -> None:
        """Take the component in, as a server does (XEP-0114 §3)."""
        await self.next()
        self.send(HEADER)
        handshake = await self.next()
        assert handshake.text == hashlib.sha1(b"s1" + SECRET.encode()).hexdigest()
        self.send("<handshake/>")

    async def to_end(self) -> list[ET.Element]:
        """All stanzas until the component ends its stream or the connection."""
        stanzas = []
        with contextlib.suppress(EOFError, ConnectionError):
            while not self.ended:
                stanzas.append(await self.next())
        return stanzas


class RawServer:
    def __init__(self) -> None:
        self.connections: asyncio.Queue[RawConnection] = asyncio.Queue()
        self.port = 0

    async def connection(self, accept: bool = True) -> RawConnection:
        """The next connection of the component, accepted unless told otherwise."""
        connection = await asyncio.wait_for(self.connections.get(), 10)
        if accept:
            await connection.accept()
        return connection


@contextlib.asynccontextmanager
async def raw_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    server = RawServer()
    every: list[asyncio.StreamWriter] = []

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        every.append(writer)
        await server.connections.put(RawConnection(reader, writer))

    listening = await asyncio.start_server(met, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for writer in every:
            writer.transport.abort()


class Seen:
    """What a link told its owner, and waiting for it."""

    def __init__(self, link: ComponentLink) -> None:
        self.link = link
        self.ups = 0
        self.downs: list[LinkProblem] = []
        self._changed = asyncio.Event()
        link.on_up = self._up
        link.on_down = self._down

    def _up(self) -> None:
        self.ups += 1
        self._changed.set()

    def _down(self, problem: LinkProblem) -> None:
        self.downs.append(problem)
        self._changed.set()

    async def until(self, fact: Callable[[], object], seconds: float = 15) -> None:
        """Wait for a fact that `on_up` or `on_down` brings about."""
        async with asyncio.timeout(seconds):
            while not fact():
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def linked(port: int, **settings: object) -> AsyncIterator[ComponentLink]:
    """A link that runs inside the `with`, and is stopped after it."""
    config = {"domain": DOMAIN, "secret": SECRET, "server": SERVER, "host": "127.0.0.1", "port": port}
    link = ComponentLink(LinkConfig(**(config | settings)))  # type: ignore[arg-type]
    running = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        stopping = asyncio.create_task(link.stop())
        # a raw server often does not end its stream, and the 2 s that `stop` gives it add up
        await asyncio.wait({stopping}, timeout=0.3)
        link.give_up("the test is over, and its server does not answer")
        await asyncio.wait_for(asyncio.gather(stopping, running), 5)


async def polled(fact: Callable[[], object], seconds: float = 10) -> None:
    """Wait for a fact that nobody announces."""
    async with asyncio.timeout(seconds):
        while not fact():
            await asyncio.sleep(0.005)

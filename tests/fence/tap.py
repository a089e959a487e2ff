"""Knows what passes between the bridge and its XMPP server: a relay on loopback that reads along."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from xml.etree.ElementTree import Element, XMLPullParser

from tests.peers.daemon import free_port

_BODY = "{jabber:component:accept}body"
_ORIGIN = "{urn:xmpp:sid:0}origin-id"
_PING = "{urn:xmpp:ping}ping"


class Stream:
    """One connection of the bridge's: the messages with a body on it, and what their fences proved."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self.sent: list[str] = []
        """ids, in order"""
        self.fenced: set[str] = set()
        self.bounced_first: list[str] = []
        """ids refused until a ping was answered for a message that was not"""
        self.before_first_fence = 0
        """how many messages went out until a ping was answered"""
        self.fences = 0
        self._open: dict[str, str] = {}
        self._pings: dict[str, list[str]] = {}
        self._proven = False

    def wrote(self, element: Element) -> None:
        """The bridge sent this."""
        to, id_ = element.get("to", ""), element.get("id", "")
        if element.tag.endswith("}message") and element.get("type") == "chat":
            body, origin = element.findtext(_BODY), element.find(_ORIGIN)
            if body is None or origin is None:
                return
            assert origin.get("id") == id_
            self._tap.note(id_, to, body)
            self.sent.append(id_)
            self._open[id_] = to
            self.before_first_fence += not self._proven
        elif element.find(_PING) is not None:
            self._pings[id_] = [each for each, user in self._open.items() if self._tap.covers(to, user)]

    def got(self, element: Element) -> None:
        """The server sent this."""
        kind, id_ = element.get("type"), element.get("id", "")
        if element.tag.endswith("}iq") and id_ in self._pings:
            covered = self._pings.pop(id_)
            if kind == "result":
                self._proven = self._proven or bool(self._open)
                self.fences += 1
                proven = {each for each in covered if self._open.pop(each, None) is not None}
                self.fenced |= proven
                self._tap.fenced |= proven
        elif element.tag.endswith("}message") and kind == "error":
            self._bounced(id_)

    def _bounced(self, id_: str) -> None:
        if self._open.pop(id_, None) is not None and not self._proven:
            self.bounced_first.append(id_)


class Tap:
    """The relay: the bridge connects to `component_port`, and gets through while the tap is `let_through`.

    `online` are the users (bare JIDs) whose fence is an answer of their client; for the others, and on all
    servers but ejabberd, it is the server's."""

    def __init__(self, host: str, upstream: int) -> None:
        self.host = host
        self.component_port = free_port()
        self.streams: list[Stream] = []
        self.bodies: dict[str, tuple[str, str]] = {}
        """id -> user, text"""
        self.ids: dict[tuple[str, str], set[str]] = {}
        self.fenced: set[str] = set()
        """the ids of all messages that the server surely has"""
        self.online: set[str] = set()
        self._upstream = upstream
        self._through = asyncio.Event()
        self._through.set()
        self._news = asyncio.Event()
        self._trip: tuple[Callable[[], object], Callable[[], object]] | None = None
        self._relays: set[asyncio.Task[None]] = set()

    def covers(self, target: str, user: str) -> bool:
        """Whether a ping to the target says something about messages to the user."""
        return target.startswith(f"{user}/") if user in self.online else target == self.host

    def note(self, id_: str, user: str, body: str) -> None:
        """A message went by."""
        assert self.bodies.setdefault(id_, (user, body)) == (user, body)
        self.ids.setdefault((user, body), set()).add(id_)

    def when(self, fact: Callable[[], object], act: Callable[[], None]) -> asyncio.Event:
        """Do something in the very moment that a fact is seen, once; the event tells that it is done."""
        done = asyncio.Event()
        self._trip = (fact, lambda: (act(), done.set()))
        return done

    async def until(self, fact: Callable[[], object], what: str, seconds: float = 60) -> None:
        """Return when what went by makes a fact true."""
        try:
            async with asyncio.timeout(seconds):
                while not fact():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"waited {seconds} s for {what}") from None

    def hold(self) -> None:
        """New connections wait from now on."""
        self._through.clear()

    def let_through(self) -> None:
        """New connections, and those that wait, get to the server."""
        self._through.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until both ends are closed."""
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        try:
            await self._through.wait()
            with contextlib.suppress(ConnectionError):
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
                stream = Stream(self)
                self.streams.append(stream)
                try:
                    await asyncio.gather(
                        self._relay(reader, up_writer, stream.wrote),
                        self._relay(up_reader, writer, stream.got),
                    )
                finally:
                    up_writer.close()
        finally:
            self._relays.discard(task)
            writer.close()

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, take: Callable[[Element], None]
    ) -> None:
        """Until the end of what comes, even if it has nowhere to go: a socket that is closed with unread data
        would take from the other end what that has not read yet."""
        parser = XMLPullParser(["start", "end"])
        depth = 0
        try:
            while data := await reader.read(65536):
                if not writer.is_closing():
                    writer.write(data)
                parser.feed(data)
                for event, element in parser.read_events():  # type: ignore[misc]
                    depth += 1 if event == "start" else -1
                    if event == "end" and depth == 1:
                        take(element)
                        self._seen()
        except ConnectionError:
            pass
        with contextlib.suppress(OSError):
            writer.write_eof()

    def _seen(self) -> None:
        if self._trip is not None and self._trip[0]():
            act, self._trip = self._trip[1], None
            act()
        self._news.set()

    async def close(self) -> None:
        """End all relays."""
        for task in list(self._relays):
            task.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)


@contextlib.asynccontextmanager
async def tapped(host: str, upstream: int) -> AsyncIterator[Tap]:
    """A relay before a server's component port."""
    tap = Tap(host, upstream)
    server = await asyncio.start_server(tap.serve, "127.0.0.1", tap.component_port)
    try:
        yield tap
    finally:
        server.close()
        await tap.close()

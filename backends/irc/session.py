"""Knows the life of one connection: dial, register, work, end. What lines and commands mean is known
elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec

from backends.irc.address import AddressBook
from backends.irc.dial import Dialler, Plan, TlsContexts
from backends.irc.heard import Heard
from backends.irc.inbound import Inbound
from backends.irc.keepalive import regain_nick, watch
from backends.irc.link import Link
from backends.irc.numerics import name_of
from backends.irc.options import Options
from backends.irc.outbound import Outbound
from backends.irc.outbox import Outbox
from backends.irc.parser import build, parse_line
from backends.irc.queries import Queries
from backends.irc.registration import Identity, Registration
from backends.irc.throttle import Throttle
from backends.irc.wire import Wire
from bridge.api import (
    Account,
    Answer,
    BackendError,
    Capabilities,
    Chat,
    Command,
    Connected,
    ConnectionLost,
    Host,
    Later,
    MessageLost,
    NetworkNotice,
    Outcome,
    Query,
    QueryFailed,
    Reason,
    RoomChat,
    SendMessage,
    Sent,
    Support,
)

CONTACT_CAPABILITIES = Capabilities(
    reaction=Support.REFUSE, formatting=Support.NATIVE, max_text=400, max_body=16 * 1024
)
ROOM_CAPABILITIES = msgspec.structs.replace(
    CONTACT_CAPABILITIES, reaction=Support.TEXT, subject=Support.NATIVE
)

_MAYBE_LOST = "The connection to the network broke: this message may not have arrived."
_GREETING = 1.0
"""Seconds after the welcome in which the rest of the greeting (limits, message of the day) is waited for."""
_GOODBYE = 1.5
"""Seconds that the server has to close after our QUIT."""


class Setup(msgspec.Struct, frozen=True):
    """What a session needs of its backend. `broke` is called when the link ends against our will."""

    options: Options
    book: AddressBook
    contexts: TlsContexts
    plan: Plan
    identity: Identity
    broke: Callable[[], None]
    heard: Heard


class IrcSession:
    """One account's link to one IRC network; see `bridge.api.Session`."""

    def __init__(self, account: Account, host: Host, setup: Setup) -> None:
        self._host = host
        self._setup = setup
        self._link = Link(host, account.network, setup.options, setup.book, setup.heard)
        self._inbound = Inbound(self._link)
        self._over = asyncio.Event()
        self._outbound = Outbound(self._link, partial(_end_soon, self._over))
        self._queries = Queries(self._link)
        self._registration = Registration(setup.identity)
        self._registered = asyncio.Event()
        self._greeted = asyncio.Event()
        self._failure: BackendError | None = None
        self._wire: Wire | None = None
        self._connected = False
        self._closed = False
        self.at_once: Callable[[SendMessage], Sent | None] = _not_now
        """see `PromptSession.at_once`; without a call in between while we are connected"""
        self.receive: Callable[[str], None] = self._receive_early
        """takes one line from the wire"""

    async def run(self) -> None:
        """See `Session.run`."""
        try:
            with self._setup.heard.listening():
                await self._run()
        finally:
            # Our own method would keep us until the garbage collector looks for such rings.
            self.receive = _deaf
            self.at_once = _not_now

    async def _run(self) -> None:
        working = asyncio.ensure_future(self._work())
        ending = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
            self._raise_end(working)
        finally:
            working.cancel()
            ending.cancel()
            await self._hang_up()
            await asyncio.gather(working, ending, return_exceptions=True)

    def _raise_end(self, working: asyncio.Future[None]) -> None:
        """Return if we wanted the end, else say why it came. A server that closed after our QUIT has read
        all that was before it."""
        leaving = self._link.leaving
        if not (leaving and self._closed):
            for chat, key in self._link.unheard.take():
                self._host.emit(MessageLost(chat, key, _MAYBE_LOST))
        if leaving:
            return
        if self._connected:
            self._setup.broke()
        if self._failure is not None:
            raise self._failure
        if working.done() and not self._over.is_set():
            working.result()
        text = self._link.error or "The connection broke"
        if self._link.error and not self._connected:
            # Of a link that was up, the bridge tells how it ended.
            self._say(f"ERROR: {text}")
        raise ConnectionLost(text)

    async def _hang_up(self) -> None:
        if self._wire is not None:
            self._link.end()
            await self._wire.hang_up()

    async def _work(self) -> None:
        await self._connect()
        await self._login()
        await self._greeting()
        self._connected = True
        self.at_once = _not_now if self._over.is_set() else self._outbound.talk.at_once
        self._host.emit(Connected(self._link.nick))
        if not self._link.is_me(self._link.wanted_nick):
            self._link.spawn(regain_nick(self._link))
        await watch(self._link)

    async def _connect(self) -> None:
        options = self._setup.options
        dialler = Dialler(self._setup.contexts, self._host.resolve, self._say, options.connect_timeout)
        self._link.wanted_nick = self._link.nick = self._registration.nick
        self._wire = await dialler.dial(self._setup.plan, self._new_wire)
        for line in self._registration.start():
            self._link.outbox.write(line)

    def _new_wire(self) -> Wire:
        """A wire for one try. The server may speak before the try is known to have worked."""
        options = self._setup.options
        wire = Wire(self, options.encoding)
        burst, rate = options.throttle_burst, options.throttle_per_second
        self._link.attach(wire, Outbox(wire, Throttle(burst, rate) if burst >= 0 else None))
        return wire

    async def _login(self) -> None:
        try:
            async with asyncio.timeout(self._setup.options.login_timeout):
                await self._registered.wait()
        except TimeoutError:
            raise ConnectionLost("The server did not let us in in time") from None

    async def _greeting(self) -> None:
        """Join rooms only after the server has told its limits."""
        try:
            async with asyncio.timeout(_GREETING):
                await self._greeted.wait()
        except TimeoutError:
            return

    def _say(self, text: str) -> None:
        self._host.emit(NetworkNotice(text))

    def _receive_early(self, text: str) -> None:
        """A line before the end of the greeting."""
        line = parse_line(text)
        if line is None or self._failure is not None:
            return
        if not self._registration.done:
            try:
                for answer in self._registration.receive(line):
                    self._link.outbox.write(answer)
            except BackendError as failure:
                self._failure = failure
            self._link.nick, self._link.caps = self._registration.nick, self._registration.caps
        self._inbound.take(line)
        if self._failure is not None:
            self._end()
        elif self._registration.done:
            self._registered.set()
            if name_of(line.command) in ("endofmotd", "nomotd"):
                self._ready()

    def chunk_comes(self) -> bool:
        """Lines came at once. Other connections, whose lines came in the same moment, may have filled all
        that there is room for."""
        self.chunk_done()
        return not self._link.resting

    def _ready(self) -> None:
        """The greeting is over: lines have a short way from now on."""
        self._greeted.set()
        self.receive = self._inbound.receive

    def chunk_done(self) -> None:
        """All lines that came at once are done: rest, if the bridge cannot keep up."""
        if self._host.congested and not self._link.resting and self._wire is not None:
            self._link.rest(True)
            self._wire.pause()
            self._link.spawn(self._rest())

    async def _rest(self) -> None:
        await self._host.drain()
        self._link.rest(False)
        if self._wire is not None:
            self._wire.resume()

    def writable(self) -> None:
        """The server takes lines again."""
        self._link.outbox.resume()

    def lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._closed = error is None or bool(self._link.error)
        self._link.end()
        self._end()

    async def execute(self, command: Command) -> Outcome:
        """See `Session.execute`."""
        if self._over.is_set() or not self._connected:
            return Later(5.0, "Not connected to the network")
        return await self._outbound.execute(command)

    async def query(self, query: Query) -> Answer:
        """See `Session.query`."""
        if self._over.is_set() or not self._connected:
            raise QueryFailed(Reason.NETWORK_DOWN, "Not connected to the network")
        return await self._queries.ask(query)

    def capabilities(self, chat: Chat) -> Capabilities:
        """See `Session.capabilities`."""
        return ROOM_CAPABILITIES if isinstance(chat, RoomChat) else CONTACT_CAPABILITIES

    async def close(self, reason: str) -> None:
        """See `Session.close`."""
        self._link.leaving = True
        if self._wire is None or self._over.is_set():
            self._end()
            return
        self._link.outbox.write(build("QUIT", trailing=reason or self._setup.options.quit_message))
        self._wire.flush()
        _end_soon(self._over)

    def _end(self) -> None:
        self._over.set()
        self.at_once = _not_now


def _not_now(_: SendMessage) -> None:
    """There is no connection."""


def _end_soon(over: asyncio.Event) -> None:
    """The server has our QUIT, and closes; we do not wait for it for long."""
    asyncio.get_running_loop().call_later(_GOODBYE, over.set)


def _deaf(_text: str) -> None:
    """A line after the end."""

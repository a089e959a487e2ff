"""A host that keeps what a session tells it, for tests that drive a session without the bridge."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from backends.irc import Options, create
from backends.irc.options import NetworkOptions
from bridge.api import (
    Account,
    AccountId,
    Backend,
    Connected,
    ConnectionLost,
    ContactId,
    Endpoint,
    Event,
    JoinRoom,
    MessageReceived,
    NetworkId,
    NetworkNotice,
    Reason,
    RoomId,
    RoomJoined,
    Session,
    SoftwareVersion,
)

E = TypeVar("E")
SECONDS = 10.0
HOSTS = ("irc.example.org", "bare.example.org", "other.example.org")


class RecordingHost:
    """Keeps events in order; `wait` gives the next one that fits, each at most once. `fills`: after a
    message there is no room for another."""

    def __init__(self, account: Account, names: dict[str, str]) -> None:
        self.account = account
        self.events: list[Event] = []
        self.version: SoftwareVersion | None = SoftwareVersion("Client", "1.0", "Linux")
        self.congested = False
        self.fills = False
        self.room_again = asyncio.Event()
        self._names = names
        self._taken: set[int] = set()
        self._news = asyncio.Event()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._done.set_result(None)

    def emit(self, event: Event, *, cursor: tuple[str, str] | None = None) -> Awaitable[None]:
        self.events.append(event)
        self.congested = self.congested or (self.fills and isinstance(event, MessageReceived))
        self._news.set()
        return self._done

    async def drain(self) -> None:
        await self.room_again.wait()

    async def cursor(self, name: str) -> str | None:
        return None

    async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
        if name not in self._names:
            raise ConnectionLost("no such host", Reason.NO_SUCH_NETWORK)
        return (Endpoint(self._names[name], port, name),)

    async def user_version(self, asker: ContactId) -> SoftwareVersion | None:
        return self.version

    async def user_ping(self, asker: ContactId) -> bool:
        return True

    @property
    def notices(self) -> list[str]:
        """The texts of the network so far."""
        return [event.text for event in self.events if isinstance(event, NetworkNotice)]

    async def wait(self, kind: type[E], fits: Callable[[E], bool] = lambda _event: True) -> E:
        """The first event of that kind that fits and was not waited for yet. Raises AssertionError."""
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    for index, event in enumerate(self.events):
                        if index not in self._taken and isinstance(event, kind) and fits(event):
                            self._taken.add(index)
                            return event
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            came = "\n  ".join(map(repr, self.events[-30:]))
            raise AssertionError(f"no {kind.__name__} in {SECONDS} s; last events:\n  {came}") from None

    async def notice(self, text: str) -> None:
        """Wait for a text of the network that contains this one."""
        await self.wait(NetworkNotice, lambda event: text in event.text)


class Driven:
    """A session that runs, and its host."""

    def __init__(self, session: Session, host: RecordingHost) -> None:
        self.session = session
        self.host = host
        self.running = asyncio.ensure_future(session.run())

    async def connected(self) -> str:
        """Wait for `Connected`, or raise what ended the session before; the nick."""
        waiting = asyncio.ensure_future(self.host.wait(Connected))
        await asyncio.wait({waiting, self.running}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            self.running.result()
            raise AssertionError("the session ended without Connected")
        return waiting.result().name

    async def join(self, room: str) -> RoomJoined:
        """Join a room and wait until we are in it."""
        await self.session.execute(JoinRoom(RoomId(room), "unused"))
        return await self.host.wait(RoomJoined, lambda event: event.room == room)

    async def ended(self) -> BaseException | None:
        """Wait for the end of `run`; what it raised."""
        await asyncio.wait({self.running}, timeout=SECONDS)
        assert self.running.done(), "run did not end"
        return self.running.exception()


def account_for(
    nick: str = "alice", *, settings: dict[str, str] | None = None, secrets: dict[str, str] | None = None
) -> Account:
    return Account(
        AccountId(f"{nick}-account"), f"{nick}@example.test", NetworkId("irc.example.org"),
        settings or {}, secrets or {}, nick,
    )  # fmt: skip


def options_for(port: int, *, host: str = "", ca_file: str = "", **more: object) -> Options:
    """Options where `irc.example.org` is a server on loopback: TLS with that CA, else plain; no throttle."""
    network = NetworkOptions(host=host, port=port, tls="required" if ca_file else "off", ca_file=ca_file)
    values: dict[str, object] = {"throttle_burst": -1, "networks": {"irc.example.org": network}} | more
    return Options(**values)  # type: ignore[arg-type]


def open_session(backend: Backend, account: Account) -> Driven:
    """Start a session; the names in `HOSTS` are on loopback."""
    host = RecordingHost(account, dict.fromkeys(HOSTS, "127.0.0.1"))
    return Driven(backend.open(account, host), host)


@contextlib.asynccontextmanager
async def driven(options: Options, account: Account | None = None) -> AsyncIterator[Driven]:
    """A session that runs inside the `async with`."""
    session = open_session(create(options), account or account_for())
    try:
        yield session
    finally:
        session.running.cancel()
        await asyncio.gather(session.running, return_exceptions=True)

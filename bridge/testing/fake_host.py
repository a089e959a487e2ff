"""A `Host` without a bridge behind it: it remembers what a session tells, and lets a test wait for it."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from bridge.api import (
    Account,
    AccountId,
    Attachment,
    ConnectionLost,
    ContactId,
    Endpoint,
    Event,
    NetworkId,
    Reason,
    SoftwareVersion,
    TransferFailed,
)

E = TypeVar("E")

WAIT_SECONDS = 5.0


class NotEmitted(AssertionError):
    """A session did not say what a test waited for; the text has what it said instead."""


class FakeHost:
    """What a session asks of the bridge, for tests.

    `account` is whose session it is; `events` are all events in order; `cursors` what was saved with them.
    `endpoints` maps names to addresses for `resolve`; a name that is not in it must be an IP address or
    `localhost`. `files` has what was uploaded, and what can be fetched, by URL; with `refuse_files` neither
    can be done. `hold_storing` keeps the awaitables of `emit` open until `store()`: so a test sees whether a
    backend acknowledges too early.
    """

    def __init__(self, account: Account | None = None, endpoints: Mapping[str, str] | None = None) -> None:
        self.account = account or Account(
            AccountId("test"), user="user@example.org", network=NetworkId(""), nick="user"
        )
        self.events: list[Event] = []
        self.cursors: dict[str, str] = {}
        self.endpoints = dict(endpoints or {})
        self.files: dict[str, bytes] = {}
        self.version: SoftwareVersion | None = SoftwareVersion("FakeClient", "1.0")
        self.refuse_files: TransferFailed | None = None
        self.hold_storing = False
        self._unstored: list[tuple[asyncio.Future[None], tuple[str, str] | None]] = []
        self._waiting: list[asyncio.Event] = []
        self._flowing = asyncio.Event()
        self._flowing.set()

    def emit(self, event: Event, *, cursor: tuple[str, str] | None = None) -> Awaitable[None]:
        """Remember the event. The awaitable is done at once, unless `hold_storing`."""
        stored = asyncio.get_running_loop().create_future()
        self.events.append(event)
        self._unstored.append((stored, cursor))
        if not self.hold_storing:
            self.store()
        for waiting in self._waiting:
            waiting.set()
        return stored

    def store(self) -> None:
        """Complete every `emit` so far."""
        for stored, cursor in self._unstored:
            if cursor is not None:
                self.cursors[cursor[0]] = cursor[1]
            if not stored.done():
                stored.set_result(None)
        self._unstored.clear()

    def lose_unstored(self) -> None:
        """What a crash leaves: events that were not stored are forgotten, and nobody hears of them."""
        for stored, _ in self._unstored:
            stored.cancel()
        del self.events[len(self.events) - len(self._unstored) :]
        self._unstored.clear()

    @property
    def congested(self) -> bool:
        """Whether the session should stop reading; see `congest`."""
        return not self._flowing.is_set()

    def congest(self, congested: bool = True) -> None:
        """Make the host congested, or free again."""
        if congested:
            self._flowing.clear()
        else:
            self._flowing.set()

    async def drain(self) -> None:
        """Wait until `congest(False)`."""
        await self._flowing.wait()

    async def cursor(self, name: str) -> str | None:
        """The value last saved under this name."""
        return self.cursors.get(name)

    async def save(self, name: str, value: str) -> None:
        """Remember a value."""
        self.cursors[name] = value

    async def upload(self, file: Path, name: str, media_type: str) -> Attachment:
        """Keep a file in `files`."""
        if self.refuse_files is not None:
            raise self.refuse_files
        content = await asyncio.to_thread(file.read_bytes)
        url = f"https://files.test/{len(self.files)}/{quote(name)}"
        self.files[url] = content
        return Attachment(url, name, media_type, len(content))

    async def download(self, attachment: Attachment, file: Path, limit: int) -> Attachment:
        """Give a file from `files`."""
        if self.refuse_files is not None:
            raise self.refuse_files
        content = self.files.get(attachment.url)
        if content is None or len(content) > limit:
            raise TransferFailed("There is no such file, or it is too big.", again=False)
        await asyncio.to_thread(file.write_bytes, content)
        name = attachment.name or attachment.url.rpartition("/")[2]
        kind = attachment.media_type or "application/octet-stream"
        return Attachment(attachment.url, name, kind, len(content))

    async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
        """What `endpoints` says, or loopback, or the name itself if it is an IP address."""
        host = self.endpoints.get(name, "127.0.0.1" if name == "localhost" else name)
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ConnectionLost(f"there is no host called {name!r}", Reason.NO_SUCH_NETWORK) from None
        return (Endpoint(host=host, port=port, name=name),)

    async def user_version(self, asker: ContactId) -> SoftwareVersion | None:
        """`version`."""
        return self.version

    async def user_ping(self, asker: ContactId) -> bool:
        """Whether there is a `version`: a client that is there answers both."""
        return self.version is not None

    def of_type(self, kind: type[E]) -> list[E]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait(
        self,
        kind: type[E],
        where: Callable[[E], bool] = lambda event: True,
        timeout: float = WAIT_SECONDS,  # noqa: ASYNC109 (a test states it at each wait)
        after: int = 0,
    ) -> E:
        """Wait for an event of this kind for which `where` holds, at or after index `after` of `events`.

        Raises NotEmitted after `timeout` seconds.
        """
        news = asyncio.Event()
        self._waiting.append(news)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    news.clear()
                    for event in self.events[after:]:
                        if isinstance(event, kind) and where(event):
                            return event
                    await news.wait()
        except TimeoutError:
            raise NotEmitted(
                f"no {kind.__name__} within {timeout} s; emitted: {self.events[after:]}"
            ) from None
        finally:
            self._waiting.remove(news)

"""What a session may ask of the bridge: `bridge.api.Host` for one run of one account's session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Generator
from pathlib import Path
from typing import Protocol

from bridge.api import (
    Account,
    Attachment,
    ConnectionLost,
    ContactAddress,
    ContactId,
    DirectChat,
    Endpoint,
    Event,
    MessageReceived,
    Reason,
    SoftwareVersion,
)
from bridge.core import http_client
from bridge.core.ground import Ground
from bridge.core.live import LiveAccount
from bridge.core.storage import STORE_TEXT
from bridge.store.errors import StoreDown

log = logging.getLogger(__name__)

Cursor = tuple[str, str] | None


class Done:
    """An awaitable that is complete already; one serves all."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


DONE = Done()


class Sink(Protocol):
    """Who takes the events."""

    def __call__(self, live: LiveAccount, event: Event, cursor: Cursor) -> Awaitable[None]:
        """Take one. Never raises."""


class AccountHost:
    """See `bridge.api.Host` for what each method promises."""

    __slots__ = ("_account", "_ended", "_ground", "_live", "_sink")

    def __init__(self, ground: Ground, live: LiveAccount, account: Account, sink: Sink) -> None:
        self._ground = ground
        self._live = live
        self._account = account
        self._sink = sink
        self._ended = False

    def end(self) -> None:
        """The session is over: what it still says of rooms would be taken for its successor's. Messages that
        a network wants to hear were stored are kept all the same."""
        self._ended = True

    @property
    def account(self) -> Account:
        """Whose session it is."""
        return self._account

    def emit(self, event: Event, *, cursor: Cursor = None) -> Awaitable[None]:
        """Pass an event on."""
        if self._ended and not (type(event) is MessageReceived and type(event.chat) is DirectChat):
            log.debug("event after the end: %s", type(event).__name__, extra={"account": self._live.id})
            return DONE
        return self._sink(self._live, event, cursor)

    @property
    def congested(self) -> bool:
        """The XMPP server or the store takes less than is coming."""
        return self._ground.face.congested or self._ground.store.writer.congested

    async def drain(self) -> None:
        """Wait until both take more. Accounts go on one after the other: all at once would be too much."""
        ground = self._ground
        async with ground.turn:
            await asyncio.sleep(0)  # so that what came for the one before is counted
            while self.congested:
                await ground.face.drain()
                await ground.store.writer.drain()

    async def cursor(self, name: str) -> str | None:
        """The value last saved."""
        try:
            return await self._ground.store.cursors.get(self._live.id, name)
        except StoreDown as error:
            raise ConnectionLost(STORE_TEXT, Reason.STORE_DOWN) from error

    async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
        """The addresses that may be connected to."""
        return await self._ground.guard.resolve(name, port)

    async def save(self, name: str, value: str) -> None:
        """Keep a value without an event."""
        try:
            await self._ground.store.cursors.put_soon(self._live.id, name, value)
        except StoreDown as error:
            raise ConnectionLost(STORE_TEXT, Reason.STORE_DOWN) from error

    async def upload(self, file: Path, name: str, media_type: str) -> Attachment:
        """Put a file where the user's clients can fetch it."""
        return await self._ground.face.upload(self._live.user, file, name, media_type)

    async def download(self, attachment: Attachment, file: Path, limit: int) -> Attachment:
        """Fetch what the user attached."""
        await http_client.load()
        from bridge.core.download import Downloads

        downloads = Downloads(self._ground.guard, self._ground.face.keeps_files)
        return await downloads.fetch(attachment, file, limit)

    async def user_version(self, asker: ContactId) -> SoftwareVersion | None:
        """Ask one of the user's clients."""
        resource = self._some_resource()
        if resource is None:
            return None
        puppet = self._ground.face.jid(ContactAddress(self._live.network, asker))
        return await self._ground.face.ask_version(resource, puppet)

    async def user_ping(self, asker: ContactId) -> bool:
        """Ask one of the user's clients."""
        resource = self._some_resource()
        if resource is None:
            return False
        puppet = self._ground.face.jid(ContactAddress(self._live.network, asker))
        return await self._ground.face.ask_ping(resource, puppet)

    def _some_resource(self) -> str | None:
        for room in self._live.rooms.values():
            for resource in room.resources:
                return resource
        return None

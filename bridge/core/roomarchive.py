"""Room history: what the core keeps of it and how it is read back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

import msgspec

from bridge.api import Recent, RoomAddress
from bridge.core.ground import Ground
from bridge.core.room import Room
from bridge.core.storage import asking_store
from bridge.core.values import ArchiveItemMissing, ArchivePage, ArchiveQuery, HistoryRequest, RoomMessage
from bridge.store.archive import Message
from bridge.store.errors import ItemNotFound, StoreDown

_encoder = msgspec.msgpack.Encoder()
_decode: Callable[[bytes], RoomMessage] = msgspec.msgpack.Decoder(RoomMessage).decode


log = logging.getLogger(__name__)

KEY_SECONDS = 5.0


class RoomArchive:
    """Per (account, room): nobody reads what was said while they were not there."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._archive = ground.store.archive
        self._on = ground.settings.keep_archive
        self._encoded: Recent[int, bytes] = Recent()
        self.new_id: Callable[[], int] = ground.store.new_id
        """a time-ordered archive id (microseconds), unique even when nothing is kept"""

    def ready(self, room: Room) -> bool:
        """Whether there is nothing to `prepare`."""
        return not self._on or bool(room.archive_key)

    def has_history(self, room: Room, request: HistoryRequest) -> bool:
        """Whether the store must be asked for what a joining resource is shown, or for the room's key."""
        if not self._on:
            return False
        if not room.archive_key:
            return True
        return request.max_messages > 0 and not self._archive.is_new(room.archive_key)

    async def prepare(self, room: Room) -> None:
        """Find the room's key in the store, before its first message. While the store is out nobody waits for
        that: then the room is archived from when the store is back."""
        if self.ready(room):
            return
        account = self._ground.account_id(room.user, room.address.network)
        finding = self._archive.find_key(account, room.address.room)
        wait = 0 if self._ground.store.writer.health.out else KEY_SECONDS
        await asyncio.wait({finding}, timeout=wait)
        if finding.done():
            _found(room, finding)
        else:
            finding.add_done_callback(partial(_found, room))

    def add(self, room: Room, message: RoomMessage) -> None:
        """Keep a message. Returns at once; it is in the store within some milliseconds."""
        if self._on and room.archive_key:
            self._archive.add(
                room.archive_key,
                message.archive_id,
                message.sender,
                message.occupant_id,
                message.stanza_id,
                self._payload(message) if room.commons.shared else _encoder.encode(message),
            )

    def _payload(self, message: RoomMessage) -> bytes:
        """The message as it is stored, once for all users who are told it."""
        encoded = self._encoded.get(message.archive_id)
        if encoded is None:
            encoded = _encoder.encode(message)
            self._encoded.put(message.archive_id, encoded)
        return encoded

    async def history(self, room: Room, request: HistoryRequest) -> list[RoomMessage]:
        """What a joining resource is shown, oldest first."""
        if not room.archive_key or request.max_messages <= 0:
            return []
        return _messages(
            await self._archive.last(room.archive_key, request.max_messages, request.since or None)
        )

    async def page(self, user: str, address: RoomAddress, query: ArchiveQuery) -> ArchivePage:
        """A page of a room's archive. Raises `ArchiveItemMissing`, `Unavailable`."""
        if not self._on:
            return ArchivePage((), True, 0, 0)
        with asking_store():
            return await self._page(user, address, query)

    async def _page(self, user: str, address: RoomAddress, query: ArchiveQuery) -> ArchivePage:
        key = await self._archive.room_key(self._ground.account_id(user, address.network), address.room)
        try:
            if query.ids:
                found = _messages(await self._archive.ids(key, query.ids))
                return ArchivePage(tuple(found), True, len(found), 0)
            page = await self._archive.page(
                key,
                start=query.start,
                end=query.end,
                after=query.after,
                before="last" if query.last else query.before,
                limit=query.limit,
                sender=query.name or None,
            )
        except ItemNotFound as error:
            raise ArchiveItemMissing(str(error)) from error
        return ArchivePage(tuple(_messages(page.rows)), page.complete, page.count, page.first_index)

    async def bounds(self, user: str, address: RoomAddress) -> tuple[int, int] | None:
        """The ids of the first and last message of a room's archive; None: it is empty. Raises
        `Unavailable`."""
        if not self._on:
            return None
        with asking_store():
            key = await self._archive.room_key(self._ground.account_id(user, address.network), address.room)
            return await self._archive.metadata(key)

    async def find(self, room: Room, archive_id: str) -> RoomMessage | None:
        """The message with that id, if it is in the archive."""
        if not room.archive_key or not archive_id.isascii() or not archive_id.isdigit():
            return None
        try:
            found = await self._archive.ids(room.archive_key, [int(archive_id)])
        except (ItemNotFound, StoreDown):
            return None
        return _decode(found[0].payload) if found else None


def _found(room: Room, finding: asyncio.Future[int]) -> None:
    if finding.cancelled():
        return
    if finding.exception() is None:
        room.archive_key = finding.result()
    else:
        log.error("a room is not archived: %s", finding.exception(), extra={"room": room.jid})


def _messages(rows: Iterable[Message]) -> list[RoomMessage]:
    return [_decode(row.payload) for row in rows]

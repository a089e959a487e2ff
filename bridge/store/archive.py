"""The rooms' archive: what was said, in order, found again by id, by time, by page (XEP-0313, XEP-0059)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, bindparam, delete, func, select
from sqlalchemy.engine import Connection, Engine

from bridge.store.database import Reader
from bridge.store.errors import ItemNotFound
from bridge.store.health import PATIENCE_SECONDS
from bridge.store.statements import PRUNE_ROWS, delete_in_steps, insert_new
from bridge.store.tables import archive as messages
from bridge.store.tables import archive_rooms as rooms
from bridge.store.writer import Writer

MAX_ROWS = 10_000
"""The most that one reading gives, whatever a client asks for."""

_MAX_ID = 2**63 - 1

_MOST_ROOMS = 4096
"""Of so many (account, room) it is remembered without asking the database under which key they are, and what
is not written yet; more only while the database is out."""

_MOST_NAMED = 400
"""Rooms that one SELECT asks for; SQLite has a limit for what a statement may hold."""

_KEYS_OF = select(rooms).where(
    rooms.c.account.in_(bindparam("accounts", expanding=True)),
    rooms.c.room.in_(bindparam("rooms", expanding=True)),
)

_NEWEST_KEY = select(func.coalesce(func.max(rooms.c.key), 0))  # no key is ever given twice

_FIELDS = (messages.c.id, messages.c.sender, messages.c.occupant_id, messages.c.stanza_id, messages.c.payload)


class Message(NamedTuple):
    """An archived message. `id` is its archive id and its time, in microseconds since the epoch."""

    id: int
    sender: str
    occupant_id: str
    stanza_id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an archive, oldest first.

    `complete`: nothing follows in the direction of paging. `count` is the size of the whole result and
    `first_index` the place of the page's first message in it (XEP-0059 §2.6); both -1 when not asked for.
    """

    rows: list[Message]
    complete: bool
    count: int
    first_index: int


class Archive:
    """Messages by room key. A read sees all that was added before it, committed or not yet."""

    def __init__(self, engine: Engine, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader
        self._insert = insert_new(engine, messages)
        self._new_room = insert_new(engine, rooms)
        self._keys: dict[tuple[str, str], int] = {}
        self._finding: dict[tuple[str, str], asyncio.Future[int]] = {}
        self._unwritten: dict[int, int] = {}
        self._tidy_at = _MOST_ROOMS
        self._made: set[int] = set()

    async def room_key(self, account: str, room: str) -> int:
        """The number under which this account's room is archived; made at first use. Raises StoreDown."""
        finding = self.find_key(account, room)
        if not finding.done():
            wait = 0 if self._writer.health.out else PATIENCE_SECONDS
            await asyncio.wait({finding}, timeout=wait)
        if not finding.done():
            raise self._writer.health.down()
        return finding.result()

    def find_key(self, account: str, room: str) -> asyncio.Future[int]:
        """As `room_key`, for as long as it takes. Don't cancel it: others may wait for the same."""
        pair = account, room
        finding = self._finding.get(pair)
        if finding is not None:
            return finding
        if pair in self._keys:
            finding = asyncio.get_running_loop().create_future()
            finding.set_result(self._keys[pair])
            return finding
        finding = self._finding[pair] = self._writer.submit(self._find_keys, pair)
        finding.add_done_callback(lambda found: self._key_found(pair, found))
        return finding

    def _key_found(self, pair: tuple[str, str], found: asyncio.Future[int]) -> None:
        self._finding.pop(pair, None)
        if not found.cancelled() and found.exception() is None:
            if len(self._keys) >= _MOST_ROOMS:
                del self._keys[next(iter(self._keys))]
            self._keys[pair] = found.result()

    def _find_keys(self, connection: Connection, pairs: list[tuple[str, str]]) -> list[int]:
        """The keys of many rooms, made where there are none: a few statements for all who join at once."""
        newest = connection.execute(_NEWEST_KEY).scalar_one()
        self._new_room(connection, [{"account": account, "room": room} for account, room in pairs])
        found: dict[tuple[str, str], int] = {}
        for at in range(0, len(pairs), _MOST_NAMED):
            some = pairs[at : at + _MOST_NAMED]
            names = {"accounts": {account for account, _ in some}, "rooms": {room for _, room in some}}
            found |= {(row.account, row.room): row.key for row in connection.execute(_KEYS_OF, names)}
        if len(self._made) > _MOST_ROOMS:
            self._made.clear()
        self._made.update(key for key in found.values() if key > newest)
        return [found[pair] for pair in pairs]

    def is_new(self, key: int) -> bool:
        """True only if the room was made since this start, and nothing has been archived for it yet."""
        return key in self._made

    def add(
        self, key: int, archive_id: int, sender: str, occupant_id: str, stanza_id: str, payload: bytes
    ) -> None:
        """Archive a message; it is on disk within some milliseconds. `archive_id`: from the store's `new_id`.

        While the database is out and very many rows wait, the message is left out, which is counted and told.
        After `forget` of an account its keys are void: ask `room_key` again.
        """
        writer = self._writer
        if writer.full:
            writer.health.left_out += 1
            return
        writer.add(
            self._insert,
            {
                "room_key": key,
                "id": archive_id,
                "sender": sender,
                "occupant_id": occupant_id,
                "stanza_id": stanza_id,
                "payload": payload,
            },
        )
        self._made.discard(key)
        self._unwritten[key] = writer.submitted
        if len(self._unwritten) >= self._tidy_at:
            self._forget_written()

    async def page(
        self,
        key: int,
        *,
        start: int | None = None,
        end: int | None = None,
        after: int | None = None,
        before: int | Literal["last"] | None = None,
        limit: int,
        sender: str | None = None,
        counted: bool = True,
    ) -> Page:
        """One page of the messages from `start` to `end` (microseconds, both included), of `sender` if given.

        `after` an id: the next `limit` messages; `before` an id, or "last": the `limit` messages that end
        there (XEP-0059 §2.2, §2.3, §2.5). `counted=False` saves counting, which reads the whole result.
        Raises ItemNotFound when the archive does not have `after` or `before`.
        """
        whole = [messages.c.room_key == key]
        if start is not None:
            whole.append(messages.c.id >= _within(start))
        if end is not None:
            whole.append(messages.c.id <= _within(end))
        if sender is not None:
            whole.append(messages.c.sender == sender)
        await self._written(key)
        return await self._reader.run(lambda c: _page(c, key, whole, after, before, limit, counted))

    async def last(self, key: int, limit: int, since: int | None = None) -> list[Message]:
        """The newest `limit` messages, oldest first, none before `since` (XEP-0045 §7.2.13)."""
        condition = [messages.c.room_key == key]
        if since is not None:
            condition.append(messages.c.id >= _within(since))
        if not self._writer.health.out:  # else old history is better than none
            await self._written(key)
        return await self._reader.run(lambda connection: _select(connection, condition, limit, backward=True))

    async def ids(self, key: int, ids: Sequence[int]) -> list[Message]:
        """The messages with these ids, oldest first (the `ids` field of XEP-0313 §4.1.4).

        Raises ItemNotFound when one is missing.
        """
        wanted = set(ids)
        if not all(_possible(archive_id) for archive_id in wanted):
            raise ItemNotFound
        await self._written(key)
        condition = [messages.c.room_key == key, messages.c.id.in_(wanted)]
        found = await self._reader.run(lambda connection: _select(connection, condition, len(wanted)))
        if len(found) < len(wanted):
            raise ItemNotFound
        return found

    async def metadata(self, key: int) -> tuple[int, int] | None:
        """The ids of the oldest and the newest message; None for an empty archive (XEP-0313 §5.1)."""
        await self._written(key)
        query = select(func.min(messages.c.id), func.max(messages.c.id)).where(messages.c.room_key == key)
        first, last = await self._reader.run(lambda connection: connection.execute(query).one())
        return None if first is None else (first, last)

    async def prune(self, older_than_us: int) -> int:
        """Delete messages older than a time (microseconds), some at a time. Returns how many."""
        query = select(rooms.c.key)
        keys = await self._reader.run(lambda connection: connection.execute(query).scalars().all())
        deleted = 0
        for key in keys:
            deleted += await self._delete(key, messages.c.id < older_than_us)
        return deleted

    async def forget(self, account: str) -> int:
        """Delete all that is archived for an account, rooms and messages. Returns how many messages."""
        query = select(rooms.c.key).where(rooms.c.account == account)
        for pair in [pair for pair in self._keys if pair[0] == account]:
            del self._keys[pair]
        keys = await self._reader.run(lambda connection: connection.execute(query).scalars().all())
        deleted = 0
        for key in keys:
            self._unwritten.pop(key, None)
            deleted += await self._delete(key)
        gone = delete(rooms).where(rooms.c.key.in_(keys))
        await self._writer.submit_unit(lambda connection: connection.execute(gone).rowcount)
        return deleted

    async def _delete(self, key: int, *condition: ColumnElement[bool]) -> int:
        of_room = messages.c.room_key == key
        some = select(messages.c.id).where(of_room, *condition).limit(PRUNE_ROWS)
        return await delete_in_steps(self._writer, delete(messages).where(of_room, messages.c.id.in_(some)))

    def _forget_written(self) -> None:
        written = self._writer.written
        self._unwritten = {key: number for key, number in self._unwritten.items() if number > written}
        self._tidy_at = max(_MOST_ROOMS, 2 * len(self._unwritten))

    async def _written(self, key: int) -> None:
        if self._unwritten.get(key, 0) > self._writer.written:
            await self._writer.flush()


def _select(
    connection: Connection, condition: list[ColumnElement[bool]], limit: int, *, backward: bool = False
) -> list[Message]:
    order = messages.c.id.desc() if backward else messages.c.id
    query = select(*_FIELDS).where(*condition).order_by(order).limit(max(0, min(limit, MAX_ROWS + 1)))
    found = [Message(*row) for row in connection.execute(query)]
    return found[::-1] if backward else found


def _page(
    connection: Connection,
    key: int,
    whole: list[ColumnElement[bool]],
    after: int | None,
    before: int | Literal["last"] | None,
    limit: int,
    counted: bool,
) -> Page:
    condition = list(whole)
    limit = max(0, min(limit, MAX_ROWS))
    if after is not None:
        _must_exist(connection, key, after)
        condition.append(messages.c.id > after)
    if isinstance(before, int):
        _must_exist(connection, key, before)
        condition.append(messages.c.id < before)
    backward = before is not None and after is None
    # One more than asked for tells whether the page is the last one.
    found = _select(connection, condition, limit + 1, backward=backward)
    complete = len(found) <= limit
    if not complete:
        found = found[1:] if backward else found[:limit]
    if not counted:
        return Page(found, complete, -1, -1)
    count = _count(connection, whole)
    index = _count(connection, [*whole, messages.c.id < found[0].id]) if found else 0
    return Page(found, complete, count, index)


def _count(connection: Connection, condition: list[ColumnElement[bool]]) -> int:
    query = select(func.count()).select_from(messages).where(*condition)
    return int(connection.execute(query).scalar_one())


def _must_exist(connection: Connection, key: int, archive_id: int) -> None:
    query = select(messages.c.id).where(messages.c.room_key == key, messages.c.id == archive_id)
    if not _possible(archive_id) or connection.execute(query).first() is None:
        raise ItemNotFound


def _possible(archive_id: int) -> bool:
    """Clients may name any number; the databases know 64 bits."""
    return 0 <= archive_id <= _MAX_ID


def _within(time: int) -> int:
    return max(0, min(time, _MAX_ID))

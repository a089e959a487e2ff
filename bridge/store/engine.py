"""The store as a whole: opens the database, brings its schema up to date, and holds its parts together."""

from __future__ import annotations

import asyncio

from sqlalchemy import func, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from bridge.store import migrate
from bridge.store.archive import Archive
from bridge.store.claims import Claims
from bridge.store.cursors import Cursors
from bridge.store.database import Reader, connect, describe, full_disk, parse_url, prepare_file
from bridge.store.errors import StoreError
from bridge.store.ids import IdSource
from bridge.store.kept_rooms import KeptRooms
from bridge.store.message_ids import MessageIds
from bridge.store.queues import Inbox, Outbox
from bridge.store.registrations import Registrations
from bridge.store.room_resources import RoomResources
from bridge.store.subscriptions import Subscriptions
from bridge.store.tables import archive, archive_rooms, inbox, outbox
from bridge.store.vault import Vault
from bridge.store.writer import Writer


class Store:
    """One database. Make it with `open`, inside the event loop that uses it; end it with `close`."""

    def __init__(self, engine: Engine, vault: Vault, newest: int) -> None:
        """For `open` only: `newest` is the newest id in the database."""
        self._engine = engine
        self._reader = Reader(engine)
        self.ids = IdSource(newest)
        self.new_id = self.ids.new_id
        self.writer = writer = Writer(engine, asyncio.get_running_loop())
        self.archive = Archive(engine, writer, self._reader)
        self.inbox = Inbox(engine, writer, self._reader, self.new_id)
        self.outbox = Outbox(engine, writer, self._reader, self.new_id)
        self.cursors = Cursors(engine, writer, self._reader)
        self.message_ids = MessageIds(engine, writer, self._reader)
        self.claims = Claims(writer, self._reader)
        self.registrations = Registrations(engine, writer, self._reader, vault, self.claims)
        self.subscriptions = Subscriptions(engine, writer, self._reader)
        self.kept_rooms = KeptRooms(engine, writer, self._reader, vault)
        self.room_resources = RoomResources(engine, writer, self._reader)

    @classmethod
    async def open(cls, url: str, vault: Vault) -> Store:
        """Open `sqlite:///path` (made if missing, for our eyes only) or `postgresql+psycopg://user@host/name`.

        Brings an older schema up to date. Raises StoreError for a URL or a database that can't be used.
        """
        engine, newest = await asyncio.to_thread(_prepare, url)
        return cls(engine, vault, newest)

    async def close(self) -> None:
        """Write what is queued, then let go of the database."""
        await self.writer.close()
        await asyncio.to_thread(self._reader.close)
        self._engine.dispose()

    async def rotate_secrets(self) -> int:
        """Encrypt with the vault's first key all that is encrypted with another. Returns how many rows.

        Raises VaultError for a row that no key opens.
        """
        return await self.registrations.rotate() + await self.kept_rooms.rotate()


def _prepare(url: str) -> tuple[Engine, int]:
    parsed = parse_url(url)
    prepare_file(parsed)
    engine = connect(parsed)
    try:
        found = migrate.revision(engine)
        if found != migrate.HEAD and not (found is None and migrate.create(engine)):
            migrate.upgrade_apart(parsed.render_as_string(hide_password=False))
        return engine, _newest_id(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreError(f"the database can't be used: {describe(error)}{full_disk(parsed)}") from None
    except StoreError:
        engine.dispose()
        raise


def _newest_id(engine: Engine) -> int:
    newest = select(func.max(archive.c.id)).where(archive.c.room_key == archive_rooms.c.key)
    queries = [
        select(func.max(newest.scalar_subquery())),
        *(select(func.max(queue.c.id)) for queue in (inbox, outbox)),
    ]
    with engine.connect() as connection:
        return max(connection.execute(query).scalar() or 0 for query in queries)

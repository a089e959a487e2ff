"""Knows how a mailbox is watched: log in, take what is new, wait for more; and, meanwhile, what its owner
wants done in it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from backends.email.imap import mailbox, sent
from backends.email.imap.dial import dial, hang_up
from backends.email.imap.intake import Intake, Listener
from backends.email.imap.link import Link
from backends.email.imap.login import Credentials, log_in
from backends.email.imap.marks import mark_seen
from backends.email.imap.settings import Settings
from backends.email.imap.shared import SharedLink
from backends.email.imap.trouble import ServerSaidNo
from backends.email.values import Server
from bridge.api import ConnectionLost, Resolver

_OWN_COPIES = "X-GM-EXT-1"
"""A server with this capability (Gmail's) keeps copies of sent mail by itself."""


class Inbox(msgspec.Struct, frozen=True):
    """Whose mailbox it is and where. `own`: the owner's addresses, in lower case, to know mail of theirs."""

    server: Server
    credentials: Credentials
    own: frozenset[str] = frozenset()
    name: str = "INBOX"


class Watcher:
    """Watches one mailbox over one connection; used once, as a session is.

    `context` decides which certificates are trusted (they are verified against `inbox.server.host`); `place`
    is what was stored with the last mail (None: the first login); `spool` is a folder for this account
    alone, which is emptied of what an earlier run left.
    """

    def __init__(
        self,
        inbox: Inbox,
        resolver: Resolver,
        context: ssl.SSLContext,
        spool: Path,
        place: str | None,
        settings: Settings | None = None,
    ) -> None:
        self._inbox = inbox
        self._resolver = resolver
        self._context = context
        self._spool = spool
        self._place = place
        self._settings = settings or Settings()
        self._shared: SharedLink | None = None
        self._intake: Intake | None = None
        self._validity = 0
        self._has_idle = True
        self._sent = ""
        self._closing = asyncio.Event()

    async def run(self, listener: Listener) -> None:
        """Watch until `close`. Raises `AuthFailed`, `ConnectionLost`, `ProtocolError`, and what the listener
        raises."""
        link = await dial(self._inbox.server, self._resolver, self._context, self._settings)
        try:
            await self._watch(link, listener)
            await hang_up(link)
        except ServerSaidNo as error:
            raise ConnectionLost(str(error)) from error
        finally:
            self._shared = None
            link.wire.fail(ConnectionLost(f"The connection to {link.wire.where} is closed"))

    def close(self) -> None:
        """Let `run` come to an end, soon."""
        self._closing.set()
        if self._shared is not None:
            self._shared.link.wire.stir.set()

    async def mark_seen(self, message_ids: Iterable[str] = (), uids: Iterable[int] = ()) -> int:
        """Mark mails in the inbox as read, by their Message-IDs or by UIDs of the current validity; the
        number of those that were found. Raises `ConnectionLost`, `ProtocolError`, `ServerSaidNo`."""
        async with self._turn() as (link, intake):
            return await mark_seen(link, intake.known, message_ids, uids)

    async def append_sent(self, path: Path, date: datetime) -> bool:
        """Keep a copy of a mail that was sent (a file as it was sent, CRLF; `date` is aware). False: the
        server does so by itself. Raises `ServerSaidNo` (the mailbox is full, say), `ConnectionLost`,
        `ProtocolError`."""
        async with self._turn() as (link, _):
            if _OWN_COPIES in link.capabilities:
                return False
            if not self._sent:
                self._sent = await sent.find_sent(link) or await sent.make_sent(link)
            await sent.append(link, self._sent, path, date)
            return True

    async def find_sent(self, message_id: str) -> bool:
        """Whether a mail is among the sent ones. Raises as `append_sent` does."""
        async with self._turn() as (link, _):
            name = self._sent or await sent.find_sent(link)
            if name is None:
                return False
            try:
                found = await sent.has(link, name, message_id)
                opened = await mailbox.select(link, self._inbox.name)
                if opened.validity != self._validity:
                    raise ConnectionLost(f"{link.wire.where} has numbered all mails anew")
            except BaseException:
                # Nobody may take another mailbox for the inbox.
                link.wire.fail(ConnectionLost(f"The inbox of {link.wire.where} could not be opened again"))
                raise
            return found

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[tuple[Link, Intake]]:
        if self._shared is None or self._intake is None:
            raise ConnectionLost(f"There is no connection to the mail server {self._inbox.server.host}")
        async with self._shared.turn() as link:
            yield link, self._intake

    async def _watch(self, link: Link, listener: Listener) -> None:
        await log_in(link, self._inbox.credentials)
        self._has_idle = "IDLE" in link.capabilities
        opened = await mailbox.select(link, self._inbox.name)
        self._validity = opened.validity
        shared = SharedLink(link)
        intake = Intake(shared, listener, self._inbox.own, self._spool, self._settings)
        await intake.begin(opened, self._place)
        self._shared, self._intake = shared, intake
        await listener.ready()
        while not self._closing.is_set():
            await intake.catch_up()
            await self._wait(shared)

    async def _wait(self, shared: SharedLink) -> None:
        """Until mail comes, or it is time to look again."""
        wire, now = shared.link.wire, asyncio.get_running_loop().time
        due = now() + (self._settings.idle if self._has_idle else self._settings.poll)
        while self._has_idle and not (wire.news or self._closing.is_set() or now() >= due):
            try:
                await shared.wait(due - now(), self._closing.is_set)
            except ServerSaidNo:
                self._has_idle, due = False, now() + self._settings.poll
        if not self._has_idle:
            await self._poll(shared, max(0.0, due - now()))

    async def _poll(self, shared: SharedLink, seconds: float) -> None:
        await shared.link.until(lambda: shared.link.wire.news or self._closing.is_set(), seconds)
        async with shared.turn() as link:
            await link.ask_for("NOOP")

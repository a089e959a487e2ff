"""Knows the two kinds of accounts while they are connected: a mailbox elsewhere, an address in our domain."""

from __future__ import annotations

import asyncio
import logging
import ssl
from datetime import datetime
from pathlib import Path

import msgspec

from backends.email.arrivals import Arrivals, mail_id
from backends.email.departures import Departures, Tools, Way
from backends.email.imap.fetching import Mail
from backends.email.imap.settings import Settings
from backends.email.imap.trouble import ServerSaidNo
from backends.email.imap.watcher import Inbox, Watcher
from backends.email.values import ReadMail, SavedFile
from backends.email.worker.pool import Busy
from bridge.api import (
    Answer,
    AskPing,
    AskProfile,
    Attachment,
    BackendError,
    Capabilities,
    Chat,
    Command,
    Connected,
    ConnectionLost,
    Host,
    MarkDisplayed,
    Outcome,
    Query,
    QueryFailed,
    Reason,
    Refused,
    SendMessage,
    Sent,
    Support,
    TransferFailed,
)

log = logging.getLogger(__name__)

CAPABILITIES = Capabilities(
    reply=Support.NATIVE,
    reaction=Support.REFUSE,
    correction=Support.TEXT,
    retraction=Support.REFUSE,
    marker=Support.NATIVE,
    attachment=Support.NATIVE,
    formatting=Support.NATIVE,
    subject=Support.NATIVE,
    max_body=128 * 1024,
)

NO_ROOM = "The gateway has no room for mails right now; they wait in your mailbox."

UPLOAD_PAUSES = (5.0, 15.0, 30.0, 60.0, 60.0, 120.0, 120.0)
"""Seconds between tries to upload a file; afterwards its mail is shown without it."""


BUG = "the gateway failed (its admin finds more in the log). It is in your mailbox."


async def uploaded(host: Host, file: SavedFile) -> Attachment:
    """Put a mail's file where the user's clients find it. Raises `TransferFailed`."""
    return await host.upload(Path(file.path), file.name, file.media_type)


class _Session:
    """What both kinds do the same way (see `bridge.api.Session`)."""

    def __init__(self, host: Host, tools: Tools, departures: Departures) -> None:
        self._host = host
        self._tools = tools
        self._departures = departures

    async def execute(self, command: Command) -> Outcome:
        """See `bridge.api.Session.execute`."""
        if isinstance(command, SendMessage):
            return await self._departures.send(command)
        if isinstance(command, MarkDisplayed):
            return await self.seen(mail_id(command.target))
        return Refused(Reason.UNSUPPORTED, "Mail cannot do that.")

    async def query(self, query: Query) -> Answer:
        """See `bridge.api.Session.query`."""
        if isinstance(query, AskProfile):
            talk = await self._tools.talks.load(self._host, query.contact)
            return Answer({"name": talk.name, "nick": talk.name, "email": query.contact})
        if isinstance(query, AskPing):
            return Answer()
        raise QueryFailed(Reason.UNSUPPORTED, "Mail cannot tell that.")

    def capabilities(self, chat: Chat) -> Capabilities:
        """See `bridge.api.Session.capabilities`."""
        return CAPABILITIES

    async def seen(self, message_id: str) -> Outcome:
        """The user has read a mail."""
        return Sent()


class DomainSession(_Session):
    """An address in our domain: mail comes in by the listener, whether or not this runs."""

    def __init__(self, host: Host, tools: Tools, way: Way) -> None:
        super().__init__(host, tools, Departures(host, way, tools, None, limited=True))
        self._name = way.sender.address
        self._closing = asyncio.Event()

    async def run(self) -> None:
        """See `bridge.api.Session.run`."""
        self._host.emit(Connected(self._name))
        await self._closing.wait()

    async def close(self, reason: str) -> None:
        """See `bridge.api.Session.close`."""
        self._closing.set()


class MailboxSession(_Session):
    """A mailbox elsewhere."""

    def __init__(
        self,
        host: Host,
        tools: Tools,
        way: Way,
        arrivals: Arrivals,
        inbox: Inbox,
        context: ssl.SSLContext,
        settings: Settings,
    ) -> None:
        super().__init__(host, tools, Departures(host, way, tools, self._copy))
        self._own = way.sender.address
        self._arrivals = arrivals
        self._inbox = inbox
        self._context = context
        self._settings = settings
        self._cursor = f"place {self._own} {inbox.server.host}"
        self._begin = host.account.settings.get("begin") or None
        self._watcher: Watcher | None = None
        self._closing = False

    async def run(self) -> None:
        """See `bridge.api.Session.run`."""
        place = await self._host.cursor(self._cursor)
        if place is None and self._begin is not None:
            # So that another registration, with a new password, say, goes on from here.
            await self._host.save(self._cursor, self._begin)
            place = self._begin
        if self._closing:
            return
        spool = self._tools.spool / f"in-{_folder_name(self._host.account.id)}"
        self._watcher = Watcher(self._inbox, self._host, self._context, spool, place, self._settings)
        try:
            await self._watcher.run(self)
        except TransferFailed as error:
            raise ConnectionLost(str(error)) from error
        except OSError as error:
            if error.errno is None:  # not from a file
                raise
            raise ConnectionLost(f"{NO_ROOM} {error.strerror or error}") from error

    async def close(self, reason: str) -> None:
        """See `bridge.api.Session.close`."""
        self._closing = True
        if self._watcher is not None:
            self._watcher.close()

    async def seen(self, message_id: str) -> Outcome:
        """Mark a mail as read in the mailbox."""
        if self._watcher is not None:
            try:
                await self._watcher.mark_seen([message_id])
            except (ServerSaidNo, ConnectionLost) as error:
                log.info("a mail could not be marked as read: %s", error)
        return Sent()

    # -- what the watcher tells (backends.email.imap.intake.Listener)

    async def ready(self) -> None:
        """Logged in."""
        self._host.emit(Connected(self._own))

    async def moved(self, place: str) -> None:
        """The place moved without a mail."""
        await self._host.save(self._cursor, place)

    async def mail(self, mail: Mail) -> None:
        """A mail came: tell of it. Waits where the bridge has more than it can pass on."""
        if self._host.congested:
            await self._host.drain()
        try:
            async with self._tools.worker.read(mail.path, self._tools.spool) as read:
                await self._take(_with_note(read, mail), (self._cursor, mail.place))
        except (Busy, OSError) as error:
            raise ConnectionLost(f"{NO_ROOM} {error}") from error

    async def _take(self, mail: ReadMail, cursor: tuple[str, str]) -> None:
        async def upload(file: SavedFile) -> Attachment:
            return await self._patiently(file)

        own = frozenset({self._own})
        try:
            await self._arrivals.take(self._host, own, mail, upload, cursor)
        except (BackendError, OSError):
            raise
        except Exception:
            # A bug: the same mail would bring it again and again, and no other would ever be told of.
            log.exception("a mail could not be told of", extra={"account": self._host.account.id})
            head = ReadMail(mail.id, mail.sender, date=mail.date, subject=mail.subject, problem=BUG)
            await self._arrivals.take(self._host, own, head, upload, cursor)

    async def _patiently(self, file: SavedFile) -> Attachment:
        """Upload, again after a while where that may help; it is in the mailbox meanwhile."""
        for pause in UPLOAD_PAUSES:
            try:
                return await uploaded(self._host, file)
            except TransferFailed as error:
                if not error.again:
                    raise
            await asyncio.sleep(pause)
        try:
            return await uploaded(self._host, file)
        except TransferFailed as error:
            raise TransferFailed(f"{error} It is in your mailbox.", again=False) from error

    async def _copy(self, file: Path, date: datetime) -> None:
        """Keep a copy of what was sent, where the server does not do so by itself."""
        try:
            if self._watcher is not None:
                await self._watcher.append_sent(file, date)
        except BackendError as error:
            log.warning("no copy of a sent mail could be kept: %s", error)
        finally:
            await asyncio.to_thread(file.unlink, missing_ok=True)


def _with_note(read: ReadMail, mail: Mail) -> ReadMail:
    """What is known of a mail of which not all was fetched."""
    if not mail.note:
        return read
    identity = mail.message_id or read.id
    return msgspec.structs.replace(read, id=identity, notes=(*read.notes, f"[{mail.note}]"), problem="")


def _folder_name(account: str) -> str:
    return "".join(each if each.isalnum() else "-" for each in account)[:100]

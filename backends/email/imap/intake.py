"""Knows how new mail is taken: what is beyond the place, in order, each into a file, handed over, and only
then passed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from backends.email.imap import mailbox, place, start, syntax
from backends.email.imap.fetching import Mail, fetch
from backends.email.imap.link import Link
from backends.email.imap.mailbox import Opened, Overview
from backends.email.imap.marks import KnownMails
from backends.email.imap.place import Place
from backends.email.imap.settings import Settings
from backends.email.imap.shared import SharedLink
from backends.email.imap.trouble import ServerSaidNo

_log = logging.getLogger(__name__)

_BATCH = 16
"""Mails that are looked at together: reading so many headers takes some 10 ms."""


class Listener(Protocol):
    """Who is told what happens in the mailbox."""

    async def ready(self) -> None:
        """Logged in; mail is looked for from now on."""

    async def mail(self, mail: Mail) -> None:
        """A mail came. Returning means that it is stored, together with `mail.place`; its file is removed
        then. What this raises ends the watcher, and the mail comes again."""

    async def moved(self, place: str) -> None:
        """The place moved without a mail (at the first login, or past mails that are none for the user):
        store it."""


class Intake:
    """Takes the mail of one mailbox over one connection. `own` are its owner's addresses, in lower case;
    `spool` is a folder for this account alone."""

    def __init__(
        self, shared: SharedLink, listener: Listener, own: frozenset[str], spool: Path, settings: Settings
    ) -> None:
        self.known = KnownMails()
        self._shared = shared
        self._listener = listener
        self._own = own
        self._spool = spool
        self._settings = settings
        self._place = Place(validity=0, uid=0)
        self._stored: Place | None = None

    async def begin(self, opened: Opened, saved: str | None) -> None:
        """Find the place to go on from, in a mailbox that was just opened."""
        await asyncio.to_thread(_sweep, self._spool)
        self._stored = _load(saved)
        async with self._shared.turn() as link:
            if self._stored is None:
                self._place = await start.first_place(link, opened, self._settings.backfill)
            elif self._stored.validity == opened.validity:
                self._place = self._stored
            else:
                _log.info("a mailbox has other numbers now: what is new is told by date and id")
                last = await mailbox.last_uid(link, opened)
                self._place = self._stored.renumbered(opened.validity, last)
        await self._tell_place()

    async def catch_up(self) -> None:
        """Take all that is new. Raises `ConnectionLost`, `ProtocolError`, and what the listener raises."""
        async with self._shared.turn() as link:
            link.wire.news = False
            uids = await self._candidates(link)
        for first in range(0, len(uids), _BATCH):
            batch = uids[first : first + _BATCH]
            for mail in await self._look_at(batch):
                if "\\deleted" not in mail.flags and self._place.is_new(mail):
                    await self._take(mail)
            self._place = self._place.passed(batch[-1])
        self._place = self._place.passed(self._place.doubtful)
        await self._tell_place()

    async def _candidates(self, link: Link) -> list[int]:
        """The UIDs of what may be new. (`n:*` names the last mail in any case: RFC 9051 §9.)"""
        here = self._place
        sure = max(here.doubtful, here.uid)
        uids = {uid for uid in await mailbox.search(link, "UID", f"{sure + 1}:*") if uid > sure}
        if here.doubtful:
            day = datetime.fromtimestamp(here.since, UTC) - timedelta(days=1)
            doubted = f"{here.uid + 1}:{here.doubtful}"
            found = await mailbox.search(link, "UID", doubted, mailbox.since(day.date()))
            uids.update(uid for uid in found if here.uid < uid <= sure)
        return sorted(uids)

    async def _look_at(self, uids: Sequence[int]) -> list[Overview]:
        """What is known of mails; of one that the server will tell nothing of, only its number."""
        try:
            async with self._shared.turn() as link:
                return await mailbox.overviews(link, syntax.sequence(uids))
        except ServerSaidNo:
            if len(uids) == 1:
                return [Overview(uids[0], 0, datetime.now(UTC))]
        return [mail for uid in uids for mail in await self._look_at([uid])]

    async def _take(self, mail: Overview) -> None:
        path = self._spool / f"imap-{self._place.validity}-{mail.uid}.eml"
        try:
            fetched = await fetch(self._shared, mail, path, self._settings)
            if fetched is None:
                return
            beyond = self._place.after(mail)
            self.known.add(mail.message_id, mail.uid)
            await self._listener.mail(
                Mail(
                    path=path,
                    place=place.dump(beyond),
                    validity=beyond.validity,
                    uid=mail.uid,
                    message_id=mail.message_id,
                    arrived=mail.arrived,
                    size=max(mail.size, fetched.size),
                    seen="\\seen" in mail.flags,
                    own=mail.sender in self._own,
                    complete=fetched.complete,
                    note=fetched.note,
                )
            )
            self._place = self._stored = beyond
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _tell_place(self) -> None:
        """Have the place stored, where it is another than what is."""
        if self._place != self._stored:
            await self._listener.moved(place.dump(self._place))
            self._stored = self._place


def _load(saved: str | None) -> Place | None:
    try:
        return place.load(saved)
    except ValueError:
        _log.error("a stored place in a mailbox can't be read: going on from now")
        return None


def _sweep(spool: Path) -> None:
    """Make the folder, and take out what a crash left in it."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in spool.glob("imap-*.eml"):
        file.unlink()

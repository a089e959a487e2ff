"""Knows where the very first login begins: at what comes from now on, or some mails before."""

from __future__ import annotations

from datetime import UTC, datetime

from backends.email.imap import mailbox, place
from backends.email.imap.link import Link
from backends.email.imap.mailbox import Opened, Overview
from backends.email.imap.place import Place
from backends.email.imap.trouble import ServerSaidNo

_REMEMBERED = 50
"""So many old mails are remembered by their ids, for the case that the server numbers all anew."""


async def first_place_as_text(link: Link, name: str, backfill: int) -> str:
    """The place where a mailbox that was just registered begins, as the watcher wants it: what comes from now
    on is new, also if the watcher first looks later. Raises `ServerSaidNo`, `ConnectionLost`,
    `ProtocolError`."""
    opened = await mailbox.select(link, name, read_only=True)
    return place.dump(await first_place(link, opened, backfill))


async def first_place(link: Link, opened: Opened, backfill: int) -> Place:
    """The place before the last `backfill` mails (0: after all that there are). In an empty mailbox nothing
    is old, whatever its numbers will be."""
    last = await mailbox.last_uid(link, opened)
    if not opened.exists:
        return Place(validity=opened.validity, uid=last)
    try:
        mails = await _last_mails(link, opened.exists, backfill + _REMEMBERED)
    except ServerSaidNo:  # one of them is damaged, say
        return Place(validity=opened.validity, uid=last, newest=int(datetime.now(UTC).timestamp()))
    old = mails[: len(mails) - backfill] if backfill < len(mails) else []
    here = Place(validity=opened.validity, uid=0)
    for mail in old:
        here = here.after(mail)
    # Mails that were deleted before may have had higher numbers, and some may have come meanwhile.
    return here if backfill else here.passed(last)


async def _last_mails(link: Link, exists: int, count: int) -> list[Overview]:
    found: list[Overview] = []
    first = max(1, exists - count + 1)
    for start in range(first, exists + 1, _REMEMBERED):
        end = min(start + _REMEMBERED - 1, exists)
        found += await mailbox.overviews(link, f"{start}:{end}", uid=False)
    return found

"""Knows how mails are found again by their ids, and marked as read."""

from __future__ import annotations

from collections.abc import Iterable

from backends.email.imap import mailbox
from backends.email.imap.link import Link

_REMEMBERED = 1000


class KnownMails:
    """The UIDs of the last mails that came over this connection, by Message-ID."""

    def __init__(self) -> None:
        self._uids: dict[str, int] = {}

    def add(self, message_id: str, uid: int) -> None:
        """Remember one; the oldest is forgotten."""
        if message_id:
            self._uids[message_id] = uid
            if len(self._uids) > _REMEMBERED:
                del self._uids[next(iter(self._uids))]

    async def find(self, link: Link, message_id: str) -> list[int]:
        """The UIDs of the mails with a Message-ID, asked of the server where it is not known."""
        if message_id in self._uids:
            return [self._uids[message_id]]
        return await mailbox.find_id(link, message_id)


async def mark_seen(link: Link, known: KnownMails, message_ids: Iterable[str], uids: Iterable[int]) -> int:
    """Mark mails of the open mailbox as read; the number of them that were found. Raises `ServerSaidNo`."""
    found = set(uids)
    for message_id in message_ids:
        found.update(await known.find(link, message_id))
    if found:
        await mailbox.store_flag(link, sorted(found), "\\Seen")
    return len(found)

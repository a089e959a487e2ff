"""Knows how far a mailbox has been read: the value that is stored with each mail, and which mails are new
after the server has numbered them anew. Pure."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import msgspec

from backends.email.imap.mailbox import Overview

_REMEMBERED = 256
"""Mails that are known by their ids."""
_ON_THE_WAY = timedelta(days=5)
"""So long may a mail take (RFC 5321 §4.5.4.1)."""


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place in a mailbox: all mails up to `uid` are dealt with, under the numbers of `validity`.

    `newest`: when the newest of them came (seconds since 1970). `recent`: digests of the last ones' ids,
    oldest first. `doubtful`: mails up to this UID may be old ones under new numbers, and are new only if
    `since` (as `newest` was when the numbers changed) and `recent` speak for it; 0: none.
    """

    validity: int
    uid: int
    newest: int = 0
    recent: tuple[str, ...] = ()
    doubtful: int = 0
    since: int = 0

    def after(self, mail: Overview) -> Place:
        """The place once this mail is dealt with."""
        return msgspec.structs.replace(
            self,
            uid=mail.uid,
            newest=max(self.newest, int(mail.arrived.timestamp())),
            recent=(*self.recent, digest(mail))[-_REMEMBERED:],
        ).settled()

    def passed(self, uid: int) -> Place:
        """The place once all up to a UID are dealt with."""
        return msgspec.structs.replace(self, uid=max(self.uid, uid)).settled()

    def settled(self) -> Place:
        """Without doubts, where they are over."""
        if self.doubtful > self.uid:
            return self
        return msgspec.structs.replace(self, doubtful=0, since=0)

    def renumbered(self, validity: int, last: int) -> Place:
        """The place after the server gave all mails, up to UID `last`, other numbers."""
        return msgspec.structs.replace(
            self,
            validity=validity,
            uid=0,
            doubtful=last,
            since=self.since or self.newest,
        ).settled()

    def is_new(self, mail: Overview) -> bool:
        """Whether a mail beyond `uid` has not been dealt with.

        Under new numbers a mail is old if it is known by its id, if it came before the newest one that was
        dealt with, or was sent so long before that it must have come then: a server that was moved may have
        forgotten when mails came.
        """
        if mail.uid > self.doubtful:
            return True
        if digest(mail) in self.recent:
            return False
        mark = datetime.fromtimestamp(self.since, UTC)
        return mail.arrived >= mark and (mail.sent is None or mail.sent >= mark - _ON_THE_WAY)


def digest(mail: Overview) -> str:
    """What a mail is known by: a short digest of its id, or of author and date where it has none."""
    identity = mail.message_id or f"{mail.sender} {mail.sent}"
    return base64.b64encode(hashlib.sha256(identity.encode("utf-8", "replace")).digest()[:6]).decode()


def dump(place: Place) -> str:
    """A place as text."""
    return msgspec.json.encode(place).decode()


def load(text: str | None) -> Place | None:
    """A place that was written by `dump`; None: there is none yet. Raises `ValueError` for other text."""
    return msgspec.json.decode(text, type=Place) if text else None

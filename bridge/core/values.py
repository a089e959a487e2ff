"""The values that core and face exchange. JIDs are plain strings here; `user` is always a bare JID,
`resource` a full one, and times are microseconds since 1970 (UTC)."""

from __future__ import annotations

import enum

import msgspec

from bridge.api import Content, OccupantId


class RoomMessage(msgspec.Struct, frozen=True, gc=False):
    """A message in a room as its occupants see it and as the archive keeps it.

    `archive_id` is the room's stanza-id (XEP-0359) and, being time-ordered, tells when it was said.
    `stanza_id` is the `id` attribute, `origin_id` the sender's own (empty: none). `reply_to` is the archive
    id of the message answered, by `reply_name`. `foreign_ids` are (by, id) pairs of stanza-ids that came with
    it. `replaces` is the stanza_id of the sender's message that this one corrects.
    """

    archive_id: int
    sender: OccupantId
    occupant_id: str
    stanza_id: str
    content: Content
    origin_id: str = ""
    reply_to: str = ""
    reply_name: str = ""
    thread: str = ""
    replaces: str = ""
    foreign_ids: tuple[tuple[str, str], ...] = ()
    sent_at: int = 0


class DirectMessage(msgspec.Struct, frozen=True):
    """A message of a contact (or the account's own, from elsewhere: `own`) on its way to a user. `reply_to`
    is the stanza id that it answers, `reply_own`: one of the user's; `name` is how the contact calls
    themself."""

    stanza_id: str
    content: Content
    sent_at: int = 0
    reply_to: str = ""
    thread: str = ""
    replaces: str = ""
    own: bool = False
    reply_own: bool = False
    name: str = ""


class HistoryRequest(msgspec.Struct, frozen=True):
    """How much of the past a client wants on joining (XEP-0045 §7.2.14). `since` is 0 for no limit."""

    max_messages: int = 20
    since: int = 0


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A message that a user's client sent, before anything is known of where it goes.

    `stanza_id` is its `id`; `reply_to` the id that it answers (in a room: an archive id), `reply_name` the
    name of whom it answers; `replaces` the stanza_id of the own message that it corrects. `written_to` is
    the bare JID that it was sent to, where that is not the contact's own."""

    resource: str
    stanza_id: str
    content: Content
    origin_id: str = ""
    reply_to: str = ""
    reply_name: str = ""
    thread: str = ""
    replaces: str = ""
    foreign_ids: tuple[tuple[str, str], ...] = ()
    written_to: str = ""


class SessionState(enum.Enum):
    """Where an account's session stands."""

    IDLE = "idle"
    CONNECTING = "connecting"
    ONLINE = "online"
    WAITING = "waiting"
    NEEDS_LOGIN = "needs-login"
    CLOSED = "closed"


class AccountStatus(msgspec.Struct, frozen=True):
    """What `status` shows of one account. `until` is when a WAITING session tries again (epoch seconds)."""

    network: str
    state: SessionState
    name: str
    rooms: tuple[str, ...]
    text: str = ""
    until: float = 0.0
    registered: bool = False
    since: float = 0.0


class ArchiveQuery(msgspec.Struct, frozen=True):
    """One page of a room's archive (XEP-0313 §4, XEP-0059). `start`/`end` are microseconds; `after`/`before`
    archive ids; `last`: the last page that fits. `name`: only what that occupant said. `ids`: only these."""

    start: int | None = None
    end: int | None = None
    after: int | None = None
    before: int | None = None
    last: bool = False
    limit: int = 50
    name: str = ""
    ids: tuple[int, ...] = ()


class ArchivePage(msgspec.Struct, frozen=True):
    """An answer to an `ArchiveQuery`, oldest first. `complete`: there is nothing beyond this page."""

    messages: tuple[RoomMessage, ...]
    complete: bool
    count: int
    first_index: int


class ArchiveItemMissing(Exception):
    """An `after`, `before` or `ids` names a message that is not in the archive (XEP-0059 §2.2
    item-not-found)."""


class Registered(msgspec.Struct, frozen=True):
    """One registration of a user, without its secrets."""

    network: str
    settings: dict[str, str]

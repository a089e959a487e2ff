"""What a network tells the bridge. Closed, frozen, printable values without callbacks: they can be stored as
they are. A session makes them and hands them to `Host.emit`."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from bridge.api.content import Content
from bridge.api.ids import Chat, ContactId, MessageId, OccupantId, RoomId, ThreadId


class Rank(enum.IntEnum):
    """An occupant's standing in a room, highest last."""

    NONE = 0
    MEMBER = 1
    MODERATOR = 2
    ADMIN = 3
    OWNER = 4


class Departure(enum.Enum):
    """Why somebody is no longer in a room."""

    LEFT = "left"
    QUIT = "quit"
    KICKED = "kicked"
    BANNED = "banned"
    DISCONNECTED = "disconnected"
    DESTROYED = "destroyed"


class Typing(enum.Enum):
    """What a correspondent is doing (XEP-0085 in XMPP's words)."""

    ACTIVE = "active"
    COMPOSING = "composing"
    PAUSED = "paused"
    GONE = "gone"


class Occupant(msgspec.Struct, frozen=True):
    """Somebody in a room.

    `real` is the address behind the name, for people to read (`~user@host`; empty where unknown); `stable` is
    what stays when the name changes (an account name; empty: the name is all there is). `contact` is who a
    private message to this occupant goes to.
    """

    name: OccupantId
    rank: Rank = Rank.NONE
    real: str = ""
    stable: str = ""
    contact: ContactId | None = None
    away: bool = False


class Connected(msgspec.Struct, frozen=True, tag=True):
    """The session is logged in and takes commands. `name` is how the account is called there. The core then
    (re)joins the rooms it wants."""

    name: str


class NetworkNotice(msgspec.Struct, frozen=True, tag=True):
    """Something that the network itself says to the user, or a step of connecting. What comes before
    `Connected` is not told of automatic retries that end as the one before."""

    text: str


class NameChanged(msgspec.Struct, frozen=True, tag=True):
    """The account has another name on the network now (the rooms hear of it by `OccupantRenamed`)."""

    name: str


class MessageReceived(msgspec.Struct, frozen=True, tag=True):
    """A message. In a room `sender` is an occupant; in a direct chat it is empty (the chat names the
    contact).

    `own`: this account said it, from another client or as an echo. `sent_at`: when, if it was not just now.
    `name` is how the contact of a direct chat calls themself, where the network tells it with the message.
    """

    chat: Chat
    sender: OccupantId
    id: MessageId
    content: Content
    sent_at: datetime | None = None
    reply_to: MessageId | None = None
    thread: ThreadId | None = None
    own: bool = False
    name: str = ""


class MessageCorrected(msgspec.Struct, frozen=True, tag=True):
    """`target` now says something else."""

    chat: Chat
    sender: OccupantId
    id: MessageId
    target: MessageId
    content: Content


class MessageRetracted(msgspec.Struct, frozen=True, tag=True):
    """`target` was taken back by its sender (or by a moderator: `by`)."""

    chat: Chat
    sender: OccupantId
    id: MessageId
    target: MessageId
    by: str = ""


class ReactionsChanged(msgspec.Struct, frozen=True, tag=True):
    """All reactions of `sender` to `target` now."""

    chat: Chat
    sender: OccupantId
    id: MessageId
    target: MessageId
    reactions: tuple[str, ...]


class Delivered(msgspec.Struct, frozen=True, tag=True):
    """The network reports that a message of ours reached its recipient.

    Of a message that went out in several `Sent.parts`, `target` is one part: the user is told once all are
    reported. What is reported of a part first, counts, also over restarts. It may overtake the `Sent` that
    brings the id of `target`: it then waits for that, for up to 30 s. The awaitable of `Host.emit` completes
    when the user has been told, when there is nothing to tell (yet), or when nobody knows the message."""

    chat: Chat
    target: MessageId


class Displayed(msgspec.Struct, frozen=True, tag=True):
    """The recipient has seen everything up to `target`."""

    chat: Chat
    target: MessageId


class DeliveryFailed(msgspec.Struct, frozen=True, tag=True):
    """A message of ours, accepted before, did not arrive after all. `text` says why, in words.

    Of several parts, the first that fails is told, as "Part 2 of 3 was not delivered: TEXT"; what is reported
    of the others changes nothing then. Otherwise as `Delivered`."""

    chat: Chat
    target: MessageId
    text: str


class MessageLost(msgspec.Struct, frozen=True, tag=True):
    """A message of ours, answered with `Sent`, may not have arrived: the link broke before the network had
    shown to have it. `key` is the command's; `text` says it in words."""

    chat: Chat
    key: str
    text: str


class TypingChanged(msgspec.Struct, frozen=True, tag=True):
    """Somebody started or stopped writing."""

    chat: Chat
    sender: OccupantId
    state: Typing


class ContactPresence(msgspec.Struct, frozen=True, tag=True):
    """A contact came, went, or is away. `text` is what they say about it."""

    contact: ContactId
    online: bool
    away: bool = False
    text: str = ""


class ContactRenamed(msgspec.Struct, frozen=True, tag=True):
    """A contact has another address now: an open chat with `old` goes on with `new`."""

    old: ContactId
    new: ContactId


class RoomJoined(msgspec.Struct, frozen=True, tag=True):
    """The account is in the room. `occupants` are all of them, `me` among them. `display` is the room's name
    as its network spells it."""

    room: RoomId
    me: OccupantId
    occupants: tuple[Occupant, ...]
    subject: str = ""
    subject_by: str = ""
    display: str = ""


class RoomRefused(msgspec.Struct, frozen=True, tag=True):
    """A `JoinRoom` did not succeed. `reason` is a `Reason` value."""

    room: RoomId
    reason: str
    text: str


class RoomLeft(msgspec.Struct, frozen=True, tag=True):
    """The account is no longer in the room. `actor` is who did it, `text` what was said."""

    room: RoomId
    how: Departure
    actor: str = ""
    text: str = ""


class OccupantJoined(msgspec.Struct, frozen=True, tag=True):
    """Somebody came into a room that the account is in."""

    room: RoomId
    occupant: Occupant


class OccupantLeft(msgspec.Struct, frozen=True, tag=True):
    """Somebody else went. For the account itself it is `RoomLeft`."""

    room: RoomId
    name: OccupantId
    how: Departure
    actor: str = ""
    text: str = ""


class OccupantRenamed(msgspec.Struct, frozen=True, tag=True):
    """`old` is now called `occupant.name`; also sent for the account itself."""

    room: RoomId
    old: OccupantId
    occupant: Occupant


class OccupantChanged(msgspec.Struct, frozen=True, tag=True):
    """Rank, away state, or address of somebody changed; also sent for the account itself."""

    room: RoomId
    occupant: Occupant
    actor: str = ""


class SubjectChanged(msgspec.Struct, frozen=True, tag=True):
    """The room's subject is `text` now (empty: none), set by `by` (empty: unknown)."""

    room: RoomId
    text: str
    by: str = ""


class RoomNotice(msgspec.Struct, frozen=True, tag=True):
    """Something that the room itself says (a mode change, say)."""

    room: RoomId
    text: str


class Invited(msgspec.Struct, frozen=True, tag=True):
    """Somebody asks the account into a room."""

    room: RoomId
    by: str
    reason: str = ""


Event = (
    Connected
    | NetworkNotice
    | NameChanged
    | MessageReceived
    | MessageCorrected
    | MessageRetracted
    | ReactionsChanged
    | Delivered
    | Displayed
    | DeliveryFailed
    | MessageLost
    | TypingChanged
    | ContactPresence
    | ContactRenamed
    | RoomJoined
    | RoomRefused
    | RoomLeft
    | OccupantJoined
    | OccupantLeft
    | OccupantRenamed
    | OccupantChanged
    | SubjectChanged
    | RoomNotice
    | Invited
)

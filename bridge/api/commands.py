"""What the bridge asks of a network. Closed, frozen, storable values; `Session.execute` answers each with an
`Outcome`."""

from __future__ import annotations

import msgspec

from bridge.api.content import Content
from bridge.api.events import Rank, Typing
from bridge.api.ids import Chat, ContactId, MessageId, OccupantId, RoomId, ThreadId


class JoinRoom(msgspec.Struct, frozen=True, tag=True):
    """Enter a room. `Sent` says that it was asked for; `RoomJoined` or `RoomRefused` follow. `nick` is the
    wished name."""

    room: RoomId
    nick: str
    password: str = ""


class LeaveRoom(msgspec.Struct, frozen=True, tag=True):
    """Leave a room; `RoomLeft` follows."""

    room: RoomId
    text: str = ""


class ChangeNick(msgspec.Struct, frozen=True, tag=True):
    """Be called `nick`, in `room` (where the network has one name per account: everywhere)."""

    room: RoomId | None
    nick: str


class SendMessage(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Say something. `key` is the sender's own name for this message, and `said_at` when it was said
    (microseconds since 1970; 0 in rooms). Both together are unique, and stay the same when it is tried again:
    a network that knows client ids uses them against doubles. `reply_to` is the network's id of the message
    answered."""

    chat: Chat
    key: str
    content: Content
    reply_to: MessageId | None = None
    thread: ThreadId | None = None
    said_at: int = 0


class CorrectMessage(msgspec.Struct, frozen=True, tag=True):
    """Replace what an own message says. `key` and `said_at` are as those of `SendMessage`."""

    chat: Chat
    key: str
    target: MessageId
    content: Content
    said_at: int = 0


class RetractMessage(msgspec.Struct, frozen=True, tag=True):
    """Take an own message back."""

    chat: Chat
    target: MessageId


class SetReactions(msgspec.Struct, frozen=True, tag=True):
    """These are all reactions of the account to `target` now."""

    chat: Chat
    target: MessageId
    reactions: tuple[str, ...]


class SendReceipt(msgspec.Struct, frozen=True, tag=True):
    """The user's client has received `target`."""

    chat: Chat
    target: MessageId


class MarkDisplayed(msgspec.Struct, frozen=True, tag=True):
    """The user has seen everything up to `target`."""

    chat: Chat
    target: MessageId


class SetTyping(msgspec.Struct, frozen=True, tag=True):
    """The user started or stopped writing."""

    chat: Chat
    state: Typing


class SetSubject(msgspec.Struct, frozen=True, tag=True):
    """Set a room's subject; `SubjectChanged` follows where it succeeds."""

    room: RoomId
    text: str


class KickOccupant(msgspec.Struct, frozen=True, tag=True):
    """Remove somebody from a room. `Sent` once the network has done it."""

    room: RoomId
    name: OccupantId
    reason: str = ""


class SetRank(msgspec.Struct, frozen=True, tag=True):
    """Change somebody's standing. `Sent` once the network has done it."""

    room: RoomId
    name: OccupantId
    rank: Rank


class InviteContact(msgspec.Struct, frozen=True, tag=True):
    """Ask somebody into a room."""

    room: RoomId
    contact: ContactId
    reason: str = ""


class RunCommand(msgspec.Struct, frozen=True, tag=True):
    """A line for the network itself, in its own words (`/whois`-like). What it answers comes as
    `NetworkNotice`. With a `room`, it is meant for that room."""

    text: str
    room: RoomId | None = None


class SetAvailability(msgspec.Struct, frozen=True, tag=True):
    """The user is away (with a `text`) or back."""

    away: bool
    text: str = ""


Command = (
    JoinRoom
    | LeaveRoom
    | ChangeNick
    | SendMessage
    | CorrectMessage
    | RetractMessage
    | SetReactions
    | SendReceipt
    | MarkDisplayed
    | SetTyping
    | SetSubject
    | KickOccupant
    | SetRank
    | InviteContact
    | RunCommand
    | SetAvailability
)


class AskPing(msgspec.Struct, frozen=True, tag=True):
    """Is that occupant or contact there? The answer is an empty `Answer`."""

    contact: ContactId


class AskVersion(msgspec.Struct, frozen=True, tag=True):
    """Which software does that contact use? `Answer.fields` has `name`, and perhaps `version` and `os`."""

    contact: ContactId


class AskProfile(msgspec.Struct, frozen=True, tag=True):
    """Who is that contact? `Answer.fields` may have `name`, `nick`, `note`, `url`, `tel`, `email`."""

    contact: ContactId


class AskRooms(msgspec.Struct, frozen=True, tag=True):
    """Which rooms does the network have? `Answer.rooms` has them all, in the network's order."""


Query = AskPing | AskVersion | AskProfile | AskRooms


class RoomListing(msgspec.Struct, frozen=True):
    """One room of a network's list. `occupants` is -1 where unknown."""

    room: RoomId
    name: str
    occupants: int = -1
    subject: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What a network answered to a `Query`."""

    fields: dict[str, str] = {}
    rooms: tuple[RoomListing, ...] = ()

"""Opaque identifiers. Only the backend that made one may look inside it; everybody else compares and stores
it."""

from __future__ import annotations

from typing import NewType

import msgspec

AccountId = NewType("AccountId", str)
"""One user's use of one foreign network through one gateway; unique in the store."""

NetworkId = NewType("NetworkId", str)
"""One foreign network inside a backend (an IRC server, say). `""` where a backend knows only one."""

ContactId = NewType("ContactId", str)
"""A stable address on a network (a mail address, a phone number, a nick); unique within the network."""

RoomId = NewType("RoomId", str)
"""A room, folded the way its network compares names; unique within the network."""

OccupantId = NewType("OccupantId", str)
"""The name that an occupant shows in one room. It may change (`OccupantRenamed`) and be used again by
others."""

MessageId = NewType("MessageId", str)
"""The network's own id of a message (Message-ID, IRC msgid, carrier id); unique within the account.
`""` where the network gives none."""

ThreadId = NewType("ThreadId", str)
"""A conversation inside a chat; unique within the chat."""


class DirectChat(msgspec.Struct, frozen=True, tag=True):
    """The one-to-one chat with a contact."""

    contact: ContactId


class RoomChat(msgspec.Struct, frozen=True, tag=True):
    """A chat with occupants."""

    room: RoomId


Chat = DirectChat | RoomChat


class NetworkAddress(msgspec.Struct, frozen=True, tag=True):
    """The network itself: where its notices come from and where commands for it go to."""

    network: NetworkId


class ContactAddress(msgspec.Struct, frozen=True, tag=True):
    """A contact on a network."""

    network: NetworkId
    contact: ContactId


class RoomAddress(msgspec.Struct, frozen=True, tag=True):
    """A room on a network."""

    network: NetworkId
    room: RoomId


Address = NetworkAddress | ContactAddress | RoomAddress
"""What the local part of a puppet's JID stands for."""

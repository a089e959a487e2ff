"""Knows what users say in rooms (XEP-0045 §7.4, §8.1): who may, and which of the core's words it is."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bridge.api import ContactAddress, Content, Reason, RoomAddress
from bridge.core.gateway import Gateway
from bridge.core.room import Room
from bridge.core.values import Outgoing
from bridge.xmpp.addresses import Addresses, occupant_at
from bridge.xmpp.errors import message_error
from bridge.xmpp.received import InMessage
from bridge.xmpp.said import CHAT_STATES, content_of, outgoing, speaks, too_long

__all__ = ["RoomTalk"]

OUTSIDE = "You are not a participant in this room."

# What after a slash is meant for the network, not for the people in the room.
COMMANDS = frozenset({"mode"})


class RoomTalk:
    """Takes the groupchat messages of one gateway. `new_id` makes stanza ids, `write` takes finished text."""

    def __init__(
        self,
        gateway: Gateway,
        addresses: Addresses,
        write: Callable[[str], object],
        new_id: Callable[[], str],
        commands: frozenset[str] = COMMANDS,
    ) -> None:
        self._rooms = gateway.rooms
        self._by_jid = gateway.rooms.by_jid
        self._outbound = gateway.outbound
        self._max_body = gateway.info.room_features.max_body
        self._surely_short = self._max_body // 4 or sys.maxsize
        self._addresses = addresses
        self._write = write
        self._new_id = new_id
        self._commands = commands

    def said(self, message: InMessage, address: RoomAddress, jid: str) -> None:
        """A groupchat message to the room with that address and JID. Hot."""
        sender = message.sender
        room = self._by_jid.get((message.user, jid))
        if room is None or sender not in room.resources:
            self._refuse(message, Reason.NOT_IN_ROOM, OUTSIDE)
        elif message.to_resource:
            self._refuse(message, Reason.BAD_REQUEST, "A private message is not of the type groupchat.")
        elif (
            message.plain and (body := message.body) and body[0] != "/" and len(body) <= self._surely_short
        ):  # as nearly all are; the long way would come to the same
            said = Outgoing(sender, message.id or self._new_id(), Content(body), message.origin_id)
            self._outbound.to_room(room, said)
        else:
            self._more(message, address, room)

    def _more(self, message: InMessage, address: RoomAddress, room: Room) -> None:
        """What somebody in the room does with a message, whatever that is."""
        sender = message.sender
        if message.retract:
            self._outbound.retract(room.user, address, sender, message.id, message.retract)
        elif message.reactions is not None:
            target, emoji = message.reactions.id, message.reactions.emoji
            self._outbound.react(room.user, address, sender, message.id, target, emoji)
        elif message.body or message.oob_url:
            self._speak(message, room)
        elif message.subject is not None and message.body is None:
            self._rooms.set_subject(room, sender, message.id, message.subject)
        elif message.marker is not None and message.marker.kind != "received":
            self._outbound.displayed(room.user, address, message.marker.id)
        elif message.chat_state:
            self._outbound.typing(room.user, address, CHAT_STATES[message.chat_state])

    def contact_named(self, user: str, address: RoomAddress, name: str) -> ContactAddress | None:
        """The contact behind a name in a room, be somebody of that name there or not; None: there is no
        way."""
        room = self._rooms.find(user, self._addresses.jid(address))
        occupant = occupant_at(room, name) if room is not None else None
        if occupant is not None:
            return ContactAddress(address.network, occupant.contact) if occupant.contact else None
        return self._addresses.contact_beside(address, name)

    def _speak(self, message: InMessage, room: Room) -> None:
        if too_long(message, self._max_body):
            self._refuse(message, Reason.TOO_LONG, f"A message may have at most {self._max_body} bytes here.")
            return
        body = message.body or ""
        if body.startswith("/") and body[1:].partition(" ")[0].lower() in self._commands:
            self._outbound.room_command(room, message.sender, message.id, body[1:])
            return
        stanza_id = message.id or self._new_id()
        self._outbound.to_room(room, outgoing(message, content_of(message), stanza_id, room.jid))

    def _refuse(self, message: InMessage, reason: Reason, text: str) -> None:
        if speaks(message):
            self._write(message_error(message.to, message.sender, message.id, reason, text))

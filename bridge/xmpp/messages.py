"""Knows what a received message is for, and takes those to contacts and networks; rooms' are in
`muc_talk`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from bridge.api import BadAddress, ContactAddress, NetworkAddress, Reason, RoomAddress
from bridge.core.gateway import Gateway
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.errors import FATAL, Shape, message_error
from bridge.xmpp.jids import bare
from bridge.xmpp.muc_invites import Invites
from bridge.xmpp.muc_talk import RoomTalk
from bridge.xmpp.received import InError, InMessage
from bridge.xmpp.said import CHAT_STATES, content_of, outgoing, speaks, too_long

__all__ = ["Messages"]

_NOT_ACCEPTABLE = Shape("modify", "not-acceptable", 406)
_ENCRYPTED = "This contact is on another network: messages to it can't be end-to-end encrypted."


class Messages:
    """Takes all messages of one gateway.

    `bounced` is asked first for every error message, by sender and id; `commands` takes messages to the
    gateway itself, `talk` and `invites` those to rooms; `write` takes finished text."""

    def __init__(
        self,
        gateway: Gateway,
        addresses: Addresses,
        write: Callable[[str], object],
        *,
        bounced: Callable[[str, str, InError], bool],
        commands: Callable[[InMessage], None],
        talk: RoomTalk,
        invites: Invites,
    ) -> None:
        self._outbound = gateway.outbound
        self._rooms = gateway.rooms
        self._max_body = gateway.info.contact_features.max_body
        self._addresses = addresses
        self._known_rooms = addresses.rooms
        self._write = write
        self._bounced = bounced
        self._commands = commands
        self._talk = talk
        self._invites = invites

    def take(self, message: InMessage) -> None:
        """Do what a message says. Failures are answered with an error message, except those of error
        messages."""
        kind = message.type
        if kind == "groupchat" and not message.encrypted:
            known = self._known_rooms.get(message.to_local)
            if known is not None:
                room, jid = known
                self._talk.said(message, room, jid)
                return
        if kind == "error":
            self._bounce(message)
            return
        if kind == "headline":
            return
        try:
            address = self._addresses.parse(message.to_local)
        except BadAddress as error:
            unknown = Reason.NO_SUCH_NETWORK if kind == "groupchat" else Reason.NOT_FOUND
            self._refuse(message, unknown, str(error))
            return
        if message.encrypted:
            self._refuse(message, _NOT_ACCEPTABLE, _ENCRYPTED)
        elif isinstance(address, RoomAddress):
            if kind == "groupchat":
                self._talk.said(message, address, self._addresses.jid(address))
            else:
                self._to_room(message, address)
        elif kind == "groupchat":
            self._refuse(message, Reason.NOT_IN_ROOM, "This address is not a room.")
        elif address is None:
            self._commands(message)
        elif isinstance(address, NetworkAddress):
            self._to_network(message, address)
        else:
            self._to_own(message, address)

    def _bounce(self, message: InMessage) -> None:
        """An error that came back: perhaps for a fenced message, perhaps because the client is gone from a
        room. It is never answered."""
        error = message.error
        if error is None or (message.id and self._bounced(message.sender, message.id, error)):
            return
        if error.condition in FATAL and message.to_local:
            try:
                address = self._addresses.parse(message.to_local)
            except BadAddress:
                return
            if isinstance(address, RoomAddress):
                self._rooms.resource_gone(message.user, message.sender)

    def _to_room(self, message: InMessage, address: RoomAddress) -> None:
        if message.invites and not message.to_resource:
            self._invites.mediated(message, address)
        elif message.to_resource:
            self._private(message, address)
        elif speaks(message):
            self._refuse(message, Reason.BAD_REQUEST, "Enter the room to talk in it.")

    def _private(self, message: InMessage, address: RoomAddress) -> None:
        """A private message to somebody in a room goes to the contact behind the name (XEP-0045 §7.5)."""
        found = self._talk.contact_named(message.user, address, message.to_resource)
        if found is not None:
            self._to_contact(message, found)
        elif speaks(message):
            self._refuse(message, Reason.NOT_FOUND, "Nobody of that name can be written to from here.")

    def _to_network(self, message: InMessage, address: NetworkAddress) -> None:
        if too_long(message, self._max_body):
            self._refuse(message, Reason.TOO_LONG, f"A command may have at most {self._max_body} bytes.")
        elif message.body:
            self._outbound.to_network(message.user, message.sender, address, message.id, message.body)

    def _to_own(self, message: InMessage, address: ContactAddress) -> None:
        """To somebody whom the user may call otherwise than others do."""
        try:
            meant = self._addresses.meant(message.user, address)
        except BadAddress as error:
            self._refuse(message, Reason.NOT_FOUND, str(error))
            return
        self._to_contact(message, meant, "" if meant == address else bare(message.to))

    def _to_contact(self, message: InMessage, address: ContactAddress, written_to: str = "") -> None:
        user, outbound = message.user, self._outbound
        if message.retract:
            outbound.retract(user, address, message.sender, message.id, message.retract)
        elif message.reactions is not None:
            target, emoji = message.reactions.id, message.reactions.emoji
            outbound.react(user, address, message.sender, message.id, target, emoji)
        elif message.direct_invite is not None and self._invites.direct(message, address):
            return
        elif message.body or message.oob_url:
            self._say(message, address, written_to)
        elif message.received or (message.marker is not None and message.marker.kind == "received"):
            outbound.receipt(user, address, message.received or (message.marker.id if message.marker else ""))
        elif message.marker is not None:
            outbound.displayed(user, address, message.marker.id)
        elif message.chat_state:
            outbound.typing(user, address, CHAT_STATES[message.chat_state])

    def _say(self, message: InMessage, address: ContactAddress, written_to: str) -> None:
        if too_long(message, self._max_body):
            self._refuse(message, Reason.TOO_LONG, f"A message may have at most {self._max_body} bytes here.")
            return
        said = content_of(message, direct=True)
        out = outgoing(message, said, message.id)
        if written_to:
            out = msgspec.structs.replace(out, written_to=written_to)
        self._outbound.to_contact(message.user, address, out)

    def _refuse(self, message: InMessage, what: Reason | Shape, text: str) -> None:
        if speaks(message):
            self._write(message_error(message.to, message.sender, message.id, what, text))

"""Knows how users ask others into a room (XEP-0045 §7.8.2, XEP-0249): people on its network, and people on
XMPP."""

from __future__ import annotations

from collections.abc import Callable

from bridge.api import BadAddress, ContactAddress, Reason, Refused, RoomAddress
from bridge.core.gateway import Gateway
from bridge.core.room import Room
from bridge.core.tasks import Tasks
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.errors import message_error
from bridge.xmpp.jids import BadJid, prepare, split
from bridge.xmpp.muc_messages import invitation_xml
from bridge.xmpp.muc_talk import OUTSIDE, RoomTalk
from bridge.xmpp.received import InMessage, MucInvite

__all__ = ["Invites"]


class Invites:
    """Takes the invitations that users send through one gateway."""

    def __init__(
        self,
        gateway: Gateway,
        addresses: Addresses,
        write: Callable[[str], object],
        new_id: Callable[[], str],
        talk: RoomTalk,
        tasks: Tasks,
    ) -> None:
        self._rooms = gateway.rooms
        self._domain = gateway.domain
        self._addresses = addresses
        self._write = write
        self._new_id = new_id
        self._talk = talk
        self._tasks = tasks

    def mediated(self, message: InMessage, address: RoomAddress) -> None:
        """The room is to invite somebody: a name, an address on this gateway, or anybody on XMPP."""
        room = self._room(message, address)
        if room is None:
            self._refuse(message, Reason.NOT_IN_ROOM, OUTSIDE)
            return
        for invite in message.invites:
            self._invite(message, room, invite)

    def direct(self, message: InMessage, contact: ContactAddress) -> bool:
        """A contact is to come to a room; False if the room is none of this gateway's, and the words must
        do."""
        invite = message.direct_invite
        if invite is None:
            return False
        address = self._parse(invite.jid)
        if not isinstance(address, RoomAddress):
            if not message.body:
                self._refuse(message, Reason.UNSUPPORTED, "This contact's network has no way to that room.")
            return not message.body
        room = self._room(message, address)
        if room is None:
            self._refuse(message, Reason.NOT_IN_ROOM, OUTSIDE)
        elif contact.network != address.network:
            self._refuse(message, Reason.UNSUPPORTED, "This contact is on another network than the room.")
        else:
            self._tasks.start(self._ask_in(message, room, contact, invite.reason), "invite")
        return True

    def _invite(self, message: InMessage, room: Room, invite: MucInvite) -> None:
        try:
            to = prepare(invite.to)
        except BadJid as error:
            self._refuse(message, Reason.BAD_REQUEST, str(error))
            return
        local, domain, resource = split(to)
        if local and domain != self._domain:
            self._write(invitation_xml(to, room.jid, message.sender, invite.reason, self._new_id()))
            return
        contact = self._contact(room, invite.to, local, resource)
        if contact is None or contact.network != room.address.network:
            self._refuse(message, Reason.NOT_FOUND, "There is nobody of that name on this room's network.")
        else:
            self._tasks.start(self._ask_in(message, room, contact, invite.reason), "invite")

    def _contact(self, room: Room, name: str, local: str, resource: str) -> ContactAddress | None:
        """Whom `name`, `somebody@gateway` or `room@gateway/name` means."""
        if not local:
            return self._talk.contact_named(room.user, room.address, name)
        address = self._parse(f"{local}@{self._domain}")
        if isinstance(address, RoomAddress) and resource:
            return self._talk.contact_named(room.user, address, resource)
        if not isinstance(address, ContactAddress):
            return None
        try:
            return self._addresses.meant(room.user, address)
        except BadAddress:
            return None

    async def _ask_in(self, message: InMessage, room: Room, contact: ContactAddress, reason: str) -> None:
        outcome = await self._rooms.invite(room, contact.contact, reason)
        if isinstance(outcome, Refused):
            self._refuse(message, outcome.reason, outcome.text)

    def _room(self, message: InMessage, address: RoomAddress) -> Room | None:
        room = self._rooms.find(message.user, self._addresses.jid(address))
        return room if room is not None and message.sender in room.resources else None

    def _parse(self, jid: str) -> object:
        try:
            local, domain, _ = split(prepare(jid))
            return self._addresses.parse(local) if domain == self._domain else None
        except (BadJid, BadAddress):
            return None

    def _refuse(self, message: InMessage, reason: Reason, text: str) -> None:
        self._write(message_error(message.to, message.sender, message.id, reason, text))

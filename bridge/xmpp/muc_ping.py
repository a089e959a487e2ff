"""Knows whether somebody is in a room: self-pings (XEP-0410), and pings to others (XEP-0199)."""

from __future__ import annotations

from bridge.api import AskPing, BackendError
from bridge.core.gateway import Gateway
from bridge.xmpp.addresses import Addresses, occupant_at
from bridge.xmpp.entities import failure, resolve
from bridge.xmpp.features import Kind
from bridge.xmpp.iqs import InIq, StanzaError
from bridge.xmpp.jids import bare

__all__ = ["RoomPings"]


class RoomPings:
    """Answers pings to rooms and to those in them, for one gateway."""

    def __init__(self, gateway: Gateway, addresses: Addresses) -> None:
        self._rooms = gateway.rooms
        self._accounts = gateway.accounts
        self._addresses = addresses

    async def ping(self, iq: InIq) -> None:
        """Oneself: answered at once, without asking the network. Raises not-acceptable for a client that is
        not in the room (so that it enters again), item-not-found for an unknown name."""
        entity = resolve(self._addresses, iq)
        if entity.kind is Kind.ROOM or entity.address is None:
            return
        user = bare(iq.sender)
        room = self._rooms.find(user, self._addresses.jid(entity.address))
        if room is None or iq.sender not in room.resources:
            raise StanzaError("cancel", "not-acceptable", "You are not in this room.")
        occupant = occupant_at(room, entity.nick)
        if occupant is None:
            raise StanzaError("cancel", "item-not-found", "Nobody of that name is in this room.")
        if occupant.name == room.me:
            return
        if occupant.contact is None:
            raise StanzaError("cancel", "service-unavailable")
        try:
            await self._accounts.query(user, room.address.network, AskPing(occupant.contact))
        except BackendError as error:
            raise failure(error) from error

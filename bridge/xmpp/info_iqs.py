"""Knows the small questions: version (XEP-0092), ping (XEP-0199), last activity (XEP-0012), time (XEP-0202).

What a room is pinged for (XEP-0410) is the rooms' own business: those requests are handed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from bridge.api import Answer, AskPing, AskVersion, BackendError, ContactAddress, RoomAddress, SoftwareVersion
from bridge.core.gateway import Gateway
from bridge.xmpp.addresses import occupant_at
from bridge.xmpp.entities import AddressBook, Entity, failure, resolve
from bridge.xmpp.escape import text
from bridge.xmpp.features import NS, Kind
from bridge.xmpp.iqs import InIq, Iqs, StanzaError
from bridge.xmpp.jids import bare
from bridge.xmpp.roomlist import connected

__all__ = ["InfoIqs"]

RoomPing = Callable[[InIq], Awaitable[str | None]]


class InfoIqs:
    """Answers them for one gateway. `software` is the gateway itself, `clock` in seconds (for its uptime),
    `room_ping` answers a ping to a room or an occupant."""

    def __init__(
        self,
        gateway: Gateway,
        addresses: AddressBook,
        software: SoftwareVersion,
        clock: Callable[[], float],
        room_ping: RoomPing,
    ) -> None:
        self._gateway = gateway
        self._addresses = addresses
        self._software = software
        self._clock = clock
        self._started = clock()
        self._room_ping = room_ping

    def register(self, iqs: Iqs) -> None:
        """Take the requests of these namespaces."""
        iqs.register("get", f"{{{NS.VERSION}}}query", self.version)
        iqs.register("get", f"{{{NS.PING}}}ping", self.ping)
        iqs.register("get", f"{{{NS.LAST}}}query", self.last)
        iqs.register("get", f"{{{NS.TIME}}}time", self.time)

    async def version(self, iq: InIq) -> str:
        """The gateway speaks for itself, its networks and rooms; people are asked."""
        entity = resolve(self._addresses, iq)
        if entity.kind not in (Kind.CONTACT, Kind.OCCUPANT):
            return _version(self._software)
        contact = self._contact(bare(iq.sender), entity)
        fields = (await self._ask(iq, contact, AskVersion(contact.contact))).fields
        name, version, os = (fields.get(key, "") for key in ("name", "version", "os"))
        return _version(SoftwareVersion(name, version, os))

    async def ping(self, iq: InIq) -> str | None:
        """Whether it is there: a network is while the user is connected, a contact if it answers."""
        entity = resolve(self._addresses, iq)
        if entity.kind in (Kind.ROOM, Kind.OCCUPANT):
            return await self._room_ping(iq)
        if isinstance(entity.address, ContactAddress):
            await self._ask(iq, entity.address, AskPing(entity.address.contact))
        elif entity.kind is Kind.NETWORK and not connected(self._gateway, bare(iq.sender), entity.network):
            raise StanzaError("cancel", "service-unavailable", "You are not connected to that network.")
        return None

    async def last(self, iq: InIq) -> str:
        """How long the gateway is up (XEP-0012 §4)."""
        self._gateway_only(iq)
        return f"<query xmlns='{NS.LAST}' seconds='{int(self._clock() - self._started)}'/>"

    async def time(self, iq: InIq) -> str:
        """The gateway's time (XEP-0202 §3), in UTC."""
        self._gateway_only(iq)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"<time xmlns='{NS.TIME}'><tzo>+00:00</tzo><utc>{now}</utc></time>"

    def _gateway_only(self, iq: InIq) -> None:
        if resolve(self._addresses, iq).kind is not Kind.GATEWAY:
            raise StanzaError("cancel", "feature-not-implemented", "That is not known of this address.")

    def _contact(self, user: str, entity: Entity) -> ContactAddress:
        if isinstance(entity.address, ContactAddress):
            return entity.address
        room = self._gateway.rooms.find(user, entity.jid)
        occupant = occupant_at(room, entity.nick) if room is not None else None
        if occupant is None:
            raise StanzaError("cancel", "item-not-found", "There is nobody of that name in the room.")
        if occupant.contact is None or not isinstance(entity.address, RoomAddress):
            raise StanzaError("cancel", "feature-not-implemented", "That occupant cannot be asked.")
        return ContactAddress(entity.address.network, occupant.contact)

    async def _ask(self, iq: InIq, contact: ContactAddress, query: AskVersion | AskPing) -> Answer:
        try:
            return await self._gateway.accounts.query(bare(iq.sender), contact.network, query)
        except BackendError as error:
            raise failure(error) from error


def _version(software: SoftwareVersion) -> str:
    parts = (("name", software.name), ("version", software.version), ("os", software.os))
    inner = "".join(f"<{tag}>{text(value)}</{tag}>" for tag, value in parts if value or tag == "name")
    return f"<query xmlns='{NS.VERSION}'>{inner}</query>"

"""Knows service discovery (XEP-0030) on everything that has a JID here: what it is, and what is on it."""

from __future__ import annotations

from collections.abc import Callable

from bridge.api import (
    BackendError,
    Capabilities,
    Chat,
    ContactAddress,
    ContactId,
    DirectChat,
    NetworkAddress,
    NetworkId,
    Occupant,
    RoomAddress,
    RoomChat,
)
from bridge.core.gateway import Gateway
from bridge.core.room import Room
from bridge.xmpp.addresses import occupant_at, resource_of
from bridge.xmpp.adhoc import AdHoc
from bridge.xmpp.caps import Caps
from bridge.xmpp.entities import AddressBook, Entity, failure, resolve
from bridge.xmpp.escape import attr
from bridge.xmpp.features import NS, Description, Features, Identity, InfoForm, Kind, carried
from bridge.xmpp.iqs import InIq, Iqs, StanzaError
from bridge.xmpp.jids import BadJid, bare
from bridge.xmpp.roomlist import RoomList, connected, page_of, read_page_request

__all__ = ["Disco"]

TRAFFIC = NS.MUC + "#traffic"
ROOMS = NS.MUC + "#rooms"
RESERVED_NICK = "x-roomuser-item"

Item = tuple[str, str, str]
"""JID, node, name"""


class Disco:
    """Answers disco#info and disco#items for one gateway. `capabilities` says what a user's chat on a network
    can carry now, `software` is the name of what the gateway runs."""

    def __init__(
        self,
        gateway: Gateway,
        addresses: AddressBook,
        features: Features,
        caps: Caps,
        adhoc: AdHoc,
        room_list: RoomList,
        capabilities: Callable[[str, NetworkId, Chat], Capabilities],
        software: str,
    ) -> None:
        self._gateway = gateway
        self._addresses = addresses
        self._features = features
        self._caps = caps
        self._adhoc = adhoc
        self._room_list = room_list
        self._chat_capabilities = capabilities
        self._software = software

    def register(self, iqs: Iqs) -> None:
        """Take the requests of both namespaces."""
        iqs.register("get", f"{{{NS.INFO}}}query", self.info)
        iqs.register("get", f"{{{NS.ITEMS}}}query", self.items)

    # -- disco#info

    async def info(self, iq: InIq) -> str:
        """What an address is and can do (XEP-0030 §3)."""
        entity = resolve(self._addresses, iq)
        user = bare(iq.sender)
        occupant = self._occupant(user, entity) if entity.kind is Kind.OCCUPANT else None
        node = iq.payload.get("node") or ""
        if node:
            return (await self._node(user, entity, node)).render(node)
        return self._describe(user, entity, occupant).render()

    async def _node(self, user: str, entity: Entity, node: str) -> Description:
        found = self._caps.described(node)
        if found is None and entity.kind is Kind.ROOM:
            found = await self._room_node(user, entity, node)
        if found is None:
            found = self._adhoc.info(entity, node)
        if found is None:
            raise StanzaError("cancel", "item-not-found", "There is no such node.")
        return found

    async def _room_node(self, user: str, entity: Entity, node: str) -> Description | None:
        if node == TRAFFIC:
            chat = self._capabilities(user, entity, None) or self._gateway.info.room_features
            return Description(features=tuple(sorted(carried(chat, native_only=True))))
        if node == RESERVED_NICK:
            nick = await self._reserved_nick(user, entity.network)
            return Description((Identity("conference", "text", name=nick),) if nick else ())
        return None

    async def _reserved_nick(self, user: str, network: NetworkId) -> str:
        """The name that a user has on a network: its current one, or as registered (XEP-0045 §7.12)."""
        for status in self._gateway.accounts.status(user):
            if status.network == network and status.name:
                return status.name
        registered = {one.network: one.settings for one in await self._gateway.accounts.registrations(user)}
        for known in (network, NetworkId("")):
            nick = registered.get(known, {}).get("nick", "")
            if nick:
                return nick
        return ""

    def _describe(self, user: str, entity: Entity, occupant: Occupant | None) -> Description:
        capabilities = self._capabilities(user, entity, occupant)
        name = self._name(entity)
        described = self._features.describe(entity.kind, name, capabilities)
        if entity.kind is not Kind.ROOM:
            return described
        features, forms = described.features, (self._room_info(user, entity),)
        if self._room_list.knows(user, entity.network, self._room_id(entity)):
            features = tuple(sorted({*features, "muc_public"}))
        return Description(described.identities, features, forms)

    def _capabilities(self, user: str, entity: Entity, occupant: Occupant | None) -> Capabilities | None:
        """What the chat with that address can carry now; None for what is no chat."""
        address = entity.address
        if isinstance(address, ContactAddress):
            return self._chat_capabilities(user, address.network, DirectChat(address.contact))
        if not isinstance(address, RoomAddress):
            return None
        if entity.kind is Kind.ROOM:
            return self._chat_capabilities(user, address.network, RoomChat(address.room))
        if occupant is None or occupant.contact is None:
            return None
        return self._chat_capabilities(user, address.network, DirectChat(occupant.contact))

    def _name(self, entity: Entity) -> str:
        info = self._gateway.info
        if entity.address is None:
            return info.title
        if entity.kind is Kind.OCCUPANT:
            return entity.nick
        name = self._gateway.backend.display_name(entity.address)
        if entity.kind is Kind.NETWORK:
            return f"{name} over {self._software}"
        if entity.kind is Kind.ROOM and entity.network:
            return f"{name} on {entity.network}" if entity.network not in name else name
        return name

    def _room_id(self, entity: Entity) -> str:
        return entity.address.room if isinstance(entity.address, RoomAddress) else ""

    def _room_info(self, user: str, entity: Entity) -> InfoForm:
        """XEP-0045 §6.4; how many are in it, and its subject, are known of a joined room only."""
        room = self._gateway.rooms.find(user, entity.jid)
        if room is None or not room.joined:
            return InfoForm(NS.MUC + "#roominfo")
        fields = [("muc#roominfo_occupants", (str(len(room.occupants)),))]
        if room.subject:
            fields.append(("muc#roominfo_subject", (room.subject,)))
        return InfoForm(NS.MUC + "#roominfo", tuple(fields))

    # -- disco#items

    async def items(self, iq: InIq) -> str:
        """What is on an address (XEP-0030 §4)."""
        entity = resolve(self._addresses, iq)
        user = bare(iq.sender)
        occupant = self._occupant(user, entity) if entity.kind is Kind.OCCUPANT else None
        node = iq.payload.get("node") or ""
        if node == NS.COMMANDS:
            found = await self._adhoc.items(iq.sender, entity)
            return _items([(entity.jid, command, title) for command, title in found], node)
        if node == ROOMS and entity.kind in (Kind.OCCUPANT, Kind.CONTACT):
            return _items(self._shared_rooms(user, entity, occupant), node)
        if node:
            raise StanzaError("cancel", "item-not-found", "There is no such node.")
        if self._lists_rooms(entity):
            return await self._room_items(user, entity, iq)
        if entity.kind is Kind.GATEWAY:
            return _items(await self._networks(user))
        if entity.kind is Kind.ROOM:
            return _items(self._occupants(user, entity))
        return _items([])

    def _lists_rooms(self, entity: Entity) -> bool:
        """Where there is but one network, the gateway stands for it."""
        info = self._gateway.info
        alone = entity.kind is Kind.GATEWAY and not info.many_networks
        return info.rooms and (alone or entity.kind is Kind.NETWORK)

    async def _networks(self, user: str) -> list[Item]:
        accounts = self._gateway.accounts
        known = {NetworkId(one.network) for one in accounts.status(user)}
        known |= {NetworkId(one.network) for one in await accounts.registrations(user)}
        items = []
        for network in sorted(known - {NetworkId("")}):
            address = NetworkAddress(network)
            items.append((self._addresses.jid(address), "", self._gateway.backend.display_name(address)))
        return items

    def _occupants(self, user: str, entity: Entity) -> list[Item]:
        room = self._gateway.rooms.find(user, entity.jid)
        if room is None or not room.joined:
            return []
        return [(f"{room.jid}/{resource_of(name)}", "", "") for name in room.occupants]

    def _shared_rooms(self, user: str, entity: Entity, occupant: Occupant | None) -> list[Item]:
        """The user's own rooms in which somebody is, too."""
        if isinstance(entity.address, ContactAddress):
            contact: ContactId | None = entity.address.contact
        else:
            contact = occupant.contact if occupant is not None else None
        if contact is None:
            return []
        rooms = [room for room in self._gateway.rooms.of(user) if room.address.network == entity.network]
        return [(room.jid, "", room.display) for room in rooms if _has(room, contact)]

    async def _room_items(self, user: str, entity: Entity, iq: InIq) -> str:
        request = read_page_request(iq.payload)
        fresh = not request.goes_on and request.limit > 0
        try:
            rooms = await self._room_list.rooms(user, entity.network, fresh=fresh)
        except BackendError as error:
            if not connected(self._gateway, user, entity.network):
                raise StanzaError("wait", "recipient-unavailable", str(error)) from error
            raise failure(error) from error
        named: dict[str, str] = {}
        for room in rooms:
            try:
                jid = self._addresses.jid(RoomAddress(entity.network, room.room))
            except BadJid:
                continue  # nobody could join it
            named[jid] = f"{room.name} ({room.occupants})" if room.occupants >= 0 else room.name
        page = page_of(list(named), request)
        return _items([(jid, "", named[jid]) for jid in page.ids], after=page.render())

    # -- occupants

    def _occupant(self, user: str, entity: Entity) -> Occupant:
        """Who is meant. Raises bad-request where the user is not in the room (XEP-0045 §6.6)."""
        room = self._gateway.rooms.find(user, entity.jid)
        if room is None or not room.joined:
            raise StanzaError("modify", "bad-request", "You are not in that room.")
        found = occupant_at(room, entity.nick)
        if found is None:
            raise StanzaError("cancel", "item-not-found", "There is nobody of that name in the room.")
        return found


def _has(room: Room, contact: ContactId) -> bool:
    return room.joined and any(occupant.contact == contact for occupant in room.occupants.values())


def _items(items: list[Item], node: str = "", after: str = "") -> str:
    rendered = "".join(
        f"<item jid='{attr(jid)}'"
        + (f" node='{attr(item_node)}'" if item_node else "")
        + (f" name='{attr(name)}'" if name else "")
        + "/>"
        for jid, item_node, name in items
    )
    at = f" node='{attr(node)}'" if node else ""
    return f"<query xmlns='{NS.ITEMS}'{at}>{rendered}{after}</query>"

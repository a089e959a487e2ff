"""Knows vCards: vcard-temp (XEP-0054) and vCard4 (XEP-0292), for the gateway and all that is on it.

A contact's comes from the network where the user is connected, else it has what the address itself tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from bridge.api import AskProfile, BackendError, ContactAddress, RoomAddress
from bridge.core.gateway import Gateway
from bridge.xmpp.addresses import occupant_at
from bridge.xmpp.entities import AddressBook, Entity, resolve
from bridge.xmpp.escape import text
from bridge.xmpp.features import NS, Kind
from bridge.xmpp.iqs import Handler, InIq, Iqs, StanzaError
from bridge.xmpp.jids import bare
from bridge.xmpp.roomlist import connected

__all__ = ["VCards", "render_vcard4", "render_vcard_temp"]

PROFILE_SECONDS = 10.0

Card = Mapping[str, str]
"""`name`, `nick`, `note`, `url`, `tel`, `email`: those that are known."""


def render_vcard_temp(card: Card) -> str:
    """The card in vcard-temp (XEP-0054 §3)."""
    simple = (("name", "FN"), ("nick", "NICKNAME"), ("note", "DESC"), ("url", "URL"))
    parts = [f"<{tag}>{text(card[key])}</{tag}>" for key, tag in simple if card.get(key)]
    if card.get("tel"):
        parts.append(f"<TEL><NUMBER>{text(card['tel'])}</NUMBER></TEL>")
    if card.get("email"):
        parts.append(f"<EMAIL><INTERNET/><USERID>{text(card['email'])}</USERID></EMAIL>")
    return f"<vCard xmlns='{NS.VCARD}'>{''.join(parts)}</vCard>"


def render_vcard4(card: Card) -> str:
    """The card in vCard4 (XEP-0292 §3, RFC 6351)."""
    texts = (("name", "fn"), ("nick", "nickname"), ("note", "note"), ("email", "email"))
    parts = [f"<{tag}><text>{text(card[key])}</text></{tag}>" for key, tag in texts if card.get(key)]
    if card.get("url"):
        parts.append(f"<url><uri>{text(card['url'])}</uri></url>")
    if card.get("tel"):
        parts.append(f"<tel><text>{text(card['tel'])}</text></tel>")
    return f"<vcard xmlns='{NS.VCARD4}'>{''.join(parts)}</vcard>"


class VCards:
    """Answers requests for vCards; nobody may set one here."""

    def __init__(self, gateway: Gateway, addresses: AddressBook) -> None:
        self._gateway = gateway
        self._addresses = addresses

    def register(self, iqs: Iqs) -> None:
        """Take the requests of both namespaces."""
        for tag, render in (
            (f"{{{NS.VCARD}}}vCard", render_vcard_temp),
            (f"{{{NS.VCARD4}}}vcard", render_vcard4),
        ):
            iqs.register("get", tag, self._getter(render))
            iqs.register("set", tag, self.set)

    async def set(self, iq: InIq) -> str | None:
        """Refuse: what is shown comes from the network."""
        resolve(self._addresses, iq)
        raise StanzaError("auth", "forbidden", "This card comes from the network and cannot be set here.")

    async def card(self, user: str, entity: Entity) -> Card:
        """What is known of an address. Raises item-not-found for an occupant that is not there."""
        address = entity.address
        if address is None:
            info = self._gateway.info
            return {"name": info.title, "note": info.description}
        if isinstance(address, RoomAddress):
            return await self._room_card(user, entity, address)
        if isinstance(address, ContactAddress):
            return await self._contact_card(user, address)
        return {"name": self._gateway.backend.display_name(address)}

    def _getter(self, render: Callable[[Card], str]) -> Handler:
        async def get(iq: InIq) -> str:
            return render(await self.card(bare(iq.sender), resolve(self._addresses, iq)))

        return get

    async def _room_card(self, user: str, entity: Entity, address: RoomAddress) -> Card:
        room = self._gateway.rooms.find(user, entity.jid)
        if entity.kind is Kind.ROOM:
            joined = room is not None and room.joined
            note = room.subject if room is not None and joined else ""
            return {"name": self._gateway.backend.display_name(address), "note": note}
        occupant = occupant_at(room, entity.nick) if room is not None else None
        if occupant is None:
            raise StanzaError("cancel", "item-not-found", "There is nobody of that name in the room.")
        if occupant.contact is None:
            return {"name": occupant.name, "nick": occupant.name}
        return await self._contact_card(user, ContactAddress(address.network, occupant.contact))

    async def _contact_card(self, user: str, address: ContactAddress) -> Card:
        name = self._gateway.backend.display_name(address)
        minimal = {"name": name, "nick": name}
        if not connected(self._gateway, user, address.network):
            return minimal
        try:
            async with asyncio.timeout(PROFILE_SECONDS):
                query = AskProfile(address.contact)
                answer = await self._gateway.accounts.query(user, address.network, query)
        except (BackendError, TimeoutError):
            return minimal  # a card with the name alone is a true answer, too
        return minimal | {key: value for key, value in answer.fields.items() if value}

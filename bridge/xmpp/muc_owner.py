"""Knows the configuration form of a room (XEP-0045 §10.2): what a user may decide about it here."""

from __future__ import annotations

from bridge.api import Field, FieldKind, Form, RoomAddress
from bridge.core.gateway import Gateway
from bridge.core.room import Room
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.entities import resolve
from bridge.xmpp.forms import FormError, judge, read_form, render_form, submitted_form
from bridge.xmpp.iqs import InIq, Iqs, StanzaError
from bridge.xmpp.jids import bare, split

__all__ = ["RoomOwner"]

_NS = "http://jabber.org/protocol/muc#owner"
_FORM_TYPE = "http://jabber.org/protocol/muc#roomconfig"
_PERSISTENT = "persistent"


class RoomOwner:
    """Answers the muc#owner requests of one gateway's users. What is decided holds for that user alone."""

    def __init__(self, gateway: Gateway, addresses: Addresses) -> None:
        self._backend = gateway.backend
        self._rooms = gateway.rooms
        self._addresses = addresses

    def register(self, iqs: Iqs) -> None:
        """Take the requests of this namespace."""
        iqs.register("get", f"{{{_NS}}}query", self.get)
        iqs.register("set", f"{{{_NS}}}query", self.set)

    async def get(self, iq: InIq) -> str:
        """The form, as things are."""
        address = self._address(iq)
        form = self._form(address, self._rooms.find(bare(iq.sender), self._addresses.jid(address)))
        return f"<query xmlns='{_NS}'>{render_form(form, _FORM_TYPE)}</query>"

    async def set(self, iq: InIq) -> None:
        """Take a filled-in form; a cancelled one, and one that says nothing, changes nothing."""
        address, user = self._address(iq), bare(iq.sender)
        if iq.payload.find(f"{{{_NS}}}destroy") is not None:
            raise StanzaError("cancel", "not-allowed", "Rooms of other networks cannot be destroyed here.")
        submitted = submitted_form(iq.payload)
        if submitted is None:
            raise StanzaError("modify", "bad-request", "There is no form.")
        if submitted.get("type") == "cancel":
            return
        room = self._rooms.find(user, self._addresses.jid(address))
        try:
            values = judge(self._form(address, room), read_form(submitted))
        except FormError as error:
            raise StanzaError("modify", "not-acceptable", str(error)) from error
        if _PERSISTENT in values:
            self._keep(user, address, room, values[_PERSISTENT] == "true")

    def _keep(self, user: str, address: RoomAddress, room: Room | None, keep: bool) -> None:
        if keep:
            nick = room.nick if room is not None and room.nick else split(user)[0]
            self._rooms.keep(user, address, nick)
        elif room is not None and room.kept:
            self._rooms.unkeep(room)

    def _form(self, address: RoomAddress, room: Room | None) -> Form:
        kept = room is not None and room.kept
        field = Field(
            name=_PERSISTENT,
            label="Stay in this room while none of your clients is in it",
            kind=FieldKind.FLAG,
            default="true" if kept else "false",
            help="What is said meanwhile is kept for you.",
        )
        return Form(f"Configure {self._backend.display_name(address)}", "", (field,))

    def _address(self, iq: InIq) -> RoomAddress:
        entity = resolve(self._addresses, iq)
        if not isinstance(entity.address, RoomAddress) or entity.nick:
            raise StanzaError("cancel", "feature-not-implemented")
        return entity.address

"""Knows which JID stands for which foreign address, and which resource for which name in a room."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import lru_cache

from bridge.api import (
    Address,
    Backend,
    BadAddress,
    ContactAddress,
    NetworkAddress,
    NetworkId,
    Occupant,
    OccupantId,
    RoomAddress,
)
from bridge.core.abilities import normalising
from bridge.core.room import Room
from bridge.xmpp.jids import CACHED, LONGEST_KEPT, BadJid, escape_local, prepare, unescape_local

__all__ = ["Addresses", "occupant_at", "resource_of"]

_RESOURCE_BYTES = 1023


Settings = Callable[[str, NetworkId], Mapping[str, str]]
"""What a user (a bare JID) has registered with a network."""


class Addresses:
    """The JIDs of one gateway domain. Everything here is pure, and cached where the backend is asked.
    `settings` are looked at for a backend where users write addresses in ways of their own."""

    def __init__(self, domain: str, backend: Backend, settings: Settings = lambda user, network: {}) -> None:
        self.domain = domain
        self._backend = backend
        self._settings = settings
        self._normalising = normalising(backend)
        self.jid = lru_cache(CACHED)(self._jid)
        self.rooms: dict[str, tuple[RoomAddress, str]] = {}
        """the rooms that `parse` has found lately, with their JIDs, by escaped local part; to look at only"""

    def _jid(self, address: Address) -> str:
        """The bare JID of an address (XEP-0106); the domain alone where the backend gives it no name.

        Raises BadJid for an address that the backend formats as something no JID can carry."""
        local = self._backend.format_address(address)
        return f"{escape_local(local)}@{self.domain}" if local else self.domain

    def parse(self, local: str) -> Address | None:
        """What an escaped local part stands for; None for the gateway itself. Raises BadAddress.

        Only rooms are remembered, since they come with every message: what else a name can be, a network may
        tell its backend when it is connected."""
        known = self.rooms.get(local)
        if known is not None:
            return known[0]
        if not local:
            return None
        address = self._backend.parse_address(unescape_local(local))
        if isinstance(address, RoomAddress) and len(local) <= LONGEST_KEPT:
            if len(self.rooms) >= CACHED:
                self.rooms.clear()
            with contextlib.suppress(BadJid):
                self.rooms[local] = address, self.jid(address)
        return address

    def meant(self, user: str, address: ContactAddress) -> ContactAddress:
        """The contact that a user means by an address of theirs. Raises BadAddress. Hot."""
        if self._normalising is None:
            return address
        return self._normalising.normalise(address, self._settings(user, address.network))

    def nick(self, resource: str) -> OccupantId:
        """The name in a room that a resource stands for."""
        return OccupantId(resource)

    def real_jid(self, room: Room, occupant: Occupant) -> str:
        """Who an occupant really is, for people to read (XEP-0045 §7.2.3, non-anonymous); "" where
        unknown."""
        if occupant.contact is None:
            return ""
        try:
            jid = self.jid(ContactAddress(room.address.network, occupant.contact))
        except BadJid:
            return ""
        return f"{jid}/{resource_of(occupant.real)}" if occupant.real else jid

    def contact_beside(self, room: RoomAddress, name: str) -> ContactAddress | None:
        """Who is called `name` on a room's network, asked of the backend in the room's place: the address
        that it reads where the name stands instead of the room. None if it makes no contact of that."""
        local = self._backend.format_address(room)
        if not name or room.room not in local:
            return None
        try:
            found = self._backend.parse_address(local.replace(room.room, name.lower(), 1))
        except BadAddress:
            return None
        return found if isinstance(found, ContactAddress) and found.network == room.network else None

    def kind(self, jid: str) -> str:
        """What a puppet's bare JID is, in the words of service discovery: gateway, network, room or
        contact."""
        try:
            address = self.parse(jid.partition("@")[0] if "@" in jid else "")
        except BadAddress:
            return "contact"
        if address is None:
            return "gateway"
        if isinstance(address, NetworkAddress):
            return "network"
        return "contact" if isinstance(address, ContactAddress) else "room"


def resource_of(name: str) -> str:
    """A foreign name as a resource: itself, unless no JID can carry it.

    A client that checks what it receives (RFC 6122) drops a whole stanza over one such character, so those
    become `_`. The case stays."""
    if name.isascii() and name.isprintable() and 0 < len(name) <= _RESOURCE_BYTES:
        return name
    return _checked_resource(name)


@lru_cache(CACHED)
def _checked_resource(name: str) -> str:
    try:
        prepare(f"x@x/{name}")
    except BadJid:
        return _mended(name)
    return name or "_"


def _mended(name: str) -> str:
    kept = "".join(char if _carried(char) else "_" for char in name)
    kept = kept.encode(errors="replace")[:_RESOURCE_BYTES].decode(errors="ignore")
    try:
        prepare(f"x@x/{kept}")
    except BadJid:  # characters that only together are wrong: writing to left and to right (RFC 3454 §6)
        kept = kept.encode("ascii", "replace").decode().replace("?", "_")
    return kept or "_"


def _carried(char: str) -> bool:
    try:
        prepare(f"x@x/{char}")
    except BadJid:
        return False
    return True


def occupant_at(room: Room, resource: str) -> Occupant | None:
    """Who in the room a resource means, exactly or in the form that `resource_of` gave the name."""
    found = room.occupants.get(OccupantId(resource))
    if found is not None:
        return found
    return next((one for one in room.occupants.values() if resource_of(one.name) == resource), None)

"""Knows what the `to` of a request stands for, and how a refusal by the core becomes a stanza error."""

from __future__ import annotations

from typing import Protocol

import msgspec

from bridge.api import (
    Address,
    BackendError,
    BadAddress,
    ConnectionLost,
    ContactAddress,
    NetworkAddress,
    NetworkId,
    QueryFailed,
    Reason,
    RoomAddress,
)
from bridge.xmpp.errors import shape
from bridge.xmpp.features import Kind
from bridge.xmpp.iqs import ErrorType, InIq, StanzaError
from bridge.xmpp.jids import bare

__all__ = ["AddressBook", "Entity", "failure", "refusal", "resolve"]


class AddressBook(Protocol):
    """What is asked of `Addresses`."""

    domain: str

    def jid(self, address: Address) -> str:
        """The bare JID of an address."""

    def parse(self, local: str) -> Address | None:
        """What an escaped local part stands for, None for the gateway; raises BadAddress."""

    def meant(self, user: str, address: ContactAddress) -> ContactAddress:
        """The contact that a user means by an address of theirs; raises BadAddress."""


class Entity(msgspec.Struct, frozen=True):
    """What a request is for. `jid` is its bare JID, `nick` the resource of a room's occupant."""

    kind: Kind
    jid: str
    address: Address | None = None
    nick: str = ""

    @property
    def network(self) -> NetworkId:
        """The network that it belongs to; `""` for the gateway."""
        return self.address.network if self.address is not None else NetworkId("")


def resolve(addresses: AddressBook, iq: InIq) -> Entity:
    """What `iq.to` stands for, to who asks. Raises item-not-found, with the backend's own words, for what is
    nothing."""
    try:
        address = addresses.parse(iq.to_local)
        if isinstance(address, ContactAddress):
            address = addresses.meant(bare(iq.sender), address)
    except BadAddress as error:
        raise StanzaError("cancel", "item-not-found", str(error)) from error
    jid = iq.to.partition("/")[0]
    if address is None:
        return Entity(Kind.GATEWAY, jid)
    if isinstance(address, NetworkAddress):
        return Entity(Kind.NETWORK, jid, address)
    if isinstance(address, ContactAddress):
        return Entity(Kind.CONTACT, jid, address)
    return _room(jid, address, iq.to_resource)


def _room(jid: str, address: RoomAddress, nick: str) -> Entity:
    return Entity(Kind.OCCUPANT if nick else Kind.ROOM, jid, address, nick)


def refusal(reason: Reason, text: str) -> StanzaError:
    """The stanza error for a reason."""
    kind, condition, _ = shape(reason)
    types: dict[str, ErrorType] = {"auth": "auth", "cancel": "cancel", "modify": "modify", "wait": "wait"}
    return StanzaError(types[kind], condition, text)


def failure(error: BackendError) -> StanzaError:
    """The stanza error for what a query, or connecting for it, raised."""
    if isinstance(error, (QueryFailed, ConnectionLost)):
        return refusal(error.reason, str(error))
    if isinstance(error, BadAddress):
        return StanzaError("cancel", "item-not-found", str(error))
    return refusal(Reason.NETWORK_DOWN, str(error))

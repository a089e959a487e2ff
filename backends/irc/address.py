"""Knows what a JID's local part means: `#channel%server`, `nick%server`, `server`; with a fixed server
`#channel` and `nick`."""

from __future__ import annotations

from backends.irc.names import is_hostname, is_target
from backends.irc.options import Options
from bridge.api import (
    Address,
    BadAddress,
    ContactAddress,
    ContactId,
    NetworkAddress,
    NetworkId,
    RoomAddress,
    RoomId,
)

DEFAULT_CHANTYPES = "#&"
_MOST_LEARNED = 1000


class AddressBook:
    """Reads and writes local parts. What begins a channel's name is `#` or `&`, until a network says
    otherwise."""

    def __init__(self, options: Options) -> None:
        self._fixed = options.fixed_server
        self._known = frozenset(options.networks) if options.only_configured else None
        self._chantypes: dict[NetworkId, str] = {}

    def learn(self, network: NetworkId, chantypes: str) -> None:
        """Remember what a network calls a channel (ISUPPORT CHANTYPES)."""
        self._chantypes.pop(network, None)
        if chantypes and chantypes != DEFAULT_CHANTYPES and len(self._chantypes) < _MOST_LEARNED:
            self._chantypes[network] = chantypes

    def parse(self, local: str) -> Address:
        """Raises `BadAddress`; see `Backend.parse_address`. The first `%` splits."""
        if self._fixed:
            return self._name(local, NetworkId("")) if local else NetworkAddress(NetworkId(""))
        name, percent, server = local.partition("%")
        if not percent:
            if local[:1] and local[0] in DEFAULT_CHANTYPES:
                raise BadAddress(f"{local} names no server: use {local}%irc.example.org")
            return NetworkAddress(self._network(local))
        network = self._network(server)
        if not name:
            raise BadAddress(f"%{server} names neither a channel nor a nick")
        return self._name(name, network)

    def _network(self, server: str) -> NetworkId:
        if not is_hostname(server):
            raise BadAddress(f"{server!r} is not the name of an IRC server")
        if self._known is not None and server not in self._known:
            raise BadAddress(f"This gateway does not serve {server}")
        return NetworkId(server)

    def _name(self, name: str, network: NetworkId) -> Address:
        if not is_target(name):
            raise BadAddress(f"{name!r} can be neither a channel nor a nick on IRC")
        if name[0] in self._chantypes.get(network, DEFAULT_CHANTYPES):
            return RoomAddress(network, RoomId(name))
        return ContactAddress(network, ContactId(name))

    def format(self, address: Address) -> str:
        """The inverse of `parse`."""
        if isinstance(address, NetworkAddress):
            return "" if self._fixed else address.network
        name = address.room if isinstance(address, RoomAddress) else address.contact
        return name if self._fixed else f"{name}%{address.network}"

    def from_prompt(self, text: str) -> Address:
        """What somebody typed: also takes `nick@server` and capitals. Raises `BadAddress`."""
        local = text.strip().lower()
        if not self._fixed and "%" not in local and "@" in local:
            name, _, server = local.rpartition("@")
            local = f"{name}%{server}"
        address = self.parse(local)
        if isinstance(address, NetworkAddress):
            raise BadAddress(f"{text.strip() or 'Nothing'} names no nick: use nick%irc.example.org")
        return address

    def display(self, address: Address) -> str:
        """How to call it, for people."""
        if isinstance(address, ContactAddress):
            return address.contact
        server = address.network or self._fixed
        return (
            f"IRC server {server}" if isinstance(address, NetworkAddress) else f"{address.room} on {server}"
        )

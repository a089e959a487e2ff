"""Knows how the parts that inform about a gateway, and take its commands, are put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from bridge.api import Capabilities, Chat, NetworkId, SoftwareVersion
from bridge.core.gateway import Gateway
from bridge.xmpp.adhoc import AdHoc
from bridge.xmpp.caps import Caps
from bridge.xmpp.chatcommands import ChatCommands
from bridge.xmpp.commands.catalogue import Catalogue
from bridge.xmpp.commands.model import Services
from bridge.xmpp.disco import Disco
from bridge.xmpp.entities import AddressBook
from bridge.xmpp.features import Features
from bridge.xmpp.info_iqs import InfoIqs, RoomPing
from bridge.xmpp.prompt import Prompt
from bridge.xmpp.registrar import Registrar
from bridge.xmpp.registration import Registration
from bridge.xmpp.roomlist import RoomList
from bridge.xmpp.vcard import VCards

__all__ = ["Information"]

Part = Registration | AdHoc | Disco | Prompt | VCards | InfoIqs


class Information:
    """All of it for one gateway. It is made before the `Component`, which takes `caps.element` and
    `commands.take`; then the component answers `parts(component.pings.ping)`.

    `capabilities` says what a user's chat on a network can carry now, `users` who has sessions, `admins` are
    the bare JIDs of the admins, `node` is the URL that stands for this software in entity capabilities.
    """

    def __init__(
        self,
        gateway: Gateway,
        addresses: AddressBook,
        *,
        software: SoftwareVersion,
        node: str,
        capabilities: Callable[[str, NetworkId, Chat], Capabilities],
        users: Callable[[], Iterable[str]],
        admins: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._addresses = addresses
        self._software = software
        self._clock = clock
        features = Features(gateway.info)
        self.caps = caps = Caps(features, node)
        registrar, prompt = Registrar(gateway), Prompt(gateway.backend, addresses)
        rooms = RoomList(gateway, clock)
        services = Services(gateway, addresses, registrar, prompt, rooms, software, users, frozenset(admins))
        catalogue = Catalogue(services)
        self.commands = ChatCommands(catalogue, self._say, clock)
        adhoc = AdHoc(catalogue, addresses, clock)
        self._parts: tuple[Part, ...] = (
            Disco(gateway, addresses, features, caps, adhoc, rooms, capabilities, software.name),
            adhoc,
            prompt,
            Registration(registrar, addresses),
            VCards(gateway, addresses),
        )

    def parts(self, room_ping: RoomPing) -> tuple[Part, ...]:
        """What answers iq requests. `room_ping` answers a ping to a room, or to somebody in it."""
        info_iqs = InfoIqs(self._gateway, self._addresses, self._software, self._clock, room_ping)
        return (*self._parts, info_iqs)

    async def stop(self) -> None:
        """End what is under way here."""
        await self.commands.close()

    def _say(self, to: str, text: str) -> None:
        self._gateway.face.network_text(to, self._gateway.domain, text)

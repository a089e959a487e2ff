"""Knows how the parts that inform about a gateway, and take its commands, are put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from bridge.api import Capabilities, Chat, NetworkAddress, NetworkId, Reason, SoftwareVersion
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
from bridge.xmpp.jids import bare
from bridge.xmpp.prompt import Prompt
from bridge.xmpp.registrar import Registrar
from bridge.xmpp.registration import Registration
from bridge.xmpp.roomlist import RoomList, connected
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
        registrar = Registrar(gateway)
        prompt = Prompt(gateway.backend, addresses, gateway.accounts.settings)
        rooms = RoomList(gateway, clock)
        services = Services(gateway, addresses, registrar, prompt, rooms, software, users, frozenset(admins))
        catalogue = Catalogue(services)
        self.commands = ChatCommands(catalogue, self._say, clock, forward=self._forward)
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

    def _forward(self, resource: str, stanza_id: str, text: str, unknown: str) -> bool:
        """Where there is but one network, the gateway stands for it: what is no command of ours may be one of
        the network's, if the user is connected to it or can be."""
        info, network, user = self._gateway.info, NetworkId(""), bare(resource)
        if info.many_networks or not (info.on_demand or connected(self._gateway, user, network)):
            return False
        if len(text.encode()) > info.contact_features.max_body:
            said = f"A command may have at most {info.contact_features.max_body} bytes."
            self._gateway.face.message_failed(
                resource, self._gateway.domain, stanza_id, Reason.TOO_LONG, said
            )
            return True
        self._gateway.outbound.to_network(
            user,
            resource,
            NetworkAddress(network),
            stanza_id,
            text,
            unsupported=lambda: self._say(resource, unknown),
        )
        return True

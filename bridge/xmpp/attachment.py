"""Knows how a gateway is attached to an XMPP server: its link, its fence, and everything that speaks over them."""

from __future__ import annotations

from bridge.api import SoftwareVersion
from bridge.core.gateway import Gateway
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.component import Component
from bridge.xmpp.fence import Fence
from bridge.xmpp.information import Information
from bridge.xmpp.link import ComponentLink
from bridge.xmpp.link_config import LinkConfig

__all__ = ["Attachment"]

NODE = "https://xmpp-bridge.example/caps"
"""Stands for this software in entity capabilities (XEP-0115 §4); a name, not a place."""


class Attachment:
    """One gateway on one component stream. Make it before `gateway.start()`; then `run()` until `stop()`."""

    def __init__(self, gateway: Gateway, config: LinkConfig, software: SoftwareVersion) -> None:
        self.link = ComponentLink(config)
        fence = Fence(self.link, config.domain, config.server)
        addresses = Addresses(gateway.domain, gateway.backend)
        self._information = information = Information(
            gateway,
            addresses,
            software=software,
            node=NODE,
            capabilities=gateway.capabilities,
            users=gateway.users,
            admins=gateway.settings.admins,
        )
        self._component = Component(
            gateway,
            self.link,
            fence,
            addresses=addresses,
            caps=information.caps.element,
            commands=information.commands.take,
        )
        self._component.answer(*information.parts(self._component.pings.ping))

    async def run(self) -> None:
        """Connect, and reconnect, until `stop()`."""
        await self.link.run()

    async def stop(self) -> None:
        """End what is under way, then the stream."""
        await self._information.stop()
        await self._component.stop()
        await self.link.stop()

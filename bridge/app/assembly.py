"""One gateway domain, all floors of it: backend, core, link and the XMPP face, made and ended together."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from bridge import __version__
from bridge.api import SoftwareVersion
from bridge.app.config import Config
from bridge.app.config_models import GatewayConfig
from bridge.app.wiring import core_settings, link_config, make_backend
from bridge.core.gateway import Gateway
from bridge.store.engine import Store
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.component import Component
from bridge.xmpp.fence import Fence
from bridge.xmpp.information import Information
from bridge.xmpp.link import ComponentLink

log = logging.getLogger(__name__)

SOFTWARE = SoftwareVersion("xmpp-bridge", __version__)
CAPS_NODE = "urn:x-xmpp-bridge"
STOP_SECONDS = 4.0


class Domain:
    """One gateway domain. Make it inside the event loop; `start`, then `run` until `stop` has ended."""

    def __init__(self, config: Config, settings: GatewayConfig, store: Store) -> None:
        """Raises StartFailed where the backend does not like its options."""
        self.name = settings.domain
        backend = make_backend(settings)
        self.gateway = gateway = Gateway(self.name, backend, store, core_settings(config, settings))
        if settings.name:
            gateway.info = msgspec.structs.replace(gateway.info, title=settings.name)
        addresses = Addresses(self.name, backend, gateway.accounts.known_settings)
        self.link = link = ComponentLink(link_config(settings))
        self._information = information = Information(
            gateway,
            addresses,
            software=SOFTWARE,
            node=CAPS_NODE,
            capabilities=gateway.capabilities,
            users=gateway.users,
            admins=config.admins,
        )
        self._component = Component(
            gateway,
            link,
            Fence(link, self.name, link.config.server, wait_seconds=link.config.patience),
            addresses=addresses,
            caps=information.caps.element,
            commands=information.commands.take,
            software=settings.xmpp.software,
        )
        self._component.answer(*information.parts(self._component.pings.ping))

    async def start(self) -> None:
        """Take up what was going on before the last stop."""
        await self.gateway.start()

    async def run(self) -> None:
        """Keep the stream to the XMPP server, until `stop`."""
        await self.link.run()

    async def stop(self, reason: str) -> None:
        """Sessions first, so that rooms and users hear of it, then the stream. A part that fails to stop is
        logged, and the others are stopped all the same."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.gateway.stop(reason)
        except Exception:
            log.exception("the gateway did not stop in good order", extra={"gateway": self.name})
        for part in (self._information, self._component, self.link):
            try:
                await part.stop()
            except Exception:
                log.exception(
                    "%s did not stop in good order", type(part).__name__, extra={"gateway": self.name}
                )

"""Knows how to have the informing parts without a link, for tests that call them by hand."""

from __future__ import annotations

from typing import Any

from bridge.api import Capabilities, SoftwareVersion
from bridge.core.gateway import Gateway
from bridge.store.engine import Store
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.information import Information
from tests.xmpp_info.conftest import DOMAIN
from tests.xmpp_info.town import Town


class Deaf:
    """A face that shows nothing."""

    def __init__(self, addresses: Addresses) -> None:
        self.jid = addresses.jid

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


def information_of(town: Town, store: Store) -> tuple[Gateway, Information]:
    """A gateway with a face that leads nowhere, and what informs about it."""
    gateway = Gateway(DOMAIN, town, store)
    addresses = Addresses(DOMAIN, town)
    gateway.face = Deaf(addresses)  # type: ignore[assignment]
    information = Information(
        gateway,
        addresses,
        software=SoftwareVersion("xmpp-bridge", "1.2"),
        node="https://node",
        capabilities=lambda user, network, chat: Capabilities(),
        users=lambda: ["u@example.test"],
        admins=["u@example.test"],
        clock=lambda: 0.0,
    )
    return gateway, information

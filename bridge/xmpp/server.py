"""Knows which software the XMPP server is, and what follows from that for messages that must not be lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol
from xml.etree.ElementTree import Element

from bridge.xmpp.clients import Clients
from bridge.xmpp.fence import Fence
from bridge.xmpp.iqs import IqFailed, IqLost, Iqs
from bridge.xmpp.received import InMessage, InPresence

__all__ = ["EJABBERD_ADVICE", "Server", "is_ejabberd", "software_name"]

log = logging.getLogger(__name__)

EJABBERD_ADVICE = (
    "ejabberd keeps private messages through a crash only if they are in an SQL database (default_db: sql) "
    "and its archive is on (mod_mam with default: always). With its built-in storage, Mnesia, it loses "
    "messages that it had accepted. The bridge can't see which it has: look into ejabberd.yml; what to "
    'write there is in the README, "Attach it to ejabberd"'
)

_DISCO = "http://jabber.org/protocol/disco#info"
_VERSION = "jabber:iq:version"


async def software_name(iqs: Iqs, server: str, domain: str) -> str:
    """What the server calls itself (XEP-0030, else XEP-0092); "" if it does not say. Raises IqLost."""
    for namespace, name in ((_DISCO, _identity_name), (_VERSION, _version_name)):
        try:
            answer = await iqs.request(server, domain, "get", f"<query xmlns='{namespace}'/>")
        except IqLost:
            raise
        except IqFailed:
            continue
        if found := name(answer):
            return found
    return ""


def is_ejabberd(name: str) -> bool:
    """Whether that name is ejabberd's."""
    return "ejabberd" in name.lower()


class ServerLink(Protocol):
    """What is asked of a link."""

    iqs: Iqs
    on_message: Callable[[InMessage], None]
    on_presence: Callable[[InPresence], None]


class Server:
    """The server behind one link. `software` is what the admin calls it; "auto": it is asked.

    Make it when the link's callbacks are set: where clients must be known, it listens to them."""

    def __init__(self, link: ServerLink, fence: Fence, domain: str, software: str = "auto") -> None:
        self._link = link
        self._fence = fence
        self._domain = domain
        self._software = software
        self._clients: Clients | None = None

    async def learn(self) -> None:
        """Tell ejabberd from others, and fence as it needs. To be done on every new stream."""
        name = self._software
        if name == "auto":
            try:
                name = await software_name(self._link.iqs, self._fence.server, self._domain)
            except IqLost:
                return
        if not is_ejabberd(name):
            self._fence.ping_clients(None)
        elif self._clients is None:
            log.info("%s: the XMPP server is ejabberd. %s", self._domain, EJABBERD_ADVICE)
            self._clients = clients = Clients()
            link = self._link
            link.on_message = clients.listening(clients.hear_message, link.on_message)
            link.on_presence = clients.listening(clients.hear_presence, link.on_presence)
            self._fence.ping_clients(clients)
        else:
            self._fence.ping_clients(self._clients)


def _identity_name(answer: Element) -> str:
    for identity in answer.iter(f"{{{_DISCO}}}identity"):
        if identity.get("category") == "server" and (name := identity.get("name")):
            return name
    return ""


def _version_name(answer: Element) -> str:
    return answer.findtext(f"{{{_VERSION}}}query/{{{_VERSION}}}name") or ""

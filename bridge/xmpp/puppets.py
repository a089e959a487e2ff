"""Knows the presences and subscriptions of puppets towards users (RFC 6121 §3, §4): gateway, networks,
contacts, and rooms in a roster."""

from __future__ import annotations

from collections.abc import Callable

from bridge.xmpp import escape
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.escape import attr
from bridge.xmpp.render import jid_attr

__all__ = ["PuppetPresences"]


class PuppetPresences:
    """What puppets show of themselves in rosters. `caps` gives the `<c/>` for a kind of puppet."""

    def __init__(
        self, write: Callable[[str], object], addresses: Addresses, caps: Callable[[str], str]
    ) -> None:
        self._write = write
        self._addresses = addresses
        self._caps = caps

    def presence(self, to: str, puppet: str, online: bool, away: bool = False, text: str = "") -> None:
        """A puppet is there, or is not."""
        status = f"<status>{escape.text(text)}</status>" if text else ""
        addresses = f"from='{jid_attr(puppet)}' to='{jid_attr(to)}'"
        if not online:
            self._write(f"<presence type='unavailable' {addresses}>{status}</presence>")
            return
        show = "<show>away</show>" if away else ""
        caps = self._caps(self._addresses.kind(puppet))
        self._write(f"<presence {addresses}>{show}{status}{caps}</presence>")

    def subscription(self, to: str, puppet: str, kind: str, stanza_id: str = "") -> None:
        """A step of subscribing, or a probe."""
        id_ = f" id='{attr(stanza_id)}'" if stanza_id else ""
        self._write(f"<presence type='{attr(kind)}' from='{jid_attr(puppet)}' to='{jid_attr(to)}'{id_}/>")

"""What one user's client sees over the time, also when it has to log in again: each text under which ids, and
what it is told of its own messages. It drops doubles by id, as chat clients do."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable

from slixmpp.xmlstream.stanzabase import StanzaBase

from tests.mail.town import GATEWAY
from tests.peers.xmpp_client import XmppClient, XmppServer

RSM = "http://jabber.org/protocol/rsm"
TEXT = "{urn:ietf:params:xml:ns:xmpp-stanzas}text"

MAILS = re.compile(r"(?P<text>^mail \d+$)|/(?P<file>file-\d+\.bin)$")


async def until(condition: Callable[[], object], seconds: float, what: Callable[[], object]) -> None:
    """Return when it holds. Raises AssertionError with what is missing."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"after {seconds} s: {what()}") from None


class Reader:
    """One account's only client. `named` finds in a message of the gateway's what it is (group `text`, or
    `file` in a URL)."""

    def __init__(
        self, server: XmppServer, name: str, gateway: str = GATEWAY, named: re.Pattern[str] = MAILS
    ) -> None:
        self._server, self._name = server, name
        self._gateway, self._named = gateway, named
        self.jid = server.jid(name)
        self.found: dict[str, set[str]] = defaultdict(set)
        """`mail 7` or `file-7.bin` -> the ids under which it came"""
        self.urls: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        """ids of own messages -> what was told of them"""
        self.told: list[str] = []
        """other texts from the gateway and its contacts"""
        self.client: XmppClient | None = None
        self._read = 0
        self._last = ""

    @property
    def online(self) -> XmppClient:
        """The client."""
        assert self.client is not None
        return self.client

    async def come(self) -> XmppClient:
        """Log in, always with the same resource."""
        client = XmppClient(f"{self.jid}/desk", self._server.password(self._name), self._server.c2s_port)
        client.client.register_plugin("xep_0199")
        await client.connect()
        self.client, self._read = client, 0
        return client

    async def go(self) -> None:
        """Log out, or find the connection broken."""
        client = self.client
        if client is not None:
            await client.disconnect()
            self.look()
            self.client = None

    def look(self) -> None:
        """Take in what came since the last time."""
        if self.client is not None:
            new = self.client.stanzas[self._read :]
            self._read += len(new)
            for stanza in new:
                self._take(stanza)

    async def read_archive(self) -> None:
        """Ask the server for what came since the last time (XEP-0313)."""
        while True:
            after = f"<after>{self._last}</after>" if self._last else ""
            page = f"<set xmlns='{RSM}'><max>250</max>{after}</set>"
            fin = await self.online.iq(None, f"<query xmlns='urn:xmpp:mam:2'>{page}</query>", "set", 30)
            self._last = fin.xml.findtext(f".//{{{RSM}}}last") or self._last
            if fin.xml[0].get("complete") == "true":
                self.look()
                return

    def _take(self, stanza: StanzaBase) -> None:
        if stanza.name != "message":
            return
        inner = stanza.xml.find(".//{urn:xmpp:forward:0}forwarded/{jabber:client}message")
        message = stanza.xml if inner is None else inner
        if not message.get("from", "").partition("/")[0].endswith(self._gateway):
            return
        id_, body = message.get("id", ""), message.findtext("{jabber:client}body") or ""
        if message.get("type") == "error":
            self.failed[id_] = message.findtext(f".//{TEXT}") or "(no text)"
            return
        name = self._named.search(body)
        if name is None:
            if inner is None and body:
                self.told.append(body)
            return
        file = name.groupdict().get("file")
        self.found[file or name["text"]].add(id_)
        if file:
            self.urls[file] = body

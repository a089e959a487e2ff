"""The people of a fence test: some on XMPP who get private messages, one on IRC who writes to all of them in
turn, and what each of them must find."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator

from slixmpp.xmlstream.stanzabase import StanzaBase

from tests.fence.tap import Tap, tapped
from tests.peers.bridge import DOMAIN, Bridge, BridgeSetup, network, running_bridge
from tests.peers.ejabberd import Ejabberd
from tests.peers.inspircd import Inspircd
from tests.peers.irc_client import IrcClient, irc_client
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import XmppClient, presence, statuses

MUC = "http://jabber.org/protocol/muc"
RSM = "http://jabber.org/protocol/rsm"
BURST = 20


class Person:
    """One account: what it was told, and what its clients found. A client that drops what it has by id looks
    at `found` alone; one that does not counts `shown`."""

    def __init__(self, server: Prosody | Ejabberd, name: str) -> None:
        self._server, self.name = server, name
        self.jid = server.jid(name)
        self.said: list[str] = []
        self.shown: Counter[str] = Counter()
        self.found: dict[str, str] = {}
        """id -> text, in the order in which they came first"""
        self.client: XmppClient | None = None
        self._last = ""
        self._archived: dict[str, str] = {}

    async def come(self) -> XmppClient:
        """Log in, always with the same resource."""
        client = XmppClient(f"{self.jid}/desk", self._server.password(self.name), self._server.c2s_port)
        client.client.register_plugin("xep_0199")
        await client.connect()
        self.client = client
        return client

    async def go(self) -> None:
        """Log out (or find the connection broken), and keep what was seen."""
        client, self.client = self.client, None
        if client is not None:
            await client.disconnect()
            for stanza in client.stanzas:
                self._take(stanza)

    async def read_archive(self) -> None:
        """Ask the server for what came since the last time (XEP-0313)."""
        assert self.client is not None
        while True:
            after = f"<after>{self._last}</after>" if self._last else ""
            page = f"<set xmlns='{RSM}'><max>250</max>{after}</set>"
            fin = await self.client.iq(None, f"<query xmlns='urn:xmpp:mam:2'>{page}</query>", "set", 30)
            self._last = fin.xml.findtext(f".//{{{RSM}}}last") or self._last
            if fin.xml[0].get("complete") == "true":
                return

    def _take(self, stanza: StanzaBase) -> None:
        if stanza.name != "message":
            return
        inner = stanza.xml.find(".//{urn:xmpp:forward:0}forwarded/{jabber:client}message")
        message = stanza.xml if inner is None else inner
        body = message.findtext("{jabber:client}body") or ""
        if not body.startswith("private "):
            return
        id_ = message.get("id", "")
        origin = message.find("{urn:xmpp:sid:0}origin-id")
        assert origin is not None
        assert origin.get("id") == id_
        if inner is None:
            self.shown[id_] += 1
            self.found.setdefault(id_, body)
        else:
            self._archived.setdefault(id_, body)

    def check(self) -> None:
        """Each message is there under one id, in the order in which it was said."""
        archived = list(self._archived.values())
        assert archived == self.said, f"{self.name}'s archive, doubles dropped by id"
        assert set(self.found.items()) <= set(self._archived.items())
        assert list(self.found.values()) == [text for text in self.said if text in set(self.found.values())]


class Town:
    """Everybody, the bridge and the tap before the server."""

    def __init__(self, server: Prosody | Ejabberd, bridge: Bridge, tap: Tap, speaker: IrcClient) -> None:
        self.server, self.bridge, self.tap, self.speaker = server, bridge, tap, speaker
        self.people = [Person(server, name) for name in server.setup.users]
        self.count = 0

    @property
    def said(self) -> int:
        """How many messages all were told."""
        return sum(len(person.said) for person in self.people)

    async def move_in(self) -> None:
        """Everybody joins a channel and keeps it, so that they stay on IRC while their clients are away."""
        await asyncio.gather(*map(self._move_in, self.people))

    async def _move_in(self, person: Person) -> None:
        room = f"#town%net@{DOMAIN}"
        client = await person.come()
        client.send(f"<presence to='{room}/{person.name}'><x xmlns='{MUC}'/></presence>")
        await client.wait(lambda s: presence(room)(s) and 110 in statuses(s), what="self-presence")
        await client.roster()
        client.send(f"<presence to='{room}' type='subscribe'/>")
        await client.wait(presence(room, "subscribed"))

    async def say(self, bursts: int) -> None:
        """So many bursts to all people in turn; returns when the IRC server has them."""
        for _ in range(bursts):
            for _ in range(BURST):
                person = self.people[self.count % len(self.people)]
                person.said.append(f"private {self.count} for {person.name}")
                self.speaker.say(person.name, person.said[-1])
                self.count += 1
            await self.speaker.sync()

    def kill(self) -> None:
        """End the server without a word, now; `server.kill` cleans up after it."""
        os.killpg(self.server.pid, signal.SIGKILL)

    async def all_fenced(self) -> None:
        """Return when the server surely has all that was said."""
        await self.tap.until(lambda: len(self.tap.fenced) >= self.said, f"{self.said} messages to be fenced")

    def online(self, *names: str) -> None:
        """Whose clients are there; on ejabberd they are the fence."""
        if isinstance(self.server, Ejabberd):
            self.tap.online = {person.jid for person in self.people if person.name in names}


@contextlib.asynccontextmanager
async def town(server: Prosody | Ejabberd, irc: Inspircd) -> AsyncIterator[Town]:
    """The bridge as a process between a server and a network, with the tap at its XMPP side."""
    async with tapped(server.host, server.component_port) as tap:
        setup = BridgeSetup(networks=network("net", irc.port))
        bridges = running_bridge(tap, setup)
        bridge = await asyncio.to_thread(bridges.__enter__)
        try:
            async with irc_client(irc.port, "speaker") as speaker:
                place = Town(server, bridge, tap, speaker)
                try:
                    yield place
                finally:
                    await asyncio.gather(*(person.go() for person in place.people))
        finally:
            await asyncio.to_thread(bridges.__exit__, None, None, None)

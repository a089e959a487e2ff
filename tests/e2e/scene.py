"""The people of one test: who is on XMPP, who is on IRC, and the room where they meet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from slixmpp.xmlstream.stanzabase import StanzaBase

from tests.peers.bridge import DOMAIN, Bridge
from tests.peers.ejabberd import Ejabberd
from tests.peers.inspircd import Inspircd
from tests.peers.irc_client import IrcClient, irc_client
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import XmppClient, presence, statuses

PASSWORD = "test-pw"
MUC = "http://jabber.org/protocol/muc"


class Scene:
    """Clients are closed at the end of the test. `n` makes nicks and channels unique."""

    def __init__(self, server: Prosody | Ejabberd, bridge: Bridge, irc: Inspircd, n: int) -> None:
        self.server, self.bridge, self.irc, self.n = server, bridge, irc, n
        self.channel = f"#room{n}"
        self.nick = f"alice{n}"
        self._stack = AsyncExitStack()
        self._users: set[str] = set()

    @property
    def room(self) -> str:
        return self.room_jid()

    def room_jid(self, channel: str | None = None, network: str = "tls") -> str:
        return f"{channel or self.channel}%{network}@{DOMAIN}"

    def puppet(self, nick: str, network: str = "tls") -> str:
        return f"{nick}%{network}@{DOMAIN}"

    async def on_irc(self, nick: str, channel: str | None = None) -> IrcClient:
        """Somebody on IRC, in the channel already."""
        client = await self._stack.enter_async_context(irc_client(self.irc.port, f"{nick}{self.n}"))
        await client.join(channel or self.channel)
        return client

    async def on_xmpp(self, user: str = "alice", resource: str = "r") -> XmppClient:
        """One of this test's own users, online with that resource."""
        name = f"{user}{self.n}"
        if name not in self._users:
            self._users.add(name)
            await asyncio.to_thread(self.server.add_user, name, PASSWORD)
        client = XmppClient(f"{self.server.jid(name)}/{resource}", PASSWORD, self.server.c2s_port)
        await client.connect()
        self._stack.push_async_callback(client.disconnect)
        return client

    def send_join(
        self, client: XmppClient, nick: str | None = None, room: str | None = None, inner: str = ""
    ) -> None:
        client.send(
            f"<presence to='{room or self.room}/{nick or self.nick}'><x xmlns='{MUC}'>{inner}</x></presence>"
        )

    async def join(
        self, client: XmppClient, nick: str | None = None, room: str | None = None, inner: str = ""
    ) -> StanzaBase:
        """Join, and wait for the subject that ends the sequence; returns the presence with status 110."""
        self.send_join(client, nick, room, inner)
        me = await client.wait(
            lambda s: presence(room or self.room)(s) and 110 in statuses(s), what="self-presence"
        )
        assert me.xml.get("type") is None, str(me)
        await client.wait(is_subject(room or self.room), what="the subject")
        return me

    async def leave(self, client: XmppClient, room: str | None = None, nick: str | None = None) -> StanzaBase:
        """Leave, and wait for the unavailable presence."""
        to = f"{room or self.room}/{nick or self.nick}"
        client.send(f"<presence to='{to}' type='unavailable'/>")
        return await client.wait(
            lambda s: presence(room or self.room, "unavailable")(s) and 110 in statuses(s),
            what="own departure",
        )

    async def close(self) -> None:
        """End all clients."""
        await self._stack.aclose()


async def names(client: IrcClient, channel: str) -> list[str]:
    """Who is in a channel, with their prefixes."""
    client.send(f"NAMES {channel}")
    found: list[str] = []
    while True:
        line = await client.wait_for(r" (353|366) ")
        if " 366 " in line:
            return found
        found += line.split(" :", 1)[1].split()


def is_subject(room: str):
    """The subject that ends a join."""
    return lambda s: (
        s.name == "message"
        and str(s["from"].bare) == room
        and s["type"] == "groupchat"
        and s.xml.find("{jabber:client}subject") is not None
        and s.xml.find("{jabber:client}body") is None
    )


async def until(fact: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Return once `fact()` is true, for what tells nobody that it has become so."""
    try:
        async with asyncio.timeout(seconds):
            while not fact():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited {seconds} s for {what}") from None


def occupants(client: XmppClient, room: str) -> set[str]:
    """Who is in a room by all the presences that came."""
    here: set[str] = set()
    for stanza in client.stanzas:
        if presence(room, "")(stanza):
            here.add(stanza["from"].resource)
        elif presence(room, "unavailable")(stanza):
            here.discard(stanza["from"].resource)
    return here


async def archive(client: XmppClient, room: str) -> list[str]:
    """Every message in a room's archive, page by page (XEP-0313)."""
    found: list[str] = []
    after = ""
    while True:
        rsm = f"<set xmlns='http://jabber.org/protocol/rsm'><max>100</max>{after}</set>"
        start = len(client.stanzas)
        fin = await client.iq(room, f"<query xmlns='urn:xmpp:mam:2'>{rsm}</query>", "set")
        assert fin["type"] == "result", str(fin)
        for stanza in client.stanzas[start:]:
            for result in stanza.xml.iter("{urn:xmpp:mam:2}result"):
                found += [body.text or "" for body in result.iter("{jabber:client}body")]
        if fin.xml[0].get("complete") == "true":
            return found
        after = f"<after>{fin.xml.findtext('.//{http://jabber.org/protocol/rsm}last')}</after>"

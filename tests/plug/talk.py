"""Knows how people talk both ways, in a room and in private, while something breaks, and what must have
become of what they said."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from slixmpp.xmlstream.stanzabase import StanzaBase

from tests.e2e.scene import Scene, is_subject, until
from tests.peers.bridge import Bridge
from tests.peers.irc_client import IrcClient
from tests.peers.xmpp_client import XmppClient, message, presence, statuses

LIMITS = "[limits]\nmessages_per_second = 1000.0\nmessage_burst = 10000\n"
"""For the bridge's configuration: what these tests say is not to be refused for being too much."""

PAUSE = 0.02
"""Seconds between two lines of one speaker: a load, not a flood."""

_newcomers = itertools.count(1)


class FromIrc:
    """Somebody on IRC who says numbered lines in the channel and to a user, unless `silent`, until told
    to stop."""

    def __init__(
        self, scene: Scene, speaker: IrcClient, nick: str, pause: float = 0.02, pad: int = 0
    ) -> None:
        self._scene, self._speaker, self._nick, self._pause = scene, speaker, nick, pause
        self._pad = "." * pad
        self._stopping = False
        self.silent = False
        self.room: list[str] = []
        self.direct: list[str] = []
        self._task = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        while not (self._stopping or self._speaker.closed):
            if not self.silent:
                self.say(self._scene.channel, self.room, "ir")
                if len(self.room) % 5 == 0:
                    self.say(self._nick, self.direct, "id")
            await asyncio.sleep(PAUSE)

    def say(self, target: str, said: list[str], mark: str) -> str:
        said.append(f"{mark} {len(said)} {self._pad}".rstrip())
        self._speaker.say(target, said[-1])
        return said[-1]

    def burst(self, lines: int) -> None:
        """So many lines in the channel at once."""
        for _ in range(lines):
            self.say(self._scene.channel, self.room, "ir")

    async def go_on(self, lines: int) -> None:
        """Return once so many more were said."""
        wanted = len(self.room) + lines
        await until(lambda: len(self.room) >= wanted or self._task.done(), "more talk on IRC")

    async def stop(self) -> None:
        self._stopping = True
        await self._task


class FromXmpp:
    """A user who says numbered lines in the room and to somebody on IRC, unless `silent`. `room`, `direct`:
    id -> text, in order."""

    def __init__(self, scene: Scene, speaker: XmppClient, contact: str, pause: float = PAUSE) -> None:
        self._scene, self._speaker, self._pause = scene, speaker, pause
        self._contact = contact
        self._stopping = False
        self.silent = False
        self.room: dict[str, str] = {}
        self.direct: dict[str, str] = {}
        self._task = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        while not (self._stopping or self._speaker.gone):
            if not self.silent:
                self.say(1)
            await asyncio.sleep(self._pause)

    def say(self, lines: int) -> None:
        """Say so many lines in the room, and one in five of them in private."""
        for _ in range(lines):
            text = f"xr {len(self.room)}"
            self.room[self._speaker.say(self._scene.room, text, "groupchat")] = text
            if len(self.room) % 5 == 0:
                text = f"xd {len(self.direct)}"
                self.direct[self._speaker.say(self._contact, text)] = text

    async def go_on(self, lines: int) -> None:
        """Return once so many more were said."""
        wanted = len(self.room) + lines
        await until(lambda: len(self.room) >= wanted or self._task.done(), "more talk on XMPP")

    async def stop(self) -> None:
        self._stopping = True
        await self._task


# ---- what became of it


def heard(clients: Iterable[IrcClient], mark: str) -> list[str]:
    """What IRC heard of a user, in order: `xr` in the channel, `xd` in private."""
    lines = (line for client in clients for line in client.lines if " PRIVMSG " in line)
    texts = (line.split(" :", 1)[1] for line in lines)
    return [text for text in texts if text.startswith(f"{mark} ")]


def failed(client: XmppClient) -> set[str]:
    """The ids of the messages that the user was told about: refused, or perhaps lost."""
    return {one["id"] for one in client.stanzas if one.name == "message" and one["type"] == "error"}


def reflected(client: XmppClient, room: str) -> list[str]:
    """The ids of the user's own messages as the room shows them."""
    own = (one for one in client.stanzas if body(one).startswith("xr "))
    return [one["id"] for one in own if message(room, kind="groupchat")(one)]


def untold(said: dict[str, str], client: XmppClient, heard_: list[str]) -> list[str]:
    """What IRC has not heard, and its sender was not told about."""
    here, told = set(heard_), failed(client)
    return [text for id_, text in said.items() if text not in here and id_ not in told]


def doubled(texts: Iterable[str]) -> list[str]:
    return [text for text, times in Counter(texts).items() if times > 1]


def number(text: str) -> int:
    return int(text.split()[1])


def in_order(texts: list[str]) -> bool:
    return all(number(first) < number(second) for first, second in itertools.pairwise(texts))


def received(client: XmppClient, sender: str, mark: str) -> list[str]:
    """What a client got from a room or a contact, each message once by its id."""
    texts = {
        one["id"]: body(one)
        for one in client.stanzas
        if body(one).startswith(f"{mark} ") and message(sender)(one) and one["type"] != "error"
    }
    return list(texts.values())


def body(stanza: StanzaBase) -> str:
    """The text, read without slixmpp's interfaces: some tests read many thousands."""
    return stanza.xml.findtext("{jabber:client}body") or ""


async def arrived(client: XmppClient, text: str, seconds: float = 30) -> None:
    """Return once a message with that text has come, now or before."""
    seen = 0

    def come() -> bool:
        nonlocal seen
        new, seen = client.stanzas[seen:], len(client.stanzas)
        return any(body(one) == text for one in new)

    await until(come, f"{text!r} to arrive", seconds)


def resident(bridge: Bridge) -> int:
    """The bridge's memory in MB."""
    lines = Path(f"/proc/{bridge.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1000


async def healthy(scene: Scene, irc: IrcClient) -> None:
    """A new user comes into the room, and talks with IRC both ways, in the room and in private."""
    name = f"new{next(_newcomers)}x"
    newcomer = await scene.on_xmpp(name)
    nick = f"{name}{scene.n}"
    scene.send_join(newcomer, nick)
    await newcomer.wait(
        lambda s: presence(scene.room, "")(s) and 110 in statuses(s), 30, "the newcomer's join"
    )
    await newcomer.wait(is_subject(scene.room), 30, "the subject")
    newcomer.say(scene.room, "hello room", "groupchat")
    await irc.wait_for(rf"^:{nick}!\S+ PRIVMSG {scene.channel} :hello room", 30)
    await newcomer.wait(message(scene.room, "hello room"), 30)
    irc.say(scene.channel, "welcome")
    await newcomer.wait(message(scene.room, "welcome"), 30)
    newcomer.say(scene.puppet(irc.nick), "hello you")
    await irc.wait_for(rf"^:{nick}!\S+ PRIVMSG {irc.nick} :hello you", 30)
    irc.say(nick, "hello yourself")
    await newcomer.wait(message(scene.puppet(irc.nick), "hello yourself"), 30)
    await scene.leave(newcomer, nick=nick)

"""Whatever people do, when it is over nothing of it is kept in memory: a leak of one small object for each
thing done shows here, whatever it is keyed by (a resource, a nick, a room, a contact: all new each time)."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path
from statistics import median

import pytest

from bench.ends import Catch, IrcConnection
from bench.programs import bridge
from bench.scenarios import enter
from bench.subject import Ground, Subject, running
from bench.work import CHANNEL, DOMAIN, NETWORK, ROOM, SERVER, contact, join_presence, user
from tests.e2e import small_memory

pytestmark = pytest.mark.heavy

TIMES = 200
"""How often each thing is done in a round."""
ROUNDS = 5
"""What is kept by mistake is kept in each: it is in the median of their growths."""
MANY = 20
LOOKS = 8
QUIET = 0.5
"""Less than one block for each thing done, where counts hardly differ: up to this the median is no leak."""
SECONDS = 60.0
HERE = user()
GONE = b"'110'"

_numbers = count()


def new(kind: str) -> str:
    """A name that nobody has had."""
    return f"{kind}{next(_numbers)}"


class Churn:
    """What can be done to a running bridge, `TIMES` times each."""

    def __init__(self, subject: Subject, blocks: Path) -> None:
        self.subject = subject
        self._blocks = blocks
        self._busy = 0

    @property
    def irc(self) -> IrcConnection:
        return self.subject.irc.connections["user0"]

    async def ask(self, stanzas: list[str], mark: bytes) -> None:
        """Send stanzas and wait for an answer to each."""
        catch = self.subject.xmpp.catch = Catch(mark, len(stanzas))
        self.subject.xmpp.write("".join(stanzas).encode())
        await self.subject.within(catch)

    async def hear(self, lines: list[str]) -> None:
        """The network says lines; they have been heard when what follows them is."""
        last = new("last")
        catch = self.subject.xmpp.catch = Catch(f"<body>{last}<".encode(), 1)
        lines = [*lines, f":person000!u@h PRIVMSG {CHANNEL} :{last}", ""]
        self.irc.write("\r\n".join(lines).encode())
        await self.subject.within(catch)

    async def at_rest(self) -> int:
        """The allocated blocks once all is done, and nothing is there that is forgotten in a moment."""
        async with asyncio.timeout(SECONDS):
            while (found := await self._look())[1] > self._busy:
                await asyncio.sleep(0.05)
        return found[0]

    async def begin(self) -> None:
        """Learn how much is always under way: the least of what is seen until that is seen again."""
        seen: list[int] = []
        while seen.count(min(seen, default=0)) < 5:
            seen.append((await self._look())[1])
        self._busy = min(seen)

    async def _look(self) -> tuple[int, int]:
        seen = len(self._lines())
        os.kill(self.subject.pid, signal.SIGUSR2)
        while len(self._lines()) == seen:
            await asyncio.sleep(0.01)
        blocks, busy = self._lines()[-1].split()
        return int(blocks), int(busy)

    def _lines(self) -> list[str]:
        return self._blocks.read_text().splitlines() if self._blocks.exists() else []


async def resources(churn: Churn) -> None:
    """Other resources of a user come and go."""
    jids = [f"user0@{SERVER}/{new('other')}" for _ in range(TIMES)]
    await churn.ask([join_presence(jid, "user0").decode() for jid in jids], b"<subject")
    await churn.ask([f"<presence type='unavailable' from='{jid}' to='{ROOM}/user0'/>" for jid in jids], GONE)


async def users(churn: Churn) -> None:
    """Users come, each with a connection to the network, and go."""
    nicks = [new("user") for _ in range(TIMES)]
    jids = {nick: f"{nick}@{SERVER}/r" for nick in nicks}
    await churn.ask([join_presence(jid, nick).decode() for nick, jid in jids.items()], b"<subject")
    away = [f"<presence type='unavailable' from='{jid}' to='{ROOM}/{nick}'/>" for nick, jid in jids.items()]
    await churn.ask(away, GONE)
    connections = churn.subject.irc.connections
    async with asyncio.timeout(SECONDS):
        for nick in nicks:
            transport = connections.pop(nick).transport
            while transport is not None and not transport.is_closing():
                await asyncio.sleep(0.01)


async def rooms(churn: Churn) -> None:
    """A user goes to channels and leaves them."""
    for _ in range(2):  # there is a limit of rooms for a user
        jids = [f"#{new('room')}%{NETWORK}@{DOMAIN}" for _ in range(TIMES // 2)]
        joins = [join_presence(HERE, "user0").decode().replace(ROOM, jid) for jid in jids]
        await churn.ask(joins, b"<subject")
        away = [f"<presence type='unavailable' from='{HERE}' to='{jid}/user0'/>" for jid in jids]
        await churn.ask(away, GONE)
        await churn.at_rest()  # who left is out when a ping was answered


async def nicks(churn: Churn) -> None:
    """Somebody has one nick after the other, and speaks with each."""
    lines, now = [], "person001"
    for _ in range(TIMES):
        before, now = now, new("nick")
        lines += [f":{before}!u@h NICK {now}", f":{now}!u@h PRIVMSG {CHANNEL} :me"]
    await churn.hear([*lines, f":{now}!u@h NICK person001"])


async def strangers(churn: Churn) -> None:
    """People come, get modes, speak, and part, quit, or are kicked."""
    ends = ["PART {0} :bye", "QUIT :bye"]
    lines = []
    for number in range(TIMES):
        nick = new("guest")
        come = [f":{nick}!u@h JOIN {CHANNEL}", f":irc.bench MODE {CHANNEL} +o {nick}"]
        lines += [*come, f":{nick}!u@h AWAY :x", f":{nick}!u@h PRIVMSG {CHANNEL} :hello"]
        if number % 3 < 2:
            lines.append(f":{nick}!u@h {ends[number % 3].format(CHANNEL)}")
        else:
            lines.append(f":person000!u@h KICK {CHANNEL} {nick} :out")
    await churn.hear(lines)


async def private(churn: Churn) -> None:
    """Private messages from and to people who were never heard of."""
    catch = churn.subject.xmpp.catch = Catch(b"</message>", TIMES)
    lines = [f":{new('from')}!u@h PRIVMSG user0 :psst\r\n" for _ in range(TIMES)]
    churn.irc.write("".join(lines).encode())
    await churn.subject.within(catch)
    said = churn.subject.irc.said = Catch(b"\r\n", TIMES)
    for _ in range(TIMES):
        words = f"type='chat' from='{HERE}' to='{contact(new('to'))}' id='{new('m')}'"
        churn.subject.xmpp.write(f"<message {words}><body>x</body></message>".encode())
    await churn.subject.within(said)


async def said(churn: Churn) -> None:
    """The user speaks in the room."""
    start = f"<message type='groupchat' from='{HERE}' to='{ROOM}' id='"
    await churn.ask([f"{start}{new('m')}'><body>x</body></message>" for _ in range(TIMES)], b"</message>")


async def requests(churn: Churn) -> None:
    """Pings, disco and vCards of strangers, archive pages, the forms of commands."""
    kinds = [
        ("get", "{room}/user0", "<ping xmlns='urn:xmpp:ping'/>"),
        ("get", "{other}", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
        ("get", "{other}", "<vCard xmlns='vcard-temp'/>"),
        ("set", "{room}", "<query xmlns='urn:xmpp:mam:2' queryid='{other}'>"
         "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set></query>"),
        ("set", DOMAIN, "<command xmlns='http://jabber.org/protocol/commands' node='register'/>"),
    ]  # fmt: skip
    for kind, to, payload in kinds:
        names = {"room": ROOM}
        for at in range(0, TIMES, 40):  # no more at once are allowed
            stanzas = []
            for _ in range(min(40, TIMES - at)):
                names["other"] = contact(new("of"))
                words = f"type='{kind}' id='{new('q')}' from='{HERE}' to='{to.format(**names)}'"
                stanzas.append(f"<iq {words}>{payload.format(**names)}</iq>")
            await churn.ask(stanzas, b"</iq>" if "ping" not in payload else b"<iq type='result'")


@pytest.fixture
async def churn(tmp_path: Path) -> AsyncIterator[Churn]:
    """A bridge with small memories, and one user in the room."""
    blocks = tmp_path / "blocks"
    plain = bridge()

    def words(ground: Ground) -> list[str]:
        python, _, _, *arguments = plain.words(ground)
        return [python, "-m", small_memory.__name__, *arguments]

    program = replace(plain, words=words, environment=lambda: {**plain.environment(), "BLOCKS": str(blocks)})
    async with running(program, archive=True) as subject:
        await enter(subject, [HERE])
        churn = Churn(subject, blocks)
        await churn.begin()
        yield churn


KINDS = {
    nicks: QUIET,
    said: QUIET,
    requests: QUIET,
    resources: 2.0,
    strangers: 6.0,
    users: 12.0,
    rooms: 12.0,
    private: 12.0,
}
"""With the blocks for each that are no leak. Where the database works, counts go up and down by thousands. (A
session that is kept has 240 blocks, a room 35, a stored message 20.)"""


async def test_nothing_is_kept(churn: Churn) -> None:
    found = {kind.__name__: await growth(churn, kind, most) for kind, most in KINDS.items()}
    kept = [f"{name}: {text}" for name, text in found.items() if text]
    assert not kept, "\n".join(kept)


async def growth(churn: Churn, kind: Callable[[Churn], Awaitable[None]], most: float) -> str:
    """What is said of a kind that leaks; "" for others.

    Counts go up and down by themselves. What looks like a leak after a few rounds is looked at for many: then
    the least of the last ones is above the least of the first ones by what was kept, and by little else."""
    await kind(churn)  # what is made once
    looks = [await churn.at_rest()]
    await _go_on(churn, kind, looks, ROUNDS)
    if median(after - before for before, after in pairwise(looks)) <= most * TIMES:
        return ""
    await _go_on(churn, kind, looks, MANY)
    grown = min(looks[-LOOKS:]) - min(looks[:LOOKS])
    times = (len(looks) - LOOKS) * TIMES
    return f"{grown} blocks after {times} times; {looks}" if grown > most * times else ""


async def _go_on(
    churn: Churn, kind: Callable[[Churn], Awaitable[None]], looks: list[int], rounds: int
) -> None:
    for _ in range(rounds):
        await kind(churn)
        looks.append(await churn.at_rest())

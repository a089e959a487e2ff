"""People on IRC in a soak: raw connections, and the witness, who sees each room as the server orders it."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable

from bench.soak_ledger import Ledger, number_of, person_of

CHANNEL = "#soak"
PATIENCE = 90.0
"""Seconds after which something that must come counts as not coming, also on a busy machine."""


class Stuck(AssertionError):
    """What must come did not."""


def channel(room: int) -> str:
    """A room's name on IRC."""
    return f"{CHANNEL}{room}"


async def until(fact: Callable[[], object], what: str | Callable[[], str]) -> None:
    """Return once `fact()` is true. Raises Stuck, with `what` was waited for."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not fact():
                await asyncio.sleep(0.02)
    except TimeoutError:
        told = what if isinstance(what, str) else what()
        raise Stuck(f"waited {PATIENCE:g} s for {told}") from None


class IrcPerson(asyncio.Protocol):
    """One connection. `wait` gives the next line that matches; private messages go to the ledger."""

    def __init__(self, ledger: Ledger, person: str, nick: str) -> None:
        self.ledger = ledger
        self.person = person
        self.nick = nick
        self.closed = False
        self.private: list[int] = []
        self._rest = b""
        self._wanted: deque[tuple[re.Pattern[str], asyncio.Future[str]]] = deque()
        self._transport: asyncio.Transport | None = None

    async def connect(self, port: int) -> None:
        """Connect and register."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", port)
        welcome = self.expect(r" (376|422) ")
        self.send(f"NICK {self.nick}", f"USER {self.person} 0 * :{self.person}")
        await self.got(welcome, "the welcome")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.closed = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for raw in lines:
            line = raw.decode()
            if line.startswith("PING"):
                self.send("PONG" + line[4:])
            self.take(line)
            for entry in tuple(self._wanted):
                if entry[0].search(line):
                    self._wanted.remove(entry)
                    if not entry[1].done():
                        entry[1].set_result(line)

    def take(self, line: str) -> None:
        """A line came."""
        words = line.split(" ", 3)
        if len(words) == 4 and words[1] == "PRIVMSG" and words[2] == self.nick:
            number = self._number(words[3][1:])
            if number is not None:
                self.private.append(number)
                self.ledger.received[number] += 1

    def _number(self, text: str) -> int | None:
        try:
            return number_of(text)
        except ValueError as error:
            self.ledger.complain(str(error))
            return None

    def send(self, *lines: str) -> None:
        """Send lines."""
        if self._transport is not None:
            self._transport.write("".join(f"{line}\r\n" for line in lines).encode())

    def expect(self, pattern: str) -> asyncio.Future[str]:
        """The next line that matches, from now on."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._wanted.append((re.compile(pattern), future))
        return future

    async def got(self, future: asyncio.Future[str], what: str) -> str:
        """What was expected. Raises Stuck."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await future
        except TimeoutError:
            raise Stuck(f"{self.nick} waited {PATIENCE:g} s for {what}") from None

    async def ask(self, line: str, pattern: str) -> str:
        """Send a line and wait for its answer."""
        answer = self.expect(pattern)
        self.send(line)
        return await self.got(answer, f"the answer to {line}")

    async def join(self, room: int) -> None:
        """Join a room."""
        await self.ask(f"JOIN {channel(room)}", rf" 366 \S+ {channel(room)} ")

    async def close(self) -> None:
        """QUIT, and wait for the end."""
        self.send("QUIT :bye")
        await until(lambda: self.closed, f"the end of {self.nick}'s connection")


class Witness(IrcPerson):
    """Is in every room, first and as its operator, and writes down what happens there."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger, "witness", "witness")
        self._handlers: dict[str, Callable[[str, str, str], None]] = {
            "PRIVMSG": self._on_privmsg, "JOIN": self._on_join, "PART": self._on_part, "KICK": self._on_kick,
            "QUIT": self._on_quit, "TOPIC": self._on_topic,
        }  # fmt: skip

    async def prepare(self) -> None:
        """Be an operator in all rooms, where everybody may set the topic."""
        await self.ask("OPER root root", r" 381 ")
        for room in range(len(self.ledger.rooms)):
            await self.join(room)
            self.send(f"MODE {channel(room)} -t")

    def take(self, line: str) -> None:
        """A line came."""
        words = line.split(" ", 3)
        if len(words) < 3 or words[0][:1] != ":":
            return
        person = person_of(words[0][1:].partition("!")[0])
        handler = self._handlers.get(words[1])
        if handler is not None:
            handler(person, words[2].removeprefix(":"), words[3] if len(words) > 3 else "")

    def _on_privmsg(self, person: str, target: str, rest: str) -> None:
        number = self._number(rest[1:])
        if number is None or not target.startswith(CHANNEL):
            return
        log = self.ledger.rooms[int(target.removeprefix(CHANNEL))]
        if self.ledger.by[number] != person:
            self.ledger.complain(f"message {number} of {self.ledger.by[number]} was said by {person}")
        log.said(number)

    def _on_join(self, person: str, target: str, rest: str) -> None:
        if person:
            self.ledger.rooms[int(target.removeprefix(CHANNEL))].came(person)

    def _on_part(self, person: str, target: str, rest: str) -> None:
        self.ledger.rooms[int(target.removeprefix(CHANNEL))].went(person, "PART")

    def _on_kick(self, person: str, target: str, rest: str) -> None:
        kicked = person_of(rest.partition(" ")[0])
        self.ledger.rooms[int(target.removeprefix(CHANNEL))].went(kicked, "KICK")

    def _on_quit(self, person: str, target: str, rest: str) -> None:
        for log in self.ledger.rooms:
            log.went(person, "QUIT")

    def _on_topic(self, person: str, target: str, rest: str) -> None:
        self.ledger.rooms[int(target.removeprefix(CHANNEL))].topics.append(rest[1:])

    async def users(self) -> int:
        """How many connections the server has."""
        line = await self.ask("LUSERS", r" 255 ")
        return int(re.search(r"I have (\d+) clients", line)[1])  # type: ignore[index]

"""The two ends of the bench: a raw XEP-0114 server and a raw IRC server, that blast prepared bytes and
collect what comes.

They are no servers: they know just what a gateway and the floor need to start working. While the clock runs
they only count, so that they are not what is measured; what came is checked when the clock has stopped
(`bench.check`).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from typing import cast

from bench.work import DOMAIN, SERVER, person

_IQ = re.compile(rb"<iq\b[^<>]*/>|<iq\b.*?</iq>", re.DOTALL)
_ATTRIBUTE = re.compile(rb"""\s(id|from|to|type)=(['"])(.*?)\2""")
_ERROR = re.compile(rb"""<(?:message|presence)\b[^<>]*\stype=['"]error['"].*""", re.DOTALL)
_CHUNK = 1 << 18
_SHOWN = 400
PATIENCE = 60.0
"""Seconds without a single message, or a single read, before a run counts as lost."""


class WrongCount(Exception):
    """What came out is not what went in."""


def attributes(stanza: bytes) -> dict[str, str]:
    """`id`, `from`, `to` and `type` of a stanza's start tag."""
    start = stanza[: stanza.index(b">")]
    return {name.decode(): value.decode() for name, _, value in _ATTRIBUTE.findall(start)}


class Catch:
    """What an end has read since it was made: `reads`, each with its time (`perf_counter`). `done` is set,
    and `finished` the time, once `mark` has been seen `count` times, in whatever pieces it came."""

    def __init__(self, mark: bytes, count: int) -> None:
        self.reads: list[tuple[float, bytes]] = []
        self.seen = 0
        self.finished = 0.0
        self.done = asyncio.Event()
        self._mark = mark
        self._count = count
        self._seam = b""

    def take(self, data: bytes) -> None:
        """A read."""
        now = time.perf_counter()
        self.reads.append((now, data))
        short = len(self._mark) - 1
        self.seen += data.count(self._mark) + (self._seam + data[:short]).count(self._mark)
        self._seam = data[-short:] if len(data) >= short else (self._seam + data)[-short:]
        if self.seen >= self._count and not self.done.is_set():
            self.finished = now
            self.done.set()

    def data(self) -> bytes:
        """All that was read."""
        return b"".join([data for _, data in self.reads])


class End(asyncio.Protocol):
    """What both ends share: a connection that is written to with back-pressure."""

    def __init__(self, failed: asyncio.Future[None]) -> None:
        self.transport: asyncio.Transport | None = None
        self.failed = failed
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Take what came; a complaint ends the run."""
        try:
            self.take(data)
        except Exception as error:  # noqa: BLE001 - it is told where the run waits
            if not self.failed.done():
                self.failed.set_exception(error)

    def take(self, data: bytes) -> None:
        """What an end does with what it reads."""
        raise NotImplementedError

    def connection_lost(self, reason: Exception | None) -> None:
        self._writable.set()

    def write(self, data: bytes) -> None:
        """Send bytes to the process under test. Raises WrongCount if it has gone."""
        if self.transport is None or self.transport.is_closing():
            raise WrongCount(f"{type(self).__name__} has no connection")
        self.transport.write(data)

    async def writable(self) -> None:
        """Wait until what was written has been taken. Raises WrongCount if nobody reads."""
        if not self._writable.is_set():
            try:
                await asyncio.wait_for(self._writable.wait(), PATIENCE)
            except TimeoutError:
                raise WrongCount(f"{type(self).__name__}: nothing was read for {PATIENCE:g} s") from None

    async def blast(self, data: bytes) -> None:
        """Send much, as fast as it is read. Raises WrongCount if it is not."""
        for at in range(0, len(data), _CHUNK):
            self.write(data[at : at + _CHUNK])
            await self.writable()


class XmppEnd(End):
    """The XMPP server: accepts any secret, and answers requests with an empty result. `catch`, if there is
    one, gets all that is read; an error stanza meanwhile is a complaint."""

    def __init__(self, failed: asyncio.Future[None]) -> None:
        super().__init__(failed)
        self.accepted = asyncio.Event()
        self.catch: Catch | None = None
        self._rest = b""
        self._answers: dict[str, asyncio.Future[bytes]] = {}

    def take(self, data: bytes) -> None:
        if not self.accepted.is_set():
            self._rest = self._handshake(self._rest + data)
            return
        if self.catch is not None:
            self.catch.take(data)
            if b"'error'" in data or b'"error"' in data:
                _complain(data)
        self._requests(self._rest + data)

    async def request(self, sender: str, to: str, kind: str, payload: str) -> bytes:
        """Ask the process under test something, as one of the users; its answer, whatever it says."""
        name = f"ask{len(self._answers)}"
        self._answers[name] = asyncio.get_running_loop().create_future()
        self.write(f"<iq type='{kind}' id='{name}' from='{sender}' to='{to}'>{payload}</iq>".encode())
        return await self._answers[name]

    def _handshake(self, data: bytes) -> bytes:
        if b"</handshake>" in data:
            self.write(b"<handshake/>")
            self.accepted.set()
            return data.partition(b"</handshake>")[2]
        if b"<stream:stream" in data and b"<handshake" not in data:
            self.write(
                b"<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
                b"xmlns:stream='http://etherx.jabber.org/streams' id='bench' " + f"from='{DOMAIN}'>".encode()
            )
            return b""
        return data

    def _requests(self, data: bytes) -> None:
        """Find the requests and answers in what came; the rest is not looked at."""
        at = data.find(b"<iq")
        end = 0
        while at >= 0:
            match = _IQ.match(data, at)
            if match is None:
                self._rest = data[at:]
                return
            self._iq(match[0])
            end = match.end()
            at = data.find(b"<iq", end)
        self._rest = data[end:][-2:]

    def _iq(self, iq: bytes) -> None:
        about = attributes(iq)
        if about["type"] in ("get", "set"):
            sender = about.get("to", SERVER)
            result = f"<iq type='result' id='{about['id']}' from='{sender}' to='{about['from']}'/>"
            self.write(result.encode())
        elif about["id"] in self._answers and not self._answers[about["id"]].done():
            self._answers[about["id"]].set_result(iq)


def _complain(data: bytes) -> None:
    if error := _ERROR.search(data):
        raise WrongCount(f"an error came: {error[0][:_SHOWN].decode(errors='replace')}")


class IrcConnection(End):
    """One user's connection to the IRC server."""

    def __init__(self, server: IrcEnd) -> None:
        super().__init__(server.failed)
        self._server = server
        self._rest = b""
        self.nick = ""

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        said = [line for line in lines if line.startswith(b"PRIVMSG ")]
        if said:
            self._server.said.take(b"\r\n".join([*said, b""]))
        if len(said) < len(lines):
            for line in lines:
                if not line.startswith(b"PRIVMSG "):
                    self._command(line.decode())

    def _command(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "CAP" and rest.startswith("LS"):
            self._say("CAP * LS :")
        elif word == "NICK":
            self.nick = rest.removeprefix(":")
        elif word == "USER":
            self._welcome()
        elif word == "PING":
            self.write(f":irc.bench PONG irc.bench :{rest.removeprefix(':')}\r\n".encode())
        elif word == "JOIN":
            self._joined(rest.split(" ")[0].removeprefix(":"))
        elif word == "PART":
            self.write(f":{self.nick}!u@host.bench PART {rest.split(' ')[0].removeprefix(':')}\r\n".encode())
        elif word == "QUIT" and self.transport is not None:
            self.transport.close()
        elif word == "WHO":
            self._numeric("315", f"{rest.split(' ')[0]} :End of WHO")
        elif word == "MODE":
            self._numeric("324", f"{rest.split(' ')[0]} +nt")

    def _welcome(self) -> None:
        self._numeric("001", f":Welcome {self.nick}")
        self._numeric("005", "CHANTYPES=# PREFIX=(ov)@+ CHANMODES=b,k,l,imnpst NICKLEN=30 :are supported")
        self._numeric("422", ":No MOTD")
        self._server.connections[self.nick] = self

    def _joined(self, channel: str) -> None:
        lines = [f":{self.nick}!u@host.bench JOIN {channel}"]
        names = [self.nick, *self._server.others]
        for at in range(0, len(names), 30):
            lines.append(f":irc.bench 353 {self.nick} = {channel} :{' '.join(names[at : at + 30])}")
        lines.append(f":irc.bench 366 {self.nick} {channel} :End of /NAMES list.")
        self.write("".join(f"{line}\r\n" for line in lines).encode())

    def _numeric(self, number: str, text: str) -> None:
        self._say(f"{number} {self.nick} {text}")

    def _say(self, text: str) -> None:
        self.write(f":irc.bench {text}\r\n".encode())


class IrcEnd:
    """The IRC server: anybody may come, and each channel has `others` in it. `said` gets each PRIVMSG,
    line by line; `connections` has who is here, by nick."""

    def __init__(self, others: int, failed: asyncio.Future[None]) -> None:
        self.failed = failed
        self.others = [person(number) for number in range(others)]
        self.connections: dict[str, IrcConnection] = {}
        self.said = Catch(b"\r\n", 1)

    def connection(self) -> IrcConnection:
        """For `loop.create_server`."""
        return IrcConnection(self)

    async def blast(self, parts: Iterable[bytes]) -> None:
        """Send each part to everybody who is connected, before the next part."""
        for part in parts:
            for connection in self.connections.values():
                connection.write(part)
                await connection.writable()
            await asyncio.sleep(0)

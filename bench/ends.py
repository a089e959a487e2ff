"""The two ends of the bench: a raw XEP-0114 server and a raw IRC server, that blast prepared bytes.

They are no servers: they know just what the bridge and the floor need to start working.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

DOMAIN = "irc.bench.test"
SERVER = "bench.test"
NETWORK = "net"
CHANNEL = "#bench"
ROOM = f"{CHANNEL}%{NETWORK}@{DOMAIN}"

_STANZA = re.compile(rb"<(message|presence|iq)\b[^<>]*/>|<(message|presence|iq)\b.*?</\2>", re.DOTALL)
_ATTRIBUTE = re.compile(rb"""\s(id|from|to|type)=(['"])(.*?)\2""")
_CHUNK = 1 << 18


def attributes(stanza: bytes) -> dict[str, str]:
    """`id`, `from`, `to` and `type` of a stanza's start tag."""
    start = stanza[: stanza.index(b">")]
    return {name.decode(): value.decode() for name, _, value in _ATTRIBUTE.findall(start)}


class End(asyncio.Protocol):
    """What both ends share: one listening port, writing with back-pressure, and `closed`."""

    def __init__(self, failed: asyncio.Future[None]) -> None:
        self.transport: asyncio.Transport | None = None
        self.failed = failed
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Take what came; a complaint of whoever counts ends the run."""
        try:
            self.take(data)
        except Exception as error:  # noqa: BLE001 - it is told where the run waits
            if not self.failed.done():
                self.failed.set_exception(error)

    def take(self, data: bytes) -> None:
        """What an end does with what it reads."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Send bytes to the process under test."""
        if self.transport is None:
            raise ConnectionError(f"{type(self).__name__} has no connection")
        self.transport.write(data)

    async def blast(self, data: bytes) -> None:
        """Send much, as fast as it is read."""
        for at in range(0, len(data), _CHUNK):
            self.write(data[at : at + _CHUNK])
            await self._writable.wait()


class XmppEnd(End):
    """The XMPP server: accepts any secret, answers the bridge's requests with an empty result, and hands each
    message and presence to `on_stanza(kind, bytes)`."""

    def __init__(self, failed: asyncio.Future[None]) -> None:
        super().__init__(failed)
        self.accepted = asyncio.Event()
        self.on_stanza: Callable[[bytes, bytes], None] = lambda kind, stanza: None
        self._rest = b""

    def take(self, data: bytes) -> None:
        data = self._rest + data
        if not self.accepted.is_set():
            self._rest = self._handshake(data)
            return
        end = 0
        for match in _STANZA.finditer(data):
            end = match.end()
            kind = match[1] or match[2]
            if kind == b"iq":
                self._answer(match[0])
            else:
                self.on_stanza(kind, match[0])
        self._rest = data[end:]

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

    def _answer(self, iq: bytes) -> None:
        about = attributes(iq)
        if about["type"] in ("get", "set"):
            sender = about.get("to", SERVER)
            result = f"<iq type='result' id='{about['id']}' from='{sender}' to='{about['from']}'/>"
            self.write(result.encode())


class IrcConnection(End):
    """One user's connection to the IRC server."""

    def __init__(self, server: IrcEnd) -> None:
        super().__init__(server.failed)
        self._server = server
        self._rest = b""
        self.nick = ""

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            if line.startswith(b"PRIVMSG "):
                self._server.on_line(line)
            else:
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
        others = self._server.others
        names = [self.nick, *others]
        for at in range(0, len(names), 30):
            lines.append(f":irc.bench 353 {self.nick} = {channel} :{' '.join(names[at : at + 30])}")
        lines.append(f":irc.bench 366 {self.nick} {channel} :End of /NAMES list.")
        self.write("".join(f"{line}\r\n" for line in lines).encode())

    def _numeric(self, number: str, text: str) -> None:
        self._say(f"{number} {self.nick} {text}")

    def _say(self, text: str) -> None:
        self.write(f":irc.bench {text}\r\n".encode())


class IrcEnd:
    """The IRC server: anybody may come, and each channel has `others` in it. `on_line` gets each PRIVMSG,
    `connections` has who is here, by nick."""

    def __init__(self, others: int, failed: asyncio.Future[None]) -> None:
        self.failed = failed
        self.others = [f"person{number:03}" for number in range(others)]
        self.connections: dict[str, IrcConnection] = {}
        self.on_line: Callable[[bytes], None] = lambda line: None

    def connection(self) -> IrcConnection:
        """For `loop.create_server`."""
        return IrcConnection(self)

"""The floor: the least that Python must do for the work of the bench, in one process and one channel.

It splits lines, escapes text, renders a line that reached several users once, writes once per loop tick, and
keeps messages by executemany into SQLite: those of the channel if there is an archive, direct ones always and
before they go on. It checks nothing, has no other commands and no limits; a gateway does more.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import sys
from functools import partial
from typing import cast

from bench.work import CHANNEL, DOMAIN, NETWORK, ROOM, bare

_ROW = "INSERT INTO kept VALUES (?, ?, ?, ?)"
_GROUP_SECONDS = 0.02
_MOST_RENDERED = 1000


class Kept:
    """The rows not yet written; one transaction for all that came within 20 ms. What must not go on before
    it is on disk waits with them."""

    def __init__(self, file: str) -> None:
        self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute("CREATE TABLE kept (id INTEGER, user TEXT, sender TEXT, body TEXT)")
        self._rows: list[tuple[int, str, str, str]] = []
        self._waiting: list[tuple[asyncio.Transport, str]] = []
        self._writing = False

    def add(self, number: int, user: str, sender: str, body: str) -> None:
        """Keep a message."""
        self._rows.append((number, user, sender, body))
        if not self._writing:
            self._writing = True
            asyncio.get_running_loop().call_later(_GROUP_SECONDS, self._begin)

    def then(self, transport: asyncio.Transport, text: str) -> None:
        """Send `text` when all that was added before is on disk."""
        self._waiting.append((transport, text))

    def _begin(self) -> None:
        rows, self._rows = self._rows, []
        waiting, self._waiting = self._waiting, []
        done = asyncio.get_running_loop().run_in_executor(None, self._write, rows)
        done.add_done_callback(partial(self._end, waiting))

    def _write(self, rows: list[tuple[int, str, str, str]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(_ROW, rows)
        self._database.execute("COMMIT")

    def _end(self, waiting: list[tuple[asyncio.Transport, str]], _: object) -> None:
        for transport, text in waiting:
            transport.write(text.encode())
        self._writing = bool(self._rows)
        if self._writing:
            self._begin()


class Account:
    """A user: their resources, their connection to IRC, who is in the channel."""

    def __init__(self, user: str, nick: str) -> None:
        self.user = user
        self.nick = nick
        self.resources: list[str] = []
        self.names: list[str] = []
        self.irc: asyncio.Transport

    def entered(self, resource: str) -> str:
        """What a resource is shown that entered the room."""
        others = "".join([
            f"<presence from='{ROOM}/{name}' to='{resource}'><x xmlns='http://jabber.org/protocol/muc#user'>"
            f"<item affiliation='none' role='participant'/></x></presence>"
            for name in self.names if name != self.nick
        ])  # fmt: skip
        return (
            f"{others}<presence from='{ROOM}/{self.nick}' to='{resource}'>"
            f"<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/>"
            f"<status code='110'/></x></presence>"
            f"<message type='groupchat' from='{ROOM}' to='{resource}'><subject></subject></message>"
        )


class Floor:
    """What the protocols share."""

    def __init__(self, file: str, archive: bool, irc_port: int) -> None:
        self.kept = Kept(file)
        self.archive = archive
        self.irc_port = irc_port
        self.xmpp: asyncio.Transport
        self.accounts: dict[str, Account] = {}
        self.connecting: set[asyncio.Task[object]] = set()
        self.numbers = itertools.count(1)

    def said(self, nick: str, body: str, stanza_id: str = "") -> tuple[str, str, int]:
        """A message of somebody in the room, but for the recipient in its middle, and its number."""
        number = next(self.numbers)
        return (
            f"<message type='groupchat' from='{ROOM}/{nick}' id='{stanza_id or number}' to='",
            f"'><body>{_escaped(body)}</body>"
            f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='{number}'/></message>",
            number,
        )

    def keep(self, number: int, account: Account, nick: str, body: str) -> None:
        """Keep a message of the room, if there is an archive."""
        if self.archive:
            self.kept.add(number, account.user, nick, body)


def _escaped(body: str) -> str:
    if "&" in body or "<" in body or ">" in body:
        return body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return body


class Irc(asyncio.Protocol):
    """A user's connection to IRC."""

    rendered: dict[str, tuple[str, str, str, str, int]] = {}  # noqa: RUF012 - shared by all on purpose

    def __init__(self, floor: Floor, account: Account) -> None:
        self._floor = floor
        self._account = account
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._account.irc = cast(asyncio.Transport, transport)
        self._account.irc.write(f"NICK {self._account.nick}\r\nUSER u 0 * :u\r\nJOIN {CHANNEL}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        whole, newline, self._rest = (self._rest + data).rpartition(b"\r\n")
        lines = whole.decode().split("\r\n") if newline else []
        floor, account, rendered = self._floor, self._account, self.rendered
        out = []
        shared = len(floor.accounts) > 1
        for line in lines:
            found = rendered.get(line) if shared else None
            if found is None:
                prefix, verb, target, text = [*line.split(" ", 3), "", "", ""][:4]
                if verb != "PRIVMSG" or target != CHANNEL:
                    self._other(prefix, verb, text)
                    continue
                nick = prefix[1 : prefix.index("!")]
                found = nick, text[1:], *floor.said(nick, text[1:])
                if shared:
                    if len(rendered) == _MOST_RENDERED:
                        rendered.clear()
                    rendered[line] = found
            nick, body, before, after, number = found
            floor.keep(number, account, nick, body)
            for resource in account.resources:
                out.append(f"{before}{resource}{after}")
        if out:
            floor.xmpp.write("".join(out).encode())

    def _other(self, prefix: str, verb: str, text: str) -> None:
        floor, account = self._floor, self._account
        if verb == "PRIVMSG":
            nick, number, body = prefix[1 : prefix.index("!")], next(floor.numbers), text[1:]
            floor.kept.add(number, account.user, nick, body)
            floor.kept.then(
                floor.xmpp,
                f"<message type='chat' from='{nick}%{NETWORK}@{DOMAIN}' id='{number}' to='{account.user}'>"
                f"<body>{_escaped(body)}</body></message>",
            )
        elif verb == "353":
            account.names += text.partition(":")[2].split(" ")
        elif verb == "366":
            floor.xmpp.write("".join(map(account.entered, account.resources)).encode())


class Xmpp(asyncio.Protocol):
    """The XMPP end of the floor; it reads stanzas as the bench writes them, and nothing else."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._floor.xmpp = cast(asyncio.Transport, transport)
        header = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='x' to='" + DOMAIN + "'>"
        self._floor.xmpp.write(header.encode())

    def data_received(self, data: bytes) -> None:
        data = (self._rest + data).removeprefix(b"<handshake/>")
        if data.startswith(b"<?xml"):
            self._floor.xmpp.write(b"<handshake>x</handshake>")
            return
        end = b"</presence>" if data.startswith(b"<presence") else b"</message>"
        whole, found, self._rest = data.rpartition(end)
        stanzas = whole.decode().split(end.decode()) if found else []
        if end == b"</message>":
            self._messages(stanzas)
        for stanza in stanzas if end == b"</presence>" else ():
            self._join(stanza)

    def _messages(self, stanzas: list[str]) -> None:
        floor, lines, out = self._floor, [], []
        for stanza in stanzas:
            start, _, rest = stanza.partition(">")
            body = rest.removeprefix("<body>").removesuffix("</body>")
            if "&" in body:
                body = body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
            account = floor.accounts[bare(start.partition(" from='")[2].partition("'")[0])]
            if start.startswith("<message type='chat'"):
                nick = start.partition(" to='")[2].partition("%")[0]
                floor.kept.add(next(floor.numbers), account.user, nick, body)
                floor.kept.then(account.irc, f"PRIVMSG {nick} :{body}\r\n")
                continue
            lines.append(f"PRIVMSG {CHANNEL} :{body}\r\n")
            stanza_id = start.partition(" id='")[2].partition("'")[0]
            before, after, number = floor.said(account.nick, body, stanza_id)
            floor.keep(number, account, account.nick, body)
            for resource in account.resources:
                out.append(f"{before}{resource}{after}")
        if lines:
            account.irc.write("".join(lines).encode())
            floor.xmpp.write("".join(out).encode())

    def _join(self, stanza: str) -> None:
        floor = self._floor
        resource = stanza.partition(" from='")[2].partition("'")[0]
        account = floor.accounts.get(bare(resource))
        if account is None:
            nick = stanza.partition(" to='")[2].partition("'")[0].partition("/")[2]
            account = floor.accounts[bare(resource)] = Account(bare(resource), nick)
            loop = asyncio.get_running_loop()
            connecting = loop.create_connection(partial(Irc, floor, account), "127.0.0.1", floor.irc_port)
            floor.connecting.add(loop.create_task(connecting))
        account.resources.append(resource)
        if account.names:
            floor.xmpp.write(account.entered(resource).encode())


async def main(xmpp_port: int, irc_port: int, file: str, archive: str) -> None:
    """Until it is killed."""
    floor = Floor(file, archive == "true", irc_port)
    await asyncio.get_running_loop().create_connection(partial(Xmpp, floor), "127.0.0.1", xmpp_port)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))

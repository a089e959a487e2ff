"""The floor: the least that Python must do for the work of the bench, in one process and one channel.

It splits lines, escapes text, writes once per loop tick and, if it is given a file, keeps each message by
executemany into SQLite. It checks nothing and knows one user; a bridge does more.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import sys

from bench.ends import CHANNEL, DOMAIN, ROOM

_ROW = "INSERT INTO kept VALUES (?, ?, ?)"


class Kept:
    """The rows not yet written; one transaction for all that came within 20 ms."""

    def __init__(self, file: str) -> None:
        self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, sender TEXT, body TEXT)")
        self._rows: list[tuple[int, str, str]] = []
        self._writing = False

    def add(self, number: int, sender: str, body: str) -> None:
        """Keep a message."""
        self._rows.append((number, sender, body))
        if not self._writing:
            self._writing = True
            asyncio.get_running_loop().call_later(0.02, self._begin)

    def _begin(self) -> None:
        rows, self._rows = self._rows, []
        done = asyncio.get_running_loop().run_in_executor(None, self._write, rows)
        done.add_done_callback(self._end)

    def _write(self, rows: list[tuple[int, str, str]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(_ROW, rows)
        self._database.execute("COMMIT")

    def _end(self, _: object) -> None:
        self._writing = bool(self._rows)
        if self._writing:
            self._begin()


class Both:
    """What the two protocols share."""

    def __init__(self, kept: Kept | None, irc_port: int) -> None:
        self.kept = kept
        self.irc_port = irc_port
        self.xmpp: asyncio.Transport
        self.irc: asyncio.Transport
        self.users: list[str] = []
        self.nick = ""
        self.numbers = itertools.count(1)

    def stanzas(self, nick: str, body: str, stanza_id: str = "") -> str:
        """A message of somebody in the room, for each resource."""
        number = next(self.numbers)
        if self.kept is not None:
            self.kept.add(number, nick, body)
        if "&" in body or "<" in body or ">" in body:
            body = body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        before = f"<message type='groupchat' from='{ROOM}/{nick}' id='{stanza_id or number}' to='"
        after = (
            f"'><body>{body}</body><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='{number}'/></message>"
        )
        return "".join([f"{before}{user}{after}" for user in self.users])


class Irc(asyncio.Protocol):
    """The IRC end of the floor."""

    def __init__(self, both: Both) -> None:
        self._both = both
        self._rest = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._both.irc = transport
        transport.write(f"NICK {self._both.nick}\r\nUSER u 0 * :u\r\nJOIN {CHANNEL}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data.decode()).split("\r\n")
        out = []
        for line in lines:
            prefix, verb, _, text = [*line.split(" ", 3), "", "", ""][:4]
            if verb == "PRIVMSG":
                out.append(self._both.stanzas(prefix[1 : prefix.index("!")], text[1:]))
            elif verb == "366":
                out += [_entered(user, self._both.nick) for user in self._both.users]
        self._both.xmpp.write("".join(out).encode())


def _entered(user: str, nick: str) -> str:
    return (
        f"<presence from='{ROOM}/{nick}' to='{user}'><x xmlns='http://jabber.org/protocol/muc#user'>"
        f"<status code='110'/></x></presence>"
        f"<message type='groupchat' from='{ROOM}' to='{user}'><subject></subject></message>"
    )


class Xmpp(asyncio.Protocol):
    """The XMPP end of the floor; it reads stanzas as the bench writes them, and nothing else."""

    def __init__(self, both: Both) -> None:
        self._both = both
        self._rest = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._both.xmpp = transport
        header = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='x' to='" + DOMAIN + "'>"
        transport.write(header.encode())

    def data_received(self, data: bytes) -> None:
        text = self._rest + data.decode()
        if text.startswith("<?xml"):
            self._both.xmpp.write(b"<handshake>x</handshake>")
            return
        *stanzas, self._rest = text.split("</message>")
        if self._rest.endswith("</presence>"):
            self._join(self._rest)
            self._rest = ""
        lines, out, both = [], [], self._both
        for stanza in stanzas:
            body = stanza.partition("<body>")[2].partition("</body>")[0]
            stanza_id = stanza.partition(" id='")[2].partition("'")[0]
            if "&" in body:
                body = body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
            lines.append(f"PRIVMSG {CHANNEL} :{body}\r\n")
            out.append(both.stanzas(both.nick, body, stanza_id))
        if lines:
            both.irc.write("".join(lines).encode())
            both.xmpp.write("".join(out).encode())

    def _join(self, stanzas: str) -> None:
        both = self._both
        for stanza in stanzas.split("</presence>")[:-1]:
            user = stanza.partition(" from='")[2].partition("'")[0]
            both.users.append(user)
            if not both.nick:
                both.nick = stanza.partition(" to='")[2].partition("'")[0].partition("/")[2]
                connecting = asyncio.get_running_loop().create_connection(
                    lambda: Irc(both), "127.0.0.1", both.irc_port
                )
                asyncio.get_running_loop().create_task(connecting)
            else:
                both.xmpp.write(_entered(user, both.nick).encode())


async def main(xmpp_port: int, irc_port: int, kept: str) -> None:
    """Until it is killed."""
    both = Both(Kept(kept) if kept else None, irc_port)
    await asyncio.get_running_loop().create_connection(lambda: Xmpp(both), "127.0.0.1", xmpp_port)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))

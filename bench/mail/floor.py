"""The floor for mail: aiosmtpd and Python's email package, and nothing else, in one process.

A mail that comes in is parsed, its text kept in SQLite, and written as a stanza, before it is acknowledged. A
message becomes a mail and goes to the smarthost over one connection, by aiosmtplib. No quotes are looked for,
no HTML, no files, nothing is tried again, and a mail that takes long to parse holds up all others."""

from __future__ import annotations

import asyncio
import itertools
import sys
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from functools import partial
from html import escape, unescape
from typing import cast

import aiosmtplib
from aiosmtpd.smtp import SMTP, Envelope, Session

from bench.floor import Kept
from bench.mail.ends import OWN
from bench.work import DOMAIN, bare, user


class Floor:
    """What both directions share."""

    def __init__(self, file: str, smarthost_port: int) -> None:
        self.kept = Kept(file)
        self.numbers = itertools.count(1)
        self.xmpp: asyncio.Transport
        self.messages: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._port = smarthost_port

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """A mail came."""
        mail = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        part = mail.get_body(("plain",))
        body = str(part.get_content()).rstrip() if part is not None else ""
        sender = str(envelope.mail_from).replace("@", "\\40")
        self.kept.add(next(self.numbers), OWN, sender, body)
        self.xmpp.write(
            f"<message type='chat' from='{sender}@{DOMAIN}' to='{bare(user())}' id='{next(self.numbers)}'>"
            f"<subject>{escape(str(mail['Subject']))}</subject><body>{escape(body)}</body></message>".encode()
        )
        return "250 2.0.0 taken"

    async def send(self) -> None:
        """Mails to the smarthost, one after the other."""
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self._port, start_tls=False)
        await client.connect()
        while True:
            to, body = await self.messages.get()
            mail = EmailMessage(policy=policy.SMTP)
            mail["From"], mail["To"], mail["Subject"] = OWN, to, body[:40]
            mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="bench.example")
            mail.set_content(body)
            self.kept.add(next(self.numbers), OWN, to, body)
            await client.sendmail(OWN, [to], bytes(mail))


class Xmpp(asyncio.Protocol):
    """The XMPP end; it reads messages as the bench writes them, answers requests, and nothing else."""

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
        elif data.startswith(b"<iq"):
            name = data.partition(b" id='")[2].partition(b"'")[0]
            self._floor.xmpp.write(b"<iq type='result' id='" + name + b"'/>")
        else:
            whole, _, self._rest = data.rpartition(b"</message>")
            for stanza in whole.decode().split("</message>") if whole else ():
                start, _, body = stanza.partition("><body>")
                to = start.partition(" to='")[2].partition("@")[0].replace("%", "@")
                self._floor.messages.put_nowait((to, unescape(body.removesuffix("</body>"))))


async def main(xmpp_port: int, smarthost_port: int, listen_port: int, file: str) -> None:
    """Until it is killed."""
    floor = Floor(file, smarthost_port)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: SMTP(floor, loop=loop, hostname="floor"), "127.0.0.1", listen_port)
    await loop.create_connection(partial(Xmpp, floor), "127.0.0.1", xmpp_port)
    await floor.send()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))

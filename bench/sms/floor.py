"""The floor for texts: aiosmpplib as it comes, and nothing else, in one process.

What comes becomes a stanza, a message becomes a submit_sm, a receipt finds its message in the library's own
memory. Nothing is stored, nothing is tried again, and a text is acknowledged before anybody has it. Only what
the library does for all messages at each one is left out: it looks for those that nobody has answered."""

from __future__ import annotations

import asyncio
import itertools
import sys
from functools import partial
from html import escape, unescape
from typing import cast

from aiosmpplib import ESME, NPI, TON, PhoneNumber, SubmitSm
from aiosmpplib.broker import SimpleBroker
from aiosmpplib.correlator import SimpleCorrelator
from aiosmpplib.hook import AbstractHook
from aiosmpplib.log import WARNING
from aiosmpplib.protocol import DeliverSm, SmppMessage

from bench.work import DOMAIN, SERVER
from tests.peers.smsc import PASSWORD, SYSTEM_ID

_FIRST = 1_000_000
_MANY = 1_000_000


class Correlator(SimpleCorrelator):  # type: ignore[misc]
    """As it comes, but that it does not look through all that it has."""

    async def _remove_expired(self) -> None:
        pass


class Hook(AbstractHook):  # type: ignore[misc]
    """Writes a stanza for each text, and for each receipt."""

    def __init__(self) -> None:
        self.xmpp: asyncio.Transport
        self._ids = itertools.count(1)

    async def received(self, message: SmppMessage | None, pdu: bytes, client_id: str) -> None:
        """A PDU came."""
        if not isinstance(message, DeliverSm):
            return
        user = f"user{int(message.destination.number[4:]) - _FIRST}@{SERVER}"
        puppet = f"+{message.source.number}@{DOMAIN}"
        head = f"<message type='chat' from='{puppet}' to='{user}' id='{next(self._ids)}'>"
        if message.is_receipt():
            said = f"<received xmlns='urn:xmpp:receipts' id='{message.log_id}'/>"
        else:
            said = f"<body>{escape(message.short_message)}</body>"
        self.xmpp.write(f"{head}{said}</message>".encode())

    async def sending(self, message: SmppMessage, pdu: bytes, client_id: str) -> None:
        """A PDU goes."""

    async def send_error(self, message: SmppMessage, error: Exception, client_id: str) -> None:
        """A PDU does not go."""
        raise error


class Xmpp(asyncio.Protocol):
    """The XMPP end; it reads messages as the bench writes them, and nothing else."""

    def __init__(self, hook: Hook, texts: asyncio.Queue[SmppMessage]) -> None:
        self._hook = hook
        self._texts = texts
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._hook.xmpp = cast(asyncio.Transport, transport)
        header = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='x' to='" + DOMAIN + "'>"
        self._hook.xmpp.write(header.encode())

    def data_received(self, data: bytes) -> None:
        data = (self._rest + data).removeprefix(b"<handshake/>")
        if data.startswith(b"<?xml"):
            self._hook.xmpp.write(b"<handshake>x</handshake>")
            return
        whole, _, self._rest = data.rpartition(b"</message>")
        for stanza in whole.decode().split("</message>") if whole else ():
            self._texts.put_nowait(_text(stanza))


def _text(stanza: str) -> SubmitSm:
    start, _, rest = stanza.partition("><body>")
    sender = int(start.partition(" from='user")[2].partition("@")[0])
    to = start.partition(" to='+")[2].partition("@")[0]
    return SubmitSm(
        log_id=start.partition(" id='")[2].partition("'")[0],
        short_message=unescape(rest.partition("</body>")[0]),
        source=PhoneNumber(f"1555{_FIRST + sender}", TON.INTERNATIONAL, NPI.ISDN),
        destination=PhoneNumber(to, TON.INTERNATIONAL, NPI.ISDN),
    )


async def main(xmpp_port: int, smsc_port: int) -> None:
    """Until it is killed."""
    hook, broker = Hook(), SimpleBroker(_MANY)
    await asyncio.get_running_loop().create_connection(
        partial(Xmpp, hook, broker.queue), "127.0.0.1", xmpp_port
    )
    esme = ESME(
        "127.0.0.1", smsc_port, SYSTEM_ID, PASSWORD,
        hook=hook, broker=broker, correlator=Correlator(SYSTEM_ID), log_level=WARNING,
    )  # fmt: skip
    await esme.start()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))

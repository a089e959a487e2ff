"""One link to an SMSC, from the bind to its end: what came by it is answered by it, and by no other."""

from __future__ import annotations

import asyncio
import secrets
from asyncio import StreamWriter
from typing import Protocol

from aiosmpplib import PduHeader

from backends.sms.smpp.framing import RESPONSE, write_frame


class Link:
    """`name` is another for each link, also after a restart."""

    def __init__(self, writer: StreamWriter) -> None:
        self.name = secrets.token_hex(4)
        self._writer = writer
        self._over = asyncio.Event()

    @property
    def over(self) -> bool:
        """Nothing can be written any more."""
        return self._over.is_set()

    def end(self) -> None:
        """It is over."""
        self._over.set()

    async def ended(self) -> None:
        """Return when it is over."""
        await self._over.wait()

    async def answer(self, command: int, sequence: int, status: int) -> bool:
        """Write the response to a request, with an empty message_id, and wait until it is on its way. False:
        the link is over."""
        if self.over or self._writer.is_closing():
            return False
        self._writer.write(write_frame(command | RESPONSE, status, sequence, b"\0"))
        try:
            await self._writer.drain()
        except OSError:
            return False
        return not self.over


class Listener(Protocol):
    """Who hears of the link."""

    def link_up(self, link: Link) -> None:
        """There is one."""

    def link_down(self) -> None:
        """There is none any more."""

    async def delivery(self, link: Link, pdu: bytes, header: PduHeader) -> None:
        """A deliver_sm or data_sm. Nothing more is read until this returns."""

"""One link to an SMSC, from the bind to its end: what came by it is answered by it, and by no other."""

from __future__ import annotations

import asyncio
import secrets
from asyncio import StreamWriter

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
        if self.over:
            return False
        self._writer.write(write_frame(command | RESPONSE, status, sequence, b"\0"))
        try:
            await self._writer.drain()
        except OSError:
            return False
        return not self.over

"""Knows how a mail's octets get from the connection into its file: in pieces, each on disk before the next is
read."""

from __future__ import annotations

import asyncio
import logging

from backends.email.smtp.dots import Unstuffer
from backends.email.smtp.inbound import LOOP, NO_ROOM, TOO_BIG, Answer
from backends.email.smtp.spool import Spool
from backends.email.smtp.trace import LoopWatch

log = logging.getLogger(__name__)

READ = 1024 * 1024
"""More than a reader ever holds: so that it is empty after a read, and what came after the mail can be put
back."""

_PATIENCE = 4
"""A client that goes on for as many times the size limit is not heard to the end."""


class TooMuch(Exception):
    """The client sends without an end."""


class Intake:
    """Takes one mail in: `run`, once, after 354 was sent."""

    def __init__(self, spool: Spool, watch: LoopWatch, size_limit: int, block_seconds: float) -> None:
        self._spool = spool
        self._watch = watch
        self._size_limit = size_limit
        self._block_seconds = block_seconds
        self._refusal: Answer | None = None
        self.size = 0
        """Octets of the mail so far."""

    async def begin(self, headers: bytes) -> None:
        """Put headers on top."""
        await self._write(headers)

    async def run(self, reader: asyncio.StreamReader) -> Answer | None:
        """Read to the mail's end. None: it is all in the spool. An answer says why it is not, and the mail
        was read over. Raises `TimeoutError` when nothing comes, `TooMuch`, and `ConnectionResetError` when
        the client is gone."""
        unstuffer = Unstuffer()
        while not unstuffer.finished:
            async with asyncio.timeout(self._block_seconds):
                piece = await reader.read(READ)
            if not piece:
                raise ConnectionResetError("the client hung up in the middle of a mail")
            mail, rest = unstuffer.feed(piece)
            if rest and not reader.at_eof():
                reader.feed_data(rest)
            await self._keep(mail)
        if self._refusal is None and self._watch.loop:
            return LOOP
        return self._refusal

    async def _keep(self, mail: bytes) -> None:
        self.size += len(mail)
        if self.size > self._size_limit:
            self._refusal = self._refusal or TOO_BIG
            if self.size > _PATIENCE * self._size_limit:
                raise TooMuch
        if self._refusal is not None:
            return
        self._watch.feed(mail)
        await self._write(mail)

    async def _write(self, data: bytes) -> None:
        try:
            await self._spool.write(data)
        except OSError:
            log.exception("a mail that comes in cannot be written")
            self._refusal = NO_ROOM

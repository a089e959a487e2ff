"""Knows how rendered stanzas leave: gathered, written once per loop tick, in order, within a bound."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

__all__ = ["Output"]

log = logging.getLogger(__name__)

_FLUSH_AT = 64 * 1024
_HIGH_WATER = 1024 * 1024
_STUCK_SECONDS = 10.0
"""A server that has taken too little for so long is worth a line in the log."""


class Output:
    """What waits to be written to one transport, or to none while the stream is down.

    `limit` bounds the bytes held here and in the transport together; above it `overflow` is called,
    once per transport, and must get rid of that transport. `name` is whose output it is, for the log.
    """

    def __init__(self, limit: int, overflow: Callable[[], None], name: str = "") -> None:
        self._limit = limit
        self._name = name
        self._overflow = overflow
        self._transport: asyncio.WriteTransport | None = None
        self._texts: list[str] = []
        self._size = 0
        self._scheduled = False
        self._free: asyncio.Future[None] | None = None
        self._stuck: asyncio.TimerHandle | None = None

    @property
    def up(self) -> bool:
        """Whether what is written now has a chance to get to the server."""
        return self._transport is not None

    @property
    def congested(self) -> bool:
        """Whether the server reads more slowly than we write (about 1 MiB is waiting)."""
        return self._free is not None

    @property
    def size(self) -> int:
        """How much waits, here and in the transport, in bytes (characters for what is not encoded yet)."""
        return self._size + (self._transport.get_write_buffer_size() if self._transport else 0)

    def attach(self, transport: asyncio.WriteTransport) -> None:
        """From now on write to this one."""
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._transport = transport

    def detach(self) -> None:
        """Forget the transport and all that still waits; whoever waits in `drain` goes on."""
        self._transport = None
        self._texts.clear()
        self._size = 0
        self.resume()

    def write(self, text: str) -> bool:
        """Send rendered XML, in order; False, and nothing is kept, while the stream is down."""
        if self._transport is None:
            return False
        self._texts.append(text)
        self._size += len(text)
        if self._size >= _FLUSH_AT:
            self.flush()
        elif not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._tick)
        return True

    def flush(self) -> None:
        """Hand all that waits to the transport now."""
        if self._transport is None or not self._texts:
            return
        joined = "".join(self._texts)
        self._texts.clear()
        self._size = 0
        self._transport.write(_encoded(joined))
        if self._transport.get_write_buffer_size() > self._limit:
            self._overflow()

    def pause(self) -> None:
        """The transport has too much (asyncio's pause_writing)."""
        if self._free is None:
            loop = asyncio.get_running_loop()
            self._free = loop.create_future()
            self._stuck = loop.call_later(_STUCK_SECONDS, self._report_stuck)

    def resume(self) -> None:
        """The transport has room again."""
        if self._free is not None:
            self._free.set_result(None)
            self._free = None
            if self._stuck is None:
                log.warning("%s: the XMPP server reads again, or its stream is over", self._name)
            else:
                self._stuck.cancel()
                self._stuck = None

    def _report_stuck(self) -> None:
        self._stuck = None
        log.warning(
            "%s: the XMPP server does not read what it is sent: the networks are held back", self._name
        )

    async def drain(self) -> None:
        """Wait while congested; returns as well when the stream breaks, so look at `up` afterwards."""
        while self._free is not None:
            await asyncio.shield(self._free)

    def _tick(self) -> None:
        self._scheduled = False
        self.flush()


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Someone rendered without `escape`; one bad character must not lose the others' stanzas.
        log.error("a lone surrogate in rendered XML was replaced", stack_info=True)
        return text.encode("utf-8", "replace")

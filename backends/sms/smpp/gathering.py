"""Knows how a link is written to cheaply: what goes out in one step of the event loop goes in one piece."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import AbstractEventLoop, StreamReader, StreamReaderProtocol, StreamWriter, Transport


class GatheringWriter(StreamWriter):
    """Holds back what is written until the loop has done what is ready now: where a group of texts is stored
    at once, or many go out, the answer to each would cost a packet. Closed, it still writes what it holds."""

    def __init__(
        self,
        transport: Transport,
        protocol: StreamReaderProtocol,
        reader: StreamReader,
        loop: AbstractEventLoop,
    ) -> None:
        super().__init__(transport, protocol, reader, loop)
        self._later = loop.call_soon
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:  # type: ignore[override]
        """See StreamWriter."""
        if not self._held:
            self._later(self._release)
        self._held.append(data)

    def close(self) -> None:
        """See StreamWriter."""
        self._release()
        super().close()

    def _release(self) -> None:
        held, self._held = self._held, []
        if held and not self.transport.is_closing():
            self.transport.write(b"".join(held))


async def open_gathering(
    host: str, port: int, context: ssl.SSLContext | None, server_hostname: str | None
) -> tuple[StreamReader, StreamWriter]:
    """As `asyncio.open_connection`, with a writer that gathers."""
    loop = asyncio.get_running_loop()
    reader = StreamReader(loop=loop)
    protocol = StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.create_connection(
        lambda: protocol, host, port, ssl=context, server_hostname=server_hostname
    )
    return reader, GatheringWriter(transport, protocol, reader, loop)

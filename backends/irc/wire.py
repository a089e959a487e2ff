"""Knows bytes on an IRC connection: lines in, in whole chunks, and lines out, one write per loop turn.

Built on the `irc` package's connection and protocol, with everything replaced that a server or a user could
abuse: lines are bounded and decoded leniently, a line that fails costs only itself, and what goes out cannot
hold a line break. The package's reactor, scheduler, buffer and parser are not used.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
import traceback
from typing import Protocol

from irc.client_aio import AioConnection, IrcProtocol
from irc.connection import AioFactory

from backends.irc.parser import one_line

_log = logging.getLogger(__name__)

LONGEST_IN = 16 * 1024
"""Bytes of one line from a server: 8191 of tags and 512 of message are the protocol's own limits."""


_PIECE = 16 * 1024
"""So much is split into lines at once: the lines of 256 KiB fall out of the processor's cache before their
turn comes."""

_PATIENCE = 0.5
"""Seconds for a server to agree that a connection has ended."""


class Receiver(Protocol):
    """Who gets what comes in."""

    def receive(self, text: str) -> None:
        """One line, without its end."""

    def chunk_comes(self) -> bool:
        """Lines came at once. False: they are kept until `Wire.resume`."""

    def chunk_done(self) -> None:
        """All lines that came at once have been received."""

    def writable(self) -> None:
        """The server, which was slow, takes lines again."""

    def lost(self, error: Exception | None) -> None:
        """The connection is gone."""


class _Nobody:
    """Who is told once a connection is over. A wire that kept its session, which keeps the wire, would stay
    with it until the garbage collector looks for such rings, and that is rarely."""

    def receive(self, text: str) -> None:
        """See `Receiver`."""

    def chunk_comes(self) -> bool:
        """See `Receiver`."""
        return True

    def chunk_done(self) -> None:
        """See `Receiver`."""

    def writable(self) -> None:
        """See `Receiver`."""

    def lost(self, error: Exception | None) -> None:
        """See `Receiver`."""


_NOBODY = _Nobody()


class _Loop:
    """What the package's connection asks of a reactor."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop


class _WireProtocol(IrcProtocol):  # type: ignore[misc] # the package has no types
    """Passes the end of a connection and the transport's pace on, where the package writes to a dead one."""

    connection: Wire

    def connection_lost(self, exc: Exception | None) -> None:
        self.connection.ended(exc)

    def pause_writing(self) -> None:
        self.connection.writable = False

    def resume_writing(self) -> None:
        self.connection.can_write()


class Wire(AioConnection):  # type: ignore[misc] # the package has no types
    """One connection to a server. `writable` is true while the server takes what we write."""

    protocol_class = _WireProtocol
    transport: asyncio.Transport | None = None

    def __init__(self, receiver: Receiver, encoding: str) -> None:
        super().__init__(_Loop(asyncio.get_running_loop()))
        self.writable = True
        self.longest_out = 510
        self._receiver = receiver
        self._encoding = encoding
        self._rest = b""
        self._kept = b""
        self._paused = False
        self._skipping = False
        self._out: list[bytes] = []
        self._over = asyncio.Event()

    async def connect(self, host: str, port: int, tls: ssl.SSLContext | None, name: str) -> None:
        """Open the connection to an address literal; `name` is what the certificate must be for.
        Raises `OSError` (of which `ssl.SSLError` is one)."""
        factory = AioFactory(ssl=tls, server_hostname=name if tls else None)
        try:
            self.transport, _ = await factory(self.protocol_class(self, self.reactor.loop), (host, port))
            if self.transport.is_closing():
                raise ConnectionResetError(errno.ECONNRESET, "closed at once")
            self.connected = True
        finally:
            if not self.connected:
                self._receiver = _NOBODY

    def process_data(self, new_data: bytes) -> None:
        """Hand each whole line on, unless all that comes is to be kept for now."""
        if self._paused or not self._receiver.chunk_comes():
            self._kept += new_data
        else:
            for at in range(0, len(new_data), _PIECE):
                self._take(new_data[at : at + _PIECE])
            self._receiver.chunk_done()

    def _take(self, new_data: bytes) -> None:
        """Keep what is not whole yet, up to a limit."""
        end = new_data.rfind(b"\n")
        if end < 0:
            self._keep(self._rest + new_data)
        else:
            chunk = self._rest + new_data[:end] if self._rest else new_data[:end]
            if self._skipping:
                chunk = chunk[chunk.find(b"\n") + 1 :] if b"\n" in chunk else b""
                self._skipping = False
            self._rest = b""
            self._keep(new_data[end + 1 :])
            self._lines(chunk)

    def _keep(self, rest: bytes) -> None:
        if self._skipping or len(rest) > LONGEST_IN:
            if not self._skipping:
                _log.warning("a server sent a line of more than %d bytes: left out", LONGEST_IN)
            self._skipping, self._rest = True, b""
        else:
            self._rest = rest

    def _lines(self, chunk: bytes) -> None:
        chunk = chunk.removesuffix(b"\r").replace(b"\r\n", b"\n")
        try:
            lines = chunk.decode("utf-8").split("\n")
        except UnicodeDecodeError:
            lines = [self._decode(line) for line in chunk.split(b"\n")]
        if len(chunk) > LONGEST_IN and max(map(len, lines)) > LONGEST_IN:
            lines = [line for line in lines if len(line) <= LONGEST_IN]
        receive = self._receiver.receive
        for line in lines:
            if line:
                try:
                    receive(line)
                except Exception as error:  # noqa: BLE001 - any bug here may cost one line, not the connection
                    _report(error)

    def _decode(self, line: bytes) -> str:
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            return line.decode(self._encoding, "replace")

    def send_raw(self, string: str) -> None:
        """Write one line, whatever is in `string`: line ends in it become blanks, and it is cut to the
        protocol's length between characters. Without a connection it goes nowhere."""
        if "\n" in string or "\r" in string or "\0" in string:
            string = one_line(string)
        raw = string.encode("utf-8", "replace")
        if len(raw) > self.longest_out:
            raw = raw[: self.longest_out].decode("utf-8", "ignore").encode()
        self._out.append(raw + b"\r\n")
        if len(self._out) == 1:
            self.reactor.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Give what was written to the transport now.

        As single lines: with TLS each becomes a record of its own. Some servers (ngIRCd) forget the end of a
        record that is longer than their buffer until more comes.
        """
        out, self._out = self._out, []
        if out and self.transport is not None and not self.transport.is_closing():
            self.transport.writelines(out)

    def can_write(self) -> None:
        """The server takes more again."""
        self.writable = True
        self._receiver.writable()

    def pause(self) -> None:
        """Stop reading."""
        self._paused = True
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        """Go on with what is kept, then read again: unless we are to stop once more."""
        self._paused = False
        kept, self._kept = self._kept, b""
        if kept:
            self.process_data(kept)
        if not self._paused and self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def disconnect(self, message: str = "") -> None:
        """Hang up, after what was written (unlike the package's, it says nothing by itself)."""
        self.flush()
        if self.transport is not None:
            self.transport.close()

    async def hang_up(self) -> None:
        """Hang up, and wait until it is done; a server that does not want to let go is left standing."""
        self.disconnect()
        if self.transport is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._over.wait()
        except TimeoutError:
            self.transport.abort()
            await self._over.wait()

    def ended(self, error: Exception | None) -> None:
        """The transport's word that it is over."""
        self._over.set()
        if self.connected:
            self.connected = False
            self._take(self._kept)
            self._kept = b""
            self._receiver.lost(error)
            self._receiver = _NOBODY


def _report(error: Exception) -> None:
    """Log where a line failed, but not the line, nor a text that may quote it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    _log.error(
        "a line from a server was left out: %s at %s:%d", type(error).__name__, frame.filename, frame.lineno
    )

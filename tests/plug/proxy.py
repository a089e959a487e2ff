"""Knows how a TCP connection fails without a word: a proxy that stops forwarding and closes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

from tests.peers.daemon import free_port

_BUFFER = 64 * 1024
"""Bytes that the kernel takes for the proxy: a small window, as of a peer that does not read."""


class _Pipe:
    """One connection: two directions, each with a gate that may be shut."""

    def __init__(self) -> None:
        self.towards_server = asyncio.Event()
        self.towards_client = asyncio.Event()
        self.towards_server.set()
        self.towards_client.set()
        self.dead = False
        self.writers: list[asyncio.StreamWriter] = []

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        """Forward until one side closes; the other is closed then, unless the wire is dead."""
        self.writers.append(writer)
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port, limit=_BUFFER)
        except OSError:
            writer.close()
            return
        self.writers.append(server_writer)
        await asyncio.gather(
            self._pump(reader, server_writer, self.towards_server),
            self._pump(server_reader, writer, self.towards_client),
        )

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await gate.wait()
                data = await reader.read(_BUFFER)
                await gate.wait()
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        if not self.dead:
            writer.close()

    def close(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class TcpProxy:
    """Forwards a port of its own to another, in a thread. What it does to a wire holds for the connections
    that are open then; new ones are good."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._pipes: list[_Pipe] = []
        self._dead: list[_Pipe] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        self._thread.start()
        self._call(self._listen())

    def stop(self) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def stop_reading(self) -> None:
        """The servers take no bytes any more, and still send."""
        self._call(self._gate("towards_server", open_=False))

    def read_again(self) -> None:
        self._call(self._gate("towards_server", open_=True))

    def go_dead(self) -> None:
        """Nothing arrives on either side any more, and neither side is told, whatever the other does."""
        self._call(self._kill_wires())

    def end_the_dead(self) -> None:
        """The servers notice, as they do at last."""
        self._call(self._close_dead())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        listener.bind(("127.0.0.1", self.port))
        self._server = await asyncio.start_server(self._accept, sock=listener, limit=_BUFFER)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pipe = _Pipe()
        self._pipes.append(pipe)
        try:
            await pipe.run(reader, writer, self._target)
        finally:
            if pipe in self._pipes:
                self._pipes.remove(pipe)

    async def _gate(self, name: str, open_: bool) -> None:
        for pipe in self._pipes:
            gate: asyncio.Event = getattr(pipe, name)
            gate.set() if open_ else gate.clear()

    async def _kill_wires(self) -> None:
        for pipe in self._pipes:
            pipe.dead = True
            pipe.towards_server.clear()
            pipe.towards_client.clear()
        self._dead += self._pipes
        self._pipes = []

    async def _close_dead(self) -> None:
        for pipe in self._dead:
            pipe.close()
        self._dead = []

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for pipe in (*self._pipes, *self._dead):
            pipe.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def running_proxy(target: int) -> Iterator[TcpProxy]:
    """A proxy in front of a port on loopback, gone after the `with`."""
    proxy = TcpProxy(target)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()

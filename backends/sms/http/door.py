"""Lets connections of a small HTTP server in: so many, and none that stays without a word."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

_strangers = logging.getLogger(f"{__name__}.strangers")
_strangers.setLevel(logging.CRITICAL)
"""aiohttp would log a traceback for each request that is no HTTP; the handler logs its own faults."""


class Door:
    """A server on one port, with one handler for all (aiohttp's `BaseRequest` -> a response).

    Of more than `most` connections each new one is hung up on. One that brings no whole request header in
    `idle_seconds` is, too."""

    def __init__(
        self, handler: Callable[[Any], Awaitable[Any]], most: int, idle_seconds: float, largest_body: int
    ) -> None:
        self._handler = handler
        self._most = most
        self._idle_seconds = idle_seconds
        self._largest_body = largest_body
        self._runner: Any = None
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens. Raises `RuntimeError` while it does not."""
        if self._server is None:
            raise RuntimeError("the door is not open")
        return int(self._server.sockets[0].getsockname()[1])

    async def open(self, host: str, port: int) -> None:
        """Listen. Raises `OSError`."""
        from aiohttp import web

        app = web.Application(client_max_size=self._largest_body)
        app.router.add_route("*", "/{tail:.*}", self._handler, expect_handler=_expected)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_strangers,
            keepalive_timeout=self._idle_seconds,
            lingering_time=1.0,
            shutdown_timeout=2.0,
            auto_decompress=False,
        )
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._enter, host, port, backlog=200)
        except OSError:
            await self._runner.cleanup()
            raise

    async def close(self) -> None:
        """Take no more connections, let answers go out, hang up."""
        if self._server is not None:
            await self._stop(self._server)
            self._server = None
        if self._runner is not None:
            await self._runner.cleanup()

    async def _stop(self, server: asyncio.Server) -> None:
        """Who is being let in comes in before the server is closed: asyncio would forget their sockets."""
        loop = asyncio.get_running_loop()
        for socket in server.sockets:
            loop.remove_reader(socket.fileno())
        for _ in range(3):
            await asyncio.sleep(0)
        server.close()

    def _enter(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        if len(server.connections) >= self._most:
            return _Full()
        return server()  # type: ignore[no-any-return]


async def _expected(request: Any) -> None:
    """`Expect` (RFC 9110 §10.1.1): what we do not know is ignored. (aiohttp's own way stumbles over it.)"""
    if request.version >= (1, 1) and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


class _Full(asyncio.Protocol):
    """Meets a connection that there is no room for."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()

"""An HTTP client that goes only where the bridge may connect to, and by https only."""

from __future__ import annotations

import asyncio
import functools
import importlib
import ssl
from typing import Any, cast

from bridge.api import ConnectionLost, Resolver

CONNECT_SECONDS = 10.0
SECONDS = 30.0
IDLE_SECONDS = 3.0
"""A provider that closes a connection just as we use it again leaves us not knowing; so none is kept long."""


class Client:
    """Connections for one account with a provider, at most `most` at once. Opened at the first use."""

    def __init__(
        self, resolver: Resolver, ca_file: str = "", most: int = 20, seconds: float = SECONDS
    ) -> None:
        self._guard = _Guard(resolver)
        self._ca_file = ca_file
        self._most = most
        self._seconds = seconds
        self._session: Any = None
        self._opening = asyncio.Lock()

    async def session(self) -> Any:
        """The `aiohttp.ClientSession`."""
        async with self._opening:
            if self._session is None or self._session.closed:
                self._session = await self._opened()
            return self._session

    async def close(self) -> None:
        """Close what is open. It may be used again."""
        async with self._opening:
            if self._session is not None:
                await self._session.close()
                self._session = None

    async def _opened(self) -> Any:
        await asyncio.to_thread(importlib.import_module, "aiohttp")  # loading it takes a tenth of a second
        import aiohttp

        connector = aiohttp.TCPConnector(
            resolver=cast(Any, self._guard),  # its class is not imported at once
            ssl=await asyncio.to_thread(_context, self._ca_file),
            limit=self._most,
            keepalive_timeout=IDLE_SECONDS,
            use_dns_cache=False,
        )
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_mark)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._seconds, sock_connect=CONNECT_SECONDS),
            trace_configs=[trace],
            headers={"User-Agent": "xmpp-bridge"},
        )


class Began:
    """Whether a request began to go out; given as `trace_request_ctx`."""

    def __init__(self) -> None:
        self.sent = False


async def _mark(_session: Any, context: Any, _params: Any) -> None:
    """aiohttp calls it before the first byte of a request is written."""
    if isinstance(context.trace_request_ctx, Began):
        context.trace_request_ctx.sent = True


def is_name(url: str) -> bool:
    """Whether a URL is an https one to a host's name. (What aiohttp takes for an IP address it would connect
    to without a look at where that is: so the host is judged as it reads it, wide digits and all.)"""
    from yarl import URL

    try:
        parts = URL(url)
        host, port = parts.raw_host or "", parts.explicit_port
    except ValueError:
        return False
    if parts.scheme != "https" or parts.user is not None or port == 0:
        return False
    return host != "" and ":" not in host and not host.replace(".", "").isdigit()


def trouble(error: BaseException) -> str:
    """Why a connection could not be made or kept, in words."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not valid"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConnectionLost):
            return str(seen)
        seen = seen.__cause__ or getattr(seen, "os_error", None)
    return "there is no connection to it"


@functools.lru_cache(maxsize=8)
def _context(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or None)


class _Guard:
    """aiohttp's way to ask for addresses (aiohttp.abc.AbstractResolver), with the bridge's answers."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        try:
            endpoints = await self._resolver.resolve(host, port)
        except ConnectionLost as error:
            raise OSError(str(error)) from error
        return [
            {
                "hostname": host,
                "host": each.host,
                "port": each.port,
                "family": 0,
                "proto": 0,
                "flags": 0,
            }
            for each in endpoints
        ]

    async def close(self) -> None:
        """There is nothing to close."""

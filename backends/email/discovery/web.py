"""Knows how a small file is fetched from the web: by https only, from hosts that the bridge may connect to,
within limits of time and size."""

from __future__ import annotations

import asyncio
import importlib
import ssl
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

from backends.email.discovery.found import is_host
from bridge.api import ConnectionLost, Resolver

_LARGEST = 256 * 1024
_MOST_REDIRECTS = 3


class NotFetched(Exception):
    """There is no such file, or it cannot be had; the text says why."""


class Web:
    """Fetches files. `seconds` is for one file; `port` is where https is (another one for tests only)."""

    def __init__(
        self, resolver: Resolver, context: ssl.SSLContext, seconds: float = 10.0, port: int = 443
    ) -> None:
        self._guard = _Guard(resolver)
        self._context = context
        self._seconds = seconds
        self._port = port

    def url(self, host: str, path: str) -> str:
        """The address of a file."""
        return f"https://{host}/{path}" if self._port == 443 else f"https://{host}:{self._port}/{path}"

    async def fetch(self, url: str) -> bytes:
        """The file. Raises `NotFetched`."""
        await asyncio.to_thread(importlib.import_module, "aiohttp")  # loading it takes a tenth of a second
        import aiohttp

        connector = aiohttp.TCPConnector(
            resolver=cast(Any, self._guard),  # its class is not imported at once
            ssl=self._context,
            force_close=True,
        )
        try:
            async with asyncio.timeout(self._seconds), aiohttp.ClientSession(connector=connector) as session:
                return await self._follow(session, url)
        except TimeoutError as error:
            raise NotFetched("no answer in time") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise NotFetched("the certificate is not valid") from error
        except (aiohttp.ClientError, ConnectionLost, OSError, ValueError) as error:
            raise NotFetched(_why(error)) from error

    async def _follow(self, session: Any, url: str) -> bytes:
        for _ in range(_MOST_REDIRECTS + 1):
            self._check(url)
            async with session.get(url, allow_redirects=False) as response:
                if response.status not in (301, 302, 303, 307, 308):
                    return await _body(response)
                url = urljoin(url, response.headers.get("Location", ""))
        raise NotFetched("too many redirects")

    def _check(self, url: str) -> None:
        """A number instead of a name would be connected to without a look at where it is."""
        parts = urlsplit(url)
        if parts.scheme != "https" or (parts.port or 443) != self._port or parts.username is not None:
            raise NotFetched("it leads to something else than https")
        if not is_host((parts.hostname or "").lower()):
            raise NotFetched("it leads to something else than a host's name")


async def _body(response: Any) -> bytes:
    if response.status != 200:
        raise NotFetched(f"status {response.status}")
    data = bytearray()
    async for chunk in response.content.iter_chunked(16 * 1024):
        data += chunk
        if len(data) > _LARGEST:
            raise NotFetched("the file is too large")
    return bytes(data)


def _why(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, ConnectionLost):
        return str(cause)
    return str(error) if isinstance(error, ConnectionLost) else "no connection"


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

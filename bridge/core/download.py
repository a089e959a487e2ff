"""Fetches what users attach, for networks that carry files themselves: https and http only, within a size and
a time, and not from private networks.

It loads a whole HTTP client, so it is imported where a file is fetched."""

from __future__ import annotations

import asyncio
import ipaddress
import mimetypes
import socket
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bridge.api import Attachment, ConnectionLost, TransferFailed
from bridge.core.netguard import NetworkGuard

SECONDS = 300.0
CONNECT_SECONDS = 20.0
REDIRECTS = 3
CHUNK = 64 * 1024
NO_ADDRESS = "The file's address is not one that can be fetched."

Trusted = Callable[[str], bool]
"""Whether a URL is where our own server keeps users' files."""


class Downloads:
    """The fetching of one gateway. What the users' own server keeps may be on a private network."""

    def __init__(self, guard: NetworkGuard, trusted: Trusted) -> None:
        self._guard = guard
        self._trusted = trusted

    async def fetch(self, attachment: Attachment, file: Path, limit: int) -> Attachment:
        """See `bridge.api.Host.download`."""
        timeout = aiohttp.ClientTimeout(total=SECONDS, sock_connect=CONNECT_SECONDS, sock_read=60.0)
        guarded = _Guarded(self._guard)
        # No connection is used again: where the next address leads is looked at anew.
        connector = aiohttp.TCPConnector(resolver=guarded, use_dns_cache=False, force_close=True)
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
                return await self._follow(session, guarded, attachment, file, limit)
        except aiohttp.ClientConnectorCertificateError as error:
            text = f"The file's server has no valid certificate: {error}"
            raise TransferFailed(text, again=False) from error
        except ValueError as error:  # aiohttp.InvalidURL is one, too
            raise TransferFailed(NO_ADDRESS, again=False) from error
        except aiohttp.ClientError as error:
            text = f"The file could not be fetched: {str(error) or type(error).__name__}"
            raise TransferFailed(text, again=True) from error
        except TimeoutError as error:
            raise TransferFailed("The file could not be fetched in time.", again=True) from error

    async def _follow(
        self,
        session: aiohttp.ClientSession,
        guarded: _Guarded,
        attachment: Attachment,
        file: Path,
        limit: int,
    ) -> Attachment:
        url = attachment.url
        for _ in range(REDIRECTS + 1):
            guarded.anywhere = self._trusted(url)
            self._check(url, trusted=guarded.anywhere)
            async with session.get(url, allow_redirects=False) as response:
                if response.status in (301, 302, 303, 307, 308) and "Location" in response.headers:
                    url = urljoin(url, response.headers["Location"])
                    continue
                if response.status != 200:
                    again = response.status >= 500 or response.status in (408, 429)
                    raise TransferFailed(f"The file's server answers {response.status}.", again=again)
                size = await _save(response, file, limit)
                return _described(attachment, url, response.content_type, size)
        raise TransferFailed("The file's address leads round in circles.", again=False)

    def _check(self, url: str, *, trusted: bool) -> None:
        parts = urlsplit(url)
        if parts.scheme == "aesgcm":
            text = "The file is end-to-end encrypted: this network cannot carry it."
            raise TransferFailed(text, again=False)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise TransferFailed(NO_ADDRESS, again=False)
        # As the client reads it, which takes wide digits and the like for those that they look like.
        host = URL(url).raw_host or ""
        if ":" not in host and not host.replace(".", "").isdigit():
            return  # a name: the resolver looks at what it stands for
        literal = ipaddress.ip_address(host)
        if not trusted and not self._guard.allows(str(literal)):
            raise TransferFailed("Files are not fetched from private networks.", again=False)


class _Guarded(AbstractResolver):
    """aiohttp's resolver for one file: what the guard allows, or `anywhere`."""

    def __init__(self, guard: NetworkGuard) -> None:
        self._guard = guard
        self.anywhere = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        guard = NetworkGuard(private=True) if self.anywhere else self._guard
        try:
            endpoints = await guard.resolve(host, port)
        except ConnectionLost as error:
            raise OSError(str(error)) from error
        return [
            {
                "hostname": host,
                "host": endpoint.host,
                "port": port,
                "family": socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for endpoint in endpoints
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _save(response: aiohttp.ClientResponse, file: Path, limit: int) -> int:
    size = 0
    too_big = f"The file is bigger than the {limit // (1024 * 1024)} MiB that this network may carry."
    if (response.content_length or 0) > limit:
        raise TransferFailed(too_big, again=False)
    with file.open("xb") as out:
        async for chunk in response.content.iter_chunked(CHUNK):
            size += len(chunk)
            if size > limit:
                raise TransferFailed(too_big, again=False)
            await asyncio.to_thread(out.write, chunk)
    return size


def _described(attachment: Attachment, url: str, media_type: str, size: int) -> Attachment:
    name = attachment.name or PurePosixPath(unquote(urlsplit(url).path)).name or "file"
    kind = attachment.media_type or media_type
    if kind in ("", "application/octet-stream"):
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return msgspec.structs.replace(attachment, name=name, media_type=kind, size=size)

"""Knows how a connection to an SMSC is made: to an address that the gateway may connect to, encrypted where
that is wanted."""

from __future__ import annotations

import socket
import ssl
from asyncio import StreamReader, StreamWriter

from backends.sms.smpp.gathering import open_gathering
from backends.sms.smpp.trouble import LinkFailed
from bridge.api import ConnectionLost, Resolver

_MOST_ADDRESSES = 4


async def dial(
    resolver: Resolver, host: str, port: int, context: ssl.SSLContext | None
) -> tuple[StreamReader, StreamWriter]:
    """A connection; the host's addresses are tried in order. With a context it is encrypted, and the
    certificate is verified against `host`. Raises `LinkFailed`, and the first address's OSError."""
    try:
        endpoints = await resolver.resolve(host, port)
    except ConnectionLost as error:
        raise LinkFailed(str(error)) from error
    first: OSError | None = None
    for endpoint in endpoints[:_MOST_ADDRESSES]:
        name = endpoint.name if context is not None else None
        try:
            reader, writer = await open_gathering(endpoint.host, endpoint.port, context, name)
        except OSError as error:
            first = first or error
        else:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return reader, writer
    raise first or LinkFailed("it has no address")

"""Knows how a connection to an IMAP server is made: which address, with which encryption, until the server
has said what it can do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from backends.email.imap import syntax
from backends.email.imap.link import Link
from backends.email.imap.settings import Settings
from backends.email.imap.trouble import explain
from backends.email.imap.wire import Wire
from backends.email.values import Security, Server
from bridge.api import ConnectionLost, Endpoint, ProtocolError, Resolver

_MOST_ADDRESSES = 4
_SLACK = 64 * 1024
_KEEPALIVE = (("TCP_KEEPIDLE", 120), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4))


async def dial(server: Server, resolver: Resolver, context: ssl.SSLContext, settings: Settings) -> Link:
    """A connection to a server, not logged in: its addresses are tried in order. Raises `ConnectionLost`
    (with what became of the first one) and `ProtocolError`."""
    first: ConnectionLost | None = None
    for endpoint in (await resolver.resolve(server.host, server.port))[:_MOST_ADDRESSES]:
        try:
            return await connect(server, endpoint, context, settings)
        except ConnectionLost as error:
            first = first or error
    raise first or ConnectionLost(f"{server.host} has no address")


async def connect(server: Server, endpoint: Endpoint, context: ssl.SSLContext, settings: Settings) -> Link:
    """A connection to one address; the certificate is verified against the server's name. Raises
    `ConnectionLost` and `ProtocolError`."""
    wire = Wire(f"The mail server {server.host}", settings.piece + _SLACK)
    link = Link(wire, settings.answer)
    try:
        async with asyncio.timeout(settings.connect):
            await _open(wire, server, endpoint, context)
            await _greeted(link, encrypted=server.security is Security.TLS)
            if server.security is Security.STARTTLS:
                await _start_tls(link, context, endpoint.name)
    except OSError as error:
        wire.fail(ConnectionLost("given up"))
        raise ConnectionLost(explain(error, server)) from error
    except BaseException:
        wire.fail(ConnectionLost("given up"))
        raise
    if not link.capabilities:
        await ask_capabilities(link)
    return link


async def _open(wire: Wire, server: Server, endpoint: Endpoint, context: ssl.SSLContext) -> None:
    encrypted = server.security is Security.TLS
    await asyncio.get_running_loop().create_connection(
        lambda: wire,
        endpoint.host,
        endpoint.port,
        ssl=context if encrypted else None,
        server_hostname=endpoint.name if encrypted else None,
    )
    _notice_death(wire.transport.get_extra_info("socket"))


def _notice_death(connection: socket.socket) -> None:
    """Let the system find out that the other side is gone: while IDLE goes on, nobody says anything."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def _greeted(link: Link, *, encrypted: bool) -> None:
    wire = link.wire
    while wire.greeting is None and wire.failure is None:
        wire.stir.clear()
        await wire.stir.wait()
    wire.check()
    words = b"".join(wire.greeting or ()).split(None, 2)
    kind = words[1].upper() if len(words) > 1 and words[0] == b"*" else b""
    if kind == b"BYE":
        raise ConnectionLost(f'{wire.where} does not want a connection: "{syntax.words(words[-1])}"')
    if kind not in (b"OK", b"PREAUTH"):
        raise ProtocolError(f"{wire.where} does not speak IMAP")
    if kind == b"PREAUTH" and not encrypted:
        # Whoever is in between could log us in to a mailbox of theirs (RFC 9051 §11.1).
        raise ProtocolError(f"{wire.where} is logged in before the connection is encrypted")
    wire.state = "AUTH" if kind == b"PREAUTH" else "NONAUTH"


async def _start_tls(link: Link, context: ssl.SSLContext, name: str) -> None:
    """Encrypt (RFC 9051 §6.2.1). Nothing that came before it counts any more."""
    wire = link.wire
    await ask_capabilities(link)
    answer = await link.ask("STARTTLS")
    if answer.status.kind != "OK":
        raise ConnectionLost(f'{wire.where} cannot encrypt the connection: "{answer.status.text}"')
    if not wire.silent:
        raise ProtocolError(f"{wire.where} went on without encryption after STARTTLS")
    link.capabilities = frozenset()
    transport = await asyncio.get_running_loop().start_tls(
        wire.transport, wire, context, server_hostname=name
    )
    if transport is None:
        raise ConnectionLost(f"{wire.where} closed the connection when it should be encrypted")
    wire.transport = transport


async def ask_capabilities(link: Link) -> None:
    """Learn what the server can do now."""
    found: set[str] = set()
    for response in await link.ask_for("CAPABILITY"):
        words = [syntax.words(word).upper() for word in response[0].split()]
        if words[1:2] == ["CAPABILITY"]:
            found.update(words[2:])
    if not any(each.startswith("IMAP4") for each in found):
        raise ProtocolError(f"{link.wire.where} does not speak IMAP4")
    link.capabilities = frozenset(found)


async def hang_up(link: Link, seconds: float = 1.0) -> None:
    """Leave: with LOGOUT where the server takes it in time."""
    with contextlib.suppress(ConnectionLost, ProtocolError, TimeoutError):
        async with asyncio.timeout(seconds):
            await link.ask("LOGOUT")
    link.wire.fail(ConnectionLost(f"The connection to {link.wire.where} is closed"))

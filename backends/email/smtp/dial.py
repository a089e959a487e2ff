"""Knows how a connection to a mail server is made: its addresses, TLS and EHLO; and what the user is told
when it cannot be made."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl

import aiosmtplib

from backends.email.smtp.connection import Connection, ServerSaid, TimeLimits, explain
from backends.email.smtp.login import Login, log_in
from backends.email.smtp.replies import Reply
from backends.email.values import Security, Server
from bridge.api import ConnectionLost, Endpoint, Resolver


class Dialler:
    """Makes connections. `ca_file` names a CA to trust instead of the system's; `helo` is how the bridge
    calls itself (empty: by its address, RFC 5321 §4.1.3)."""

    def __init__(
        self, resolver: Resolver, *, ca_file: str = "", helo: str = "", limits: TimeLimits | None = None
    ) -> None:
        self._resolver = resolver
        self._ca_file = ca_file
        self._helo = helo
        self._limits = limits or TimeLimits()
        self._tls: ssl.SSLContext | None = None

    async def dial(self, server: Server, login: Login | None) -> Connection:
        """A connection that mails can be sent over.

        Raises `ConnectionLost` where there is none, or none as safe as `server` says it has to be;
        `ServerSaid` where the server does not want us; `AuthFailed` where it does not take the login. All of
        them name the server."""
        name = f"{server.host}:{server.port}"
        smtp = await self._connect(server, name)
        try:
            await self._greet(smtp, server, name)
            if login is not None:
                await log_in(smtp, name, login, self._limits.login)
        except BaseException:
            smtp.close()
            raise
        return Connection(smtp, name, self._limits)

    async def _connect(self, server: Server, name: str) -> aiosmtplib.SMTP:
        failure: ConnectionLost | None = None
        for endpoint in await self._resolver.resolve(server.host, server.port):
            try:
                return await self._try(server, endpoint, name)
            except ConnectionLost as error:
                failure = failure or error
        raise failure or ConnectionLost(f"{name} has no address that may be connected to.")

    async def _try(self, server: Server, endpoint: Endpoint, name: str) -> aiosmtplib.SMTP:
        """One address, up to the server's greeting."""
        smtp = None
        try:
            async with asyncio.timeout(self._limits.connect):
                sock = await _socket(endpoint)
                smtp = aiosmtplib.SMTP(
                    hostname=server.host,
                    sock=sock,
                    local_hostname=self._helo or _literal(sock),
                    use_tls=server.security is Security.TLS,
                    start_tls=False,
                    tls_context=await self._context(server.security),
                    timeout=self._limits.greeting,
                )
            await smtp.connect()
        except aiosmtplib.SMTPConnectResponseError as error:
            raise ServerSaid(Reply(error.code, error.message)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ConnectionLost(why_not(error, name)) from error
        return smtp

    async def _greet(self, smtp: aiosmtplib.SMTP, server: Server, name: str) -> None:
        await self._hello(smtp, name)
        if server.security is not Security.STARTTLS:
            return
        if not smtp.supports_extension("starttls"):
            raise ConnectionLost(
                f"{name} offers no encryption (STARTTLS), and the bridge sends nothing without. "
                "Check the server's name and port."
            )
        try:
            await smtp.starttls(timeout=self._limits.connect)
        except aiosmtplib.SMTPResponseException as error:
            raise ServerSaid(Reply(error.code, error.message)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ConnectionLost(why_not(error, name)) from error
        await self._hello(smtp, name)

    async def _hello(self, smtp: aiosmtplib.SMTP, name: str) -> None:
        try:
            await smtp.ehlo(timeout=self._limits.command)
        except aiosmtplib.SMTPResponseException as error:
            if error.code < 0:
                raise ConnectionLost(explain(error, name, "EHLO")) from error
            raise ServerSaid(Reply(error.code, error.message)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ConnectionLost(explain(error, name, "EHLO")) from error

    async def _context(self, security: Security) -> ssl.SSLContext | None:
        if security is Security.PLAIN:
            return None
        if self._tls is None:
            # Reading the system's certificates takes tens of milliseconds.
            self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=self._ca_file or None)
        return self._tls


async def _socket(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (endpoint.host, endpoint.port))
    except BaseException:
        sock.close()
        raise
    return sock


def _literal(sock: socket.socket) -> str:
    host = str(sock.getsockname()[0])
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"


def why_not(error: Exception, name: str) -> str:
    """Why there is no connection, and where TLS is the reason, what to do."""
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) and error.__cause__ else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {name} cannot be trusted ({cause.verify_message}). Check the server's name "
            "and port; for a server with a CA of its own, ask the gateway's admin to name that CA (ca_file)."
        )
    if isinstance(cause, ssl.SSLError):
        return f"{name} does not speak TLS ({cause.reason or 'handshake failed'}). Check the port."
    if isinstance(cause, TimeoutError):
        return f"{name} did not answer in time."
    if isinstance(cause, aiosmtplib.SMTPResponseException):
        return f"{name} does not speak SMTP."
    if isinstance(cause, OSError) and cause.errno:
        return f"{name} cannot be connected to: {os.strerror(cause.errno)}."
    return f"{name} closed the connection before it said anything."

"""Knows how a connection is made: which ports, in which order, with which TLS, and what the user is told."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from backends.irc.options import NetworkOptions, Options, Tls
from backends.irc.wire import Wire
from bridge.api import ConnectionLost, Endpoint, NetworkId, Reason

Resolve = Callable[[str, int], Awaitable[tuple[Endpoint, ...]]]
Say = Callable[[str], None]

_NO_SUCH_NAME = "Connection failed: Domain name not found"


class Attempt(msgspec.Struct, frozen=True):
    """One try."""

    port: int
    encrypted: bool


class Plan(msgspec.Struct, frozen=True):
    """Where to connect, and how."""

    host: str
    attempts: tuple[Attempt, ...]
    ca_file: str = ""
    verify: bool = True


def plan_for(options: Options, network: NetworkId, settings: Mapping[str, str]) -> Plan:
    """The plan for a network. What the user registered counts, but not against a server that the admin fixed.

    With TLS required only encrypted ports are tried; there is no way from it to plain text.
    """
    known = options.network(network)
    chosen = not (options.fixed_server or options.only_configured)
    host = (settings.get("server", "") if chosen else "") or known.host or network or options.fixed_server
    port = (_port(settings.get("port", "")) if chosen else 0) or known.port
    tls = (settings.get("tls", "") if chosen else "") or known.tls
    return Plan(host, _attempts(options, known, tls, port), known.ca_file, known.verify)


def _attempts(options: Options, known: NetworkOptions, tls: str, port: int) -> tuple[Attempt, ...]:
    encrypted = (port,) if port else options.tls_ports
    plain = (port,) if port else options.plain_ports
    mode: Tls = tls if tls in ("required", "optional", "off") else known.tls  # type: ignore[assignment]
    within = () if mode == "off" else tuple(Attempt(each, True) for each in encrypted)
    without = () if mode == "required" else tuple(Attempt(each, False) for each in plain)
    return within + without


def _port(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 6 else 0


class TlsContexts:
    """Makes each TLS context once: reading the system's certificates takes a while."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, bool], ssl.SSLContext] = {}

    def get(self, ca_file: str, verify: bool) -> ssl.SSLContext:
        """The context that trusts `ca_file`, else the system's CAs; without `verify` anybody."""
        key = (ca_file, verify)
        if key not in self._made:
            context = ssl.create_default_context(cafile=ca_file or None)
            if not verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._made[key] = context
        return self._made[key]


class Dialler:
    """Makes connections. `limit` is the time for one address, in seconds."""

    def __init__(self, contexts: TlsContexts, resolve: Resolve, say: Say, limit: float) -> None:
        self._contexts = contexts
        self._resolve = resolve
        self._say = say
        self._limit = limit

    async def dial(self, plan: Plan, make: Callable[[], Wire]) -> Wire:
        """Try what the plan says; tell each step. Raises `ConnectionLost` with the reason of the last try, or
        of the last one that broke off because of TLS: a refusal elsewhere does not say what to do."""
        failure = insecure = ""
        for attempt in plan.attempts:
            how = "encrypted" if attempt.encrypted else "not encrypted"
            self._say(f"Connecting to {plan.host}:{attempt.port} ({how})")
            for endpoint in await self._addresses(plan.host, attempt.port):
                wire = make()
                try:
                    await self._open(wire, plan, attempt, endpoint)
                except OSError as error:
                    failure = f"Connection failed: {explain(error, plan.host, attempt)}"
                    self._say(failure)
                    if isinstance(error, ssl.SSLError):
                        insecure = failure
                else:
                    how = " (encrypted)" if attempt.encrypted else ""
                    self._say(f"Connected to IRC server{how}.")
                    return wire
        raise ConnectionLost(insecure or failure or "Connection failed")

    async def _addresses(self, host: str, port: int) -> tuple[Endpoint, ...]:
        try:
            return await self._resolve(host, port)
        except ConnectionLost as error:
            if error.reason is Reason.NO_SUCH_NETWORK:
                self._say(_NO_SUCH_NAME)
                raise ConnectionLost(_NO_SUCH_NAME, Reason.NO_SUCH_NETWORK) from error
            self._say(f"Connection failed: {error}")
            raise

    async def _open(self, wire: Wire, plan: Plan, attempt: Attempt, endpoint: Endpoint) -> None:
        context = self._contexts.get(plan.ca_file, plan.verify) if attempt.encrypted else None
        async with asyncio.timeout(self._limit):
            await wire.connect(endpoint.host, endpoint.port, context, plan.host)


def explain(error: OSError, host: str, attempt: Attempt) -> str:
    """Why a connection failed and, where TLS is the reason, what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {host} cannot be trusted ({error.verify_message}). Check the server's name "
            "and port; for a server with a CA of its own, ask the gateway's admin to name that CA (ca_file)."
        )
    if isinstance(error, ssl.SSLError):
        return (
            f"{host} does not speak TLS at port {attempt.port} ({error.reason or 'handshake failed'}). "
            "Register with this network to name another port, or to allow a connection that is not encrypted."
        )
    if isinstance(error, TimeoutError):
        return "Connection timed out"
    return os.strerror(error.errno) if error.errno else str(error)

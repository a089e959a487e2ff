"""Knows how a login is tried at registration."""

from __future__ import annotations

import asyncio

import msgspec

from backends.irc.dial import Dialler, Plan, TlsContexts
from backends.irc.options import Options
from backends.irc.parser import build, parse_line
from backends.irc.registration import Identity, Registration
from backends.irc.wire import Wire
from bridge.api import AuthFailed, BackendError, ConnectionLost, RegistrationRefused, Resolver

LIMIT = 20.0
"""Seconds for the whole trial."""


async def login(
    options: Options, plan: Plan, identity: Identity, contexts: TlsContexts, resolver: Resolver
) -> None:
    """Log in and leave. Raises `RegistrationRefused` for the password, or if the server cannot be reached."""
    trial = _Trial(msgspec.structs.replace(identity, persistent=True))
    dialler = Dialler(contexts, resolver.resolve, lambda _text: None, options.connect_timeout)
    try:
        async with asyncio.timeout(LIMIT):
            wire = await dialler.dial(plan, lambda: Wire(trial, options.encoding))
            await trial.converse(wire)
    except AuthFailed as error:
        raise RegistrationRefused(str(error), "password") from error
    except TimeoutError:
        raise RegistrationRefused("The server did not answer in time") from None
    except BackendError as error:
        raise RegistrationRefused(str(error)) from error


class _Trial:
    """Receives the lines of the conversation up to the welcome."""

    def __init__(self, identity: Identity) -> None:
        self._registration = Registration(identity)
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wire: Wire | None = None

    async def converse(self, wire: Wire) -> None:
        """Until the server welcomes us; raises what `Registration` does."""
        self._wire = wire
        try:
            for line in self._registration.start():
                wire.send_raw(line)
            await self._done
            wire.send_raw("QUIT")
        finally:
            await wire.hang_up()

    def receive(self, text: str) -> None:
        """One line."""
        line = parse_line(text)
        if line is None or self._wire is None or self._done.done():
            return
        if line.command == "PING":
            self._wire.send_raw(build("PONG", trailing=line.param(-1)))
        try:
            for answer in self._registration.receive(line):
                self._wire.send_raw(answer)
        except BackendError as error:
            self._done.set_exception(error)
            return
        if self._registration.done:
            self._done.set_result(None)

    def chunk_comes(self) -> bool:
        """Always taken."""
        return True

    def chunk_done(self) -> None:
        """Nothing to do: the conversation is short."""

    def writable(self) -> None:
        """Nothing waits."""

    def lost(self, error: Exception | None) -> None:
        """The server closed."""
        if not self._done.done():
            self._done.set_exception(ConnectionLost("The server closed the connection"))

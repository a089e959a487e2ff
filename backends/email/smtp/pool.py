"""Knows how connections to mail servers are shared: some at a time for each server and login, kept for a
moment for the next mail, closed when nobody comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

from backends.email.smtp.connection import Connection
from backends.email.smtp.login import Login
from backends.email.values import Server

Dial = Callable[[Server, Login | None], Awaitable[Connection]]
Key = tuple[Server, Login | None]


class PoolLimits(msgspec.Struct, frozen=True):
    """`per_server` connections at a time to one server with one login, `in_all` to all; `idle` seconds
    without a mail close one, as do `mails` sent over it."""

    per_server: int = 2
    in_all: int = 20
    idle: float = 10.0
    mails: int = 50


class _Shared:
    """The connections for one key. `users` counts who has or waits for one."""

    def __init__(self, limits: PoolLimits) -> None:
        self.turns = asyncio.Semaphore(limits.per_server)
        self.idle: dict[Connection, asyncio.TimerHandle] = {}
        self.users = 0


class Pool:
    """Lends connections: `async with pool.lend(server, login) as (connection, used)`."""

    def __init__(self, dial: Dial, limits: PoolLimits | None = None) -> None:
        self._dial = dial
        self._limits = limits or PoolLimits()
        self._shared: dict[Key, _Shared] = {}
        self._turns = asyncio.Semaphore(self._limits.in_all)
        self._partings: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> int:
        """How many connections wait for a mail."""
        return sum(len(each.idle) for each in self._shared.values())

    @asynccontextmanager
    async def lend(
        self, server: Server, login: Login | None, *, fresh: bool = False
    ) -> AsyncIterator[tuple[Connection, bool]]:
        """A connection, and whether it was used before; it comes back at the end, unless it is broken.
        `fresh`: not one that was used. Waits for its turn. Raises what `dial` raises."""
        key = (server, login)
        shared = self._shared.setdefault(key, _Shared(self._limits))
        shared.users += 1
        try:
            async with shared.turns, self._turns:
                connection = None if fresh else self._take(shared)
                used = connection is not None
                if connection is None:
                    connection = await self._dial(server, login)
                try:
                    yield connection, used
                except BaseException:
                    connection.close()
                    raise
                self._give_back(key, shared, connection)
        finally:
            shared.users -= 1
            self._forget(key, shared)

    def _take(self, shared: _Shared) -> Connection | None:
        while shared.idle:
            connection, timer = shared.idle.popitem()
            timer.cancel()
            if connection.alive:
                return connection
        return None

    def _give_back(self, key: Key, shared: _Shared, connection: Connection) -> None:
        if not connection.alive:
            return
        if connection.mails >= self._limits.mails or self.idle >= self._limits.in_all:
            self._part(connection)
            return
        later = asyncio.get_running_loop().call_later
        shared.idle[connection] = later(self._limits.idle, self._expire, key, shared, connection)

    def _expire(self, key: Key, shared: _Shared, connection: Connection) -> None:
        del shared.idle[connection]
        self._part(connection)
        self._forget(key, shared)

    def _forget(self, key: Key, shared: _Shared) -> None:
        if not shared.users and not shared.idle and self._shared.get(key) is shared:
            del self._shared[key]

    def _part(self, connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(connection.quit())
        self._partings.add(task)
        task.add_done_callback(self._partings.discard)

    async def close(self) -> None:
        """Close what is idle, in good order; takes some seconds at most."""
        for shared in list(self._shared.values()):
            for connection, timer in shared.idle.items():
                timer.cancel()
                self._part(connection)
            shared.idle.clear()
        for key, shared in list(self._shared.items()):
            self._forget(key, shared)
        await asyncio.gather(*self._partings)

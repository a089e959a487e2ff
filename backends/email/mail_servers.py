"""Knows which addresses mail servers may be at: users' servers where the gateway lets them be, the admin's
own smarthost wherever it is."""

from __future__ import annotations

import asyncio
import socket

from backends.email.options import Options
from bridge.api import ConnectionLost, Endpoint, Reason, Resolver


class MailServers:
    """A `Resolver`. `users` is the gateway's own, once it serves."""

    def __init__(self, options: Options) -> None:
        server = options.smarthost_server() if options.smarthost else None
        self._smarthost = (server.host, server.port) if server else None
        self.users: Resolver | None = None

    async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
        """See `bridge.api.Resolver`."""
        if (name, port) == self._smarthost:
            return await _anywhere(name, port)
        if self.users is None:
            raise ConnectionLost("The gateway has not started yet")
        return await self.users.resolve(name, port)


async def _anywhere(name: str, port: int) -> tuple[Endpoint, ...]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectionLost(f"The smarthost {name} is not found", Reason.NO_SUCH_NETWORK) from error
    hosts = dict.fromkeys(str(entry[4][0]) for entry in found)
    return tuple(Endpoint(host, port, name) for host in hosts)

"""Which addresses a gateway may connect to: public ones, and private ones only where the admin allows
them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from bridge.api import ConnectionLost, Endpoint, Reason

RESOLVE_SECONDS = 20.0


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_private(host: str) -> bool:
    """Whether an IP address literal belongs to this machine, a local network, or no host at all. IPv4
    addresses inside IPv6 ones (mapped, 6to4, NAT64) are judged by the IPv4 address."""
    address = ipaddress.ip_address(host.split("%", 1)[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and (address.is_reserved or address.is_site_local):
            return True
        if inner is not None:
            address = inner
    return not address.is_global or address.is_multicast


class NetworkGuard:
    """Resolves names for sessions. `private`: the admin allows private networks."""

    def __init__(self, private: bool = False) -> None:
        self._private = private
        self._asking: dict[tuple[str, int], asyncio.Task[list[str]]] = {}

    def allows(self, host: str) -> bool:
        """Whether an IP address literal may be connected to."""
        return self._private or not is_private(host)

    async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
        """The addresses of `name` that may be connected to, in the resolver's order.

        Raises `ConnectionLost`: NO_SUCH_NETWORK where the name does not exist, NETWORK_DOWN where the
        resolver does not answer, FORBIDDEN where it has only addresses that may not be connected to."""
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                hosts = await asyncio.shield(self._asked(name, port))
        except (socket.gaierror, UnicodeError) as error:
            if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
                raise ConnectionLost("Domain name look-up failed for now") from error
            raise ConnectionLost("Domain name not found", Reason.NO_SUCH_NETWORK) from error
        except TimeoutError as error:
            raise ConnectionLost("Domain name look-up timed out") from error
        allowed = [host for host in hosts if self.allows(host)]
        if not allowed:
            raise ConnectionLost(
                "This gateway does not connect to private networks "
                "(its admin can allow it with allow_private_networks)",
                Reason.FORBIDDEN,
            )
        return tuple(Endpoint(host=host, port=port, name=name) for host in allowed)

    def _asked(self, name: str, port: int) -> asyncio.Task[list[str]]:
        """The look-up of a name: one for all who ask before it is answered, as after a start."""
        asking = self._asking.get((name, port))
        if asking is None:
            asking = self._asking[name, port] = asyncio.create_task(_look_up(name, port))
            asking.add_done_callback(lambda _: self._asking.pop((name, port)))
            asking.add_done_callback(_seen)
        return asking


async def _look_up(name: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _seen(asking: asyncio.Task[list[str]]) -> None:
    """A failure that comes when nobody waits any more is no news."""
    if not asking.cancelled():
        asking.exception()

"""Knows who may come in now: networks, how many connections in all and of one address, how many mails a
minute. Pure: the time is given."""

from __future__ import annotations

import ipaddress
from collections import Counter

from backends.email.smtp.inbound import Answer, ListenLimits

NOT_FROM_THERE = Answer(554, "5.7.1", "This is not for you")
TOO_MANY = Answer(421, "4.7.0", "Too many connections, try again later")
TOO_FAST = Answer(451, "4.7.1", "Too many mails, try again later")
_REMEMBERED = 4096


class Door:
    """`enter` and `leave` count connections, `mail` counts mails."""

    def __init__(self, networks: tuple[str, ...], limits: ListenLimits) -> None:
        self._networks = [ipaddress.ip_network(each) for each in networks]
        self._limits = limits
        self._inside: Counter[str] = Counter()
        self._left: dict[str, tuple[float, float]] = {}

    @property
    def connections(self) -> int:
        """How many are in now."""
        return self._inside.total()

    def enter(self, peer: str) -> Answer | None:
        """Let a connection from an IP address in, or say why not. Who is in must `leave`."""
        address = ipaddress.ip_address(peer.partition("%")[0])
        plain = getattr(address, "ipv4_mapped", None) or address
        if self._networks and not any(plain in each for each in self._networks):
            return NOT_FROM_THERE
        who = _who(peer)
        if self.connections >= self._limits.connections or self._inside[who] >= self._limits.per_ip:
            return TOO_MANY
        self._inside[who] += 1
        return None

    def leave(self, peer: str) -> None:
        """A connection that was let in is over."""
        who = _who(peer)
        self._inside[who] -= 1
        if not self._inside[who]:
            del self._inside[who]

    def mail(self, peer: str, now: float) -> Answer | None:
        """Count a mail, or say that it is too early for it. `now` is in seconds of a clock that goes on."""
        most = float(self._limits.mails_per_minute)
        who = _who(peer)
        left, since = self._left.get(who, (most, now))
        left = min(most, left + (now - since) * most / 60.0)
        if left < 1.0:
            return TOO_FAST
        if len(self._left) >= _REMEMBERED:
            self._left = {each: then for each, then in self._left.items() if now - then[1] < 60.0}
        self._left[who] = (left - 1.0, now)
        return None


def _who(peer: str) -> str:
    """An address for counting: whoever has one of IPv6 has at least a /64 of them."""
    address = ipaddress.ip_address(peer.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))

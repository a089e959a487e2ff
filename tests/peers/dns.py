"""Knows how a small authoritative DNS server on loopback answers: real messages over UDP, by dnspython."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

import dns.asyncresolver
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.peers.daemon import free_port


class DnsServer(asyncio.DatagramProtocol):
    """Answers with what was added; other names do not exist. `silent` swallows questions. `asked` are the
    names so far."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.silent = False
        self.asked: list[str] = []
        self._records: dict[tuple[str, str], list[str]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def add(self, name: str, kind: str, *values: str) -> None:
        """Add records, in the notation of zone files: `add("_imaps._tcp.example.org", "SRV", "0 1 993
        imap.example.org.")`."""
        self._records.setdefault((name.lower(), kind), []).extend(values)

    def resolver(self) -> dns.asyncresolver.Resolver:
        """A resolver that asks this server only."""
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        return resolver

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text().rstrip(".").lower()
        self.asked.append(name)
        if not self.silent and self._transport is not None:
            self._transport.sendto(self._answer(query, name).to_wire(), addr)

    def _answer(self, query: dns.message.Message, name: str) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        values = self._records.get((name, kind))
        if values:
            answer.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", kind, *values))
        elif not any(known == name for known, _ in self._records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


@contextlib.asynccontextmanager
async def running_dns() -> AsyncIterator[DnsServer]:
    """An empty DNS server, gone after the `async with`."""
    port = free_port()
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: DnsServer(port), local_addr=("127.0.0.1", port)
    )
    try:
        yield server
    finally:
        transport.close()

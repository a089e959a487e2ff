"""Knows what DNS says of a domain's mail servers: SRV (RFC 6186, RFC 8314 §5.1) and MX."""

from __future__ import annotations

import asyncio
from typing import Any

from backends.email.discovery.found import Candidate, Found, is_host, is_inside, usual_users
from backends.email.values import Security, Server

_SECONDS = 6.0
_MOST = 5

_IMAP = (("_imaps", Security.TLS), ("_imap", Security.STARTTLS))
_SMTP = (("_submissions", Security.TLS), ("_submission", Security.STARTTLS))


def system_dns() -> Any:
    """A `dns.asyncresolver.Resolver` as this machine is configured."""
    import dns.asyncresolver

    return dns.asyncresolver.Resolver()


async def service_records(dns: Any, address: str, domain: str) -> Found:
    """The servers that the domain's SRV records name. `dns`: see `system_dns`."""
    users = usual_users(address)
    tried: list[str] = []
    services = (*_IMAP, *_SMTP)
    answers = await asyncio.gather(*(_ask(dns, f"{name}._tcp.{domain}", "SRV") for name, _ in services))
    by_kind: dict[bool, list[Candidate]] = {True: [], False: []}
    for (name, security), (records, said) in zip(services, answers, strict=True):
        tried.append(f"DNS {name}._tcp.{domain}: {said}")
        for record in sorted(records, key=lambda each: (each.priority, -each.weight))[:_MOST]:
            server = Server(_host(record.target), record.port, security)
            if record.port and is_host(server.host):  # the target "." says that there is none
                outside = not is_inside(server.host, domain)
                by_kind[(name, security) in _IMAP].append(
                    Candidate(server, users, f"DNS {name}._tcp.{domain}", outside=outside)
                )
    return Found(tuple(by_kind[True]), tuple(by_kind[False]), tuple(tried))


async def mail_exchangers(dns: Any, domain: str) -> list[str]:
    """The hosts that take mail for the domain, best first."""
    records, _ = await _ask(dns, domain, "MX")
    hosts = [_host(each.exchange) for each in sorted(records, key=lambda each: each.preference)]
    return [host for host in hosts if is_host(host)][:_MOST]


def _host(name: Any) -> str:
    return str(name).rstrip(".").lower()


async def _ask(dns: Any, name: str, kind: str) -> tuple[list[Any], str]:
    """The records, and what came in words."""
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer

    try:
        answer = await dns.resolve(name + ".", kind, lifetime=_SECONDS)
    except (NXDOMAIN, NoAnswer):
        return [], "no such record"
    except (DNSException, OSError, ValueError):
        return [], "no answer"
    return list(answer), f"{len(answer)} found"

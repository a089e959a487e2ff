"""Knows where the servers of an address are looked for, and which finding counts most: what the user says,
what the domain says over https, its DNS, Mozilla's list, and at last the usual names."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from backends.email.discovery import autoconfig, records
from backends.email.discovery.found import Candidate, Found, domain_of, is_inside, merge, usual_users
from backends.email.discovery.web import NotFetched, Web
from backends.email.values import Security, Server
from bridge.api import ConnectionLost, Resolver

ISPDB = "https://autoconfig.thunderbird.net/v1.1/"
"""Mozilla's list of providers; it is told the domain."""

_IMAP_NAMES = ("imap.", "mail.", "")
_SMTP_NAMES = ("smtp.", "mail.", "")
_IMAP_PORTS = ((993, Security.TLS), (143, Security.STARTTLS))
_SMTP_PORTS = ((465, Security.TLS), (587, Security.STARTTLS))


class Search:
    """Looks for servers. `dns` is a `dns.asyncresolver.Resolver`; `ispdb` is Mozilla's list or one like it
    (empty: not asked)."""

    def __init__(self, resolver: Resolver, web: Web, dns: Any, ispdb: str = ISPDB) -> None:
        self._resolver = resolver
        self._web = web
        self._dns = dns
        self._ispdb = ispdb

    async def find(
        self, address: str, *, imap: Server | None = None, smtp: Server | None = None, user: str = ""
    ) -> Found:
        """The candidates for an address. What the user gave by hand is the only one of its kind. Takes some
        20 s at most. Raises `ValueError` (with a text for people) where it is no address."""
        domain = domain_of(address)
        users = (user,) if user else usual_users(address)
        by_hand = Found(
            imap=(Candidate(imap, users, "given by hand"),) if imap else (),
            smtp=(Candidate(smtp, users, "given by hand"),) if smtp else (),
        )
        found = by_hand if imap and smtp else await self._look(address, domain)
        return Found(
            imap=by_hand.imap or _with_user(found.imap, user),
            smtp=by_hand.smtp or _with_user(found.smtp, user),
            tried=found.tried,
        )

    async def _look(self, address: str, domain: str) -> Found:
        own, in_dns, listed, by_mx, guessed = await asyncio.gather(
            self._domains_own(address, domain),
            records.service_records(self._dns, address, domain),
            self._listed(address, domain),
            self._by_exchanger(address, domain),
            self._guess(address, domain),
        )
        inside, outside = _apart(in_dns)
        return merge([own, inside, listed, outside, by_mx, guessed])

    async def _domains_own(self, address: str, domain: str) -> Found:
        """What the domain itself publishes; https makes it hard to forge."""
        asked = quote(address, safe="@")
        places = (
            (f"autoconfig.{domain}", f"mail/config-v1.1.xml?emailaddress={asked}"),
            (domain, ".well-known/autoconfig/mail/config-v1.1.xml"),
        )
        urls = [self._web.url(*place) for place in places]
        return merge(await asyncio.gather(*(self._file(url, address) for url in urls)))

    async def _listed(self, address: str, domain: str, *, outside: bool = False) -> Found:
        return await self._file(self._ispdb + domain, address, outside=outside) if self._ispdb else Found()

    async def _by_exchanger(self, address: str, domain: str) -> Found:
        """A provider that serves many domains is listed under its own."""
        for host in (await records.mail_exchangers(self._dns, domain))[:1]:
            if is_inside(host, domain):
                break
            labels = host.split(".")
            parents = [".".join(labels[-count:]) for count in (3, 2) if len(labels) >= count]
            asked = [self._listed(address, parent, outside=True) for parent in parents]
            return merge(await asyncio.gather(*asked))
        return Found()

    async def _file(self, url: str, address: str, *, outside: bool = False) -> Found:
        shown = url.partition("?")[0]
        try:
            return autoconfig.read(await self._web.fetch(url), address, shown, outside=outside)
        except (NotFetched, ValueError) as error:
            return Found(tried=(f"{shown}: {error}",))

    async def _guess(self, address: str, domain: str) -> Found:
        """The usual names, where there are such hosts."""
        names = dict.fromkeys(name + domain for name in (*_IMAP_NAMES, *_SMTP_NAMES))
        said = dict(zip(names, await asyncio.gather(*map(self._there, names)), strict=True))
        users = usual_users(address)

        def there(wanted: tuple[str, ...], ports: tuple[tuple[int, Security], ...]) -> tuple[Candidate, ...]:
            return tuple(
                Candidate(Server(name + domain, port, security), users, "usual name", guessed=True)
                for name in wanted
                if not said[name + domain]
                for port, security in ports
            )

        tried = tuple(f"{name}: {why}" for name, why in said.items() if why)
        return Found(there(_IMAP_NAMES, _IMAP_PORTS), there(_SMTP_NAMES, _SMTP_PORTS), tried)

    async def _there(self, name: str) -> str:
        """Why a host cannot be asked; empty: it can."""
        try:
            await self._resolver.resolve(name, _IMAP_PORTS[0][0])
        except ConnectionLost as error:
            return str(error)
        return ""


def _apart(found: Found) -> tuple[Found, Found]:
    """What names hosts of the domain, and what names others'."""
    return (
        Found(
            tuple(each for each in found.imap if not each.outside),
            tuple(each for each in found.smtp if not each.outside),
            found.tried,
        ),
        Found(
            tuple(each for each in found.imap if each.outside),
            tuple(each for each in found.smtp if each.outside),
        ),
    )


def _with_user(candidates: tuple[Candidate, ...], user: str) -> tuple[Candidate, ...]:
    if not user:
        return candidates
    return tuple(
        Candidate(each.server, (user,), each.source, each.guessed, each.outside) for each in candidates
    )

"""Knows which registrations are accepted: a free address in our domain, a mailbox that lets us in."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Mapping
from functools import partial

import msgspec

from backends.email import forms
from backends.email.address import LONGEST
from backends.email.discovery.found import Candidate, Found
from backends.email.discovery.records import system_dns
from backends.email.discovery.search import Search
from backends.email.discovery.trial import Login, imap_login, try_login
from backends.email.discovery.web import Web
from backends.email.imap.dial import dial, hang_up
from backends.email.imap.login import Credentials, log_in
from backends.email.imap.settings import Settings
from backends.email.imap.start import first_place_as_text
from backends.email.options import Options, host_and_port
from backends.email.smtp import client
from backends.email.smtp.address import is_address
from backends.email.values import Security, Server
from bridge.api import BackendError, RegistrationRefused, Resolver

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
RESERVED = frozenset(
    "abuse admin administrator hostmaster mailer-daemon noc noreply no-reply postmaster root security "
    "webmaster".split()
)
"""Names that others take for the domain's own (RFC 2142)."""

BEGIN_SECONDS = 10.0

_PORTS = {
    "imap_server": {993: Security.TLS, 143: Security.STARTTLS},
    "smtp_server": {465: Security.TLS, 587: Security.STARTTLS, 25: Security.STARTTLS},
}


class SignUp:
    """Judges what a user gave."""

    def __init__(self, options: Options, resolver: Resolver) -> None:
        self._options = options
        self._resolver = resolver

    async def judge(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """The values to keep. Raises `RegistrationRefused`."""
        given = {name: _tidy(name, value) for name, value in values.items()}
        address = given["email"] = given.get("email", "").lower().removeprefix("mailto:")
        if not is_address(address) or len(address) > LONGEST or not address.isascii():
            raise RegistrationRefused(f"{address[:80]!r} is not a mail address.", "email")
        name, _, domain = address.rpartition("@")
        if domain == self._options.domain:
            return self._claim(name, given)
        if not self._options.mailboxes:
            raise RegistrationRefused(f"Choose an address at {self._options.domain}.", "email")
        return await self._mailbox(given)

    def _claim(self, name: str, given: Mapping[str, str]) -> Mapping[str, str]:
        """An address in our domain; whether it is free is seen when it is kept."""
        if not _NAME.fullmatch(name) or ".." in name:
            text = "The part before the @ may have small letters, digits, and dots, - or _ between them."
            raise RegistrationRefused(text, "email")
        if name in RESERVED and given["email"] != self._options.postmaster:
            raise RegistrationRefused(f"{given['email']} is reserved.", "email")
        return {"kind": forms.DOMAIN, "email": given["email"], "name": given.get("name", "")}

    async def _mailbox(self, given: Mapping[str, str]) -> Mapping[str, str]:
        password = given.get("password", "")
        if not password:
            raise RegistrationRefused("The password is missing.", "password")
        backfill = given.get("backfill", "") or "0"
        short = backfill.isascii() and backfill.isdecimal() and len(backfill) < 7
        if not (short and int(backfill) <= forms.MOST_BACKFILL):
            raise RegistrationRefused(f"A number from 0 to {forms.MOST_BACKFILL}.", "backfill")
        # reads all authorities that the system trusts
        context = await asyncio.to_thread(ssl.create_default_context, cafile=self._options.ca_file or None)
        found = await self._candidates(given, context)
        send = partial(client.try_login, resolver=self._resolver, ca_file=self._options.ca_file)
        tried = await try_login(found, password, imap_login(self._resolver, context), send)
        begin = await self._begin(tried.imap, password, context, int(backfill))
        asked = ("email", "password", "name", "username", "imap_server", "smtp_server")
        return {
            **{name: given.get(name, "") for name in asked},
            "backfill": "" if backfill == "0" else backfill,
            "kind": forms.MAILBOX,
            "imap": forms.stored(tried.imap.server),
            "smtp": forms.stored(tried.smtp.server),
            "imap_user": tried.imap.user,
            "smtp_user": tried.smtp.user,
            "begin": begin,
        }

    async def _begin(self, imap: Login, password: str, context: ssl.SSLContext, backfill: int) -> str:
        """The place in the mailbox from which on mail is new. Empty where it cannot be found out now: then it
        is where the first session finds the mailbox."""
        settings = Settings(connect=BEGIN_SECONDS, answer=BEGIN_SECONDS)
        try:
            async with asyncio.timeout(BEGIN_SECONDS):
                link = await dial(imap.server, self._resolver, context, settings)
                try:
                    await log_in(link, Credentials(imap.user, password))
                    return await first_place_as_text(link, "INBOX", backfill)
                finally:
                    await hang_up(link)
        except (BackendError, TimeoutError) as error:
            log.info("where a mailbox begins could not be found out: %s", error)
            return ""

    async def _candidates(self, given: Mapping[str, str], context: ssl.SSLContext) -> Found:
        web = Web(self._resolver, context)
        search = Search(self._resolver, web, system_dns())
        imap = _server("imap_server", given.get("imap_server", ""))
        smtp = _server("smtp_server", given.get("smtp_server", ""))
        found = await search.find(given["email"], imap=imap, smtp=smtp, user=given.get("username", ""))
        return Found(
            _both_ways("imap_server", found.imap, by_hand=imap is not None),
            _both_ways("smtp_server", found.smtp, by_hand=smtp is not None),
            found.tried,
        )


def _server(field: str, text: str) -> Server | None:
    """A server given by hand: `host` or `host:port`."""
    if not text:
        return None
    ports = _PORTS[field]
    try:
        host, port = host_and_port(field, text.lower(), next(iter(ports)))
    except ValueError:
        raise RegistrationRefused("A server is a name like mail.example.org or name:port.", field) from None
    return Server(host, port, ports.get(port, Security.TLS))


def _both_ways(field: str, found: tuple[Candidate, ...], *, by_hand: bool) -> tuple[Candidate, ...]:
    """At a port that nothing is known of, TLS from the first byte, then STARTTLS."""
    if not by_hand or found[0].server.port in _PORTS[field]:
        return found
    server = msgspec.structs.replace(found[0].server, security=Security.STARTTLS)
    return found[0], msgspec.structs.replace(found[0], server=server)


def _tidy(name: str, value: str) -> str:
    if any(character in value for character in "\r\n\0"):
        raise RegistrationRefused("A value must be one line.", name)
    return value if name == "password" else value.strip()

"""Knows what the email backend is as a whole: its description, addresses, registration, and how sessions
start."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import cached_property

from backends.email import address, forms
from backends.email.arrivals import Arrivals
from backends.email.conversations import Conversations
from backends.email.departures import Tools, Way
from backends.email.hourly import Hourly
from backends.email.imap.login import Credentials
from backends.email.imap.settings import Settings
from backends.email.imap.watcher import Inbox
from backends.email.mail_servers import MailServers
from backends.email.options import MIB, Options, read_password
from backends.email.options import check as check_options
from backends.email.reception import Reception
from backends.email.session import CAPABILITIES, DomainSession, MailboxSession, RefusedSession
from backends.email.signup import SignUp
from backends.email.smtp.client import Submitter
from backends.email.smtp.login import Login
from backends.email.spooling import clear, close_spool, open_spool
from backends.email.values import Limits, Person, Server
from backends.email.worker.mail_worker import MailWorker
from bridge.api import (
    Account,
    Address,
    BackendInfo,
    Form,
    GatewayHost,
    Host,
    NetworkId,
    Resolver,
    Session,
)

PROMPT = "Whose mail address? (like alice@example.org)"


class EmailBackend:
    """Mail on one gateway domain; see `bridge.api.ServingBackend`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._talks = Conversations()
        self._arrivals = Arrivals(self._talks)
        self._resolver = MailServers(options)
        self._info = BackendInfo(
            name="email",
            type="smtp",
            title="Email",
            description="Mail as chat",
            registration_required=True,
            contacts_online=True,
            contact_prompt=PROMPT,
            contact_features=CAPABILITIES,
        )

    @property
    def info(self) -> BackendInfo:
        """What it is."""
        return self._info

    def parse_address(self, local: str) -> Address:
        """See `Backend.parse_address`."""
        return address.parse(local)

    def format_address(self, address_: Address) -> str:
        """See `Backend.format_address`."""
        return address.format_(address_)

    def contact_from_prompt(self, text: str, settings: Mapping[str, str]) -> Address:
        """See `Backend.contact_from_prompt`."""
        return address.from_prompt(text)

    def display_name(self, address_: Address) -> str:
        """See `Backend.display_name`."""
        return address.format_(address_) or self._info.title

    def registration(self, network: NetworkId, known: Mapping[str, str]) -> Form:
        """See `Backend.registration`."""
        return forms.form(self._options, known)

    async def check_registration(
        self, network: NetworkId, values: Mapping[str, str], resolver: Resolver
    ) -> Mapping[str, str]:
        """See `Backend.check_registration`. The login to a mailbox is tried."""
        return await SignUp(self._options, resolver).judge(values)

    def claims(self, network: NetworkId, settings: Mapping[str, str]) -> tuple[str, ...]:
        """An address in our domain is one account's alone."""
        return (settings["email"],) if settings.get("kind") == forms.DOMAIN else ()

    def open(self, account: Account, host: Host) -> Session:
        """See `Backend.open`."""
        settings = account.settings
        sender = Person(settings.get("email", ""), settings.get("name", ""))
        refused = self._no_longer(sender.address, settings.get("kind", ""))
        if refused:
            return RefusedSession(host, self._tools, Way(sender, Server("", 0), None), refused)
        if settings.get("kind") == forms.DOMAIN:
            return DomainSession(host, self._tools, Way(sender, *self._smarthost))
        return self._mailbox(account, host, sender)

    def _no_longer(self, own: str, kind: str) -> str:
        """Why an account cannot be used that was registered when the options were others; empty: it can."""
        if kind != forms.DOMAIN:
            return "" if self._options.mailboxes else "Mailboxes elsewhere can't be used here any more."
        if self._options.domain and own.endswith(f"@{self._options.domain}"):
            return ""
        return f"{own} is no address of this gateway any more. Register with another one."

    @cached_property
    def _smarthost(self) -> tuple[Server, Login | None]:
        login = None
        if self._options.smarthost_user:
            login = Login(self._options.smarthost_user, read_password(self._options))
        return self._options.smarthost_server(), login

    async def serve(self, host: GatewayHost) -> None:
        """See `ServingBackend.serve`."""
        tools = self._tools
        await asyncio.to_thread(clear, tools.spool)
        self._resolver.users = host
        try:
            async with Reception(self._options, tools, self._arrivals, host).open():
                await asyncio.Event().wait()
        except asyncio.CancelledError:  # only at the end: else sessions go on, and it is tried again
            await tools.submitter.close()
            await tools.worker.close()
            await asyncio.to_thread(close_spool, tools.spool)
            raise

    def _mailbox(self, account: Account, host: Host, sender: Person) -> Session:
        settings, password = account.settings, account.secrets.get("password", "")
        incoming, outgoing = forms.stored_servers(settings)
        own = frozenset({sender.address})
        inbox = Inbox(incoming, Credentials(settings.get("imap_user", ""), password), own)
        times = Settings(
            idle=self._options.idle,
            poll=self._options.poll,
            largest=self._options.max_mail * MIB,
            backfill=int(settings.get("backfill") or 0),
        )
        way = Way(sender, outgoing, Login(settings.get("smtp_user", ""), password))
        return MailboxSession(host, self._tools, way, self._arrivals, inbox, self._context, times)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._options.ca_file or None)

    @cached_property
    def _tools(self) -> Tools:
        spool = open_spool(self._options.spool)
        limits = Limits(attachment=self._options.max_attachment * MIB)
        submitter = Submitter(
            self._resolver, ca_file=self._options.ca_file, helo=self._options.hostname or self._options.domain
        )
        return Tools(
            MailWorker(limits=limits),
            submitter,
            self._talks,
            spool,
            self._options.max_attachment * MIB,
            Hourly(self._options.mails_per_hour),
        )


def create(options: Options) -> EmailBackend:
    """The backend for one gateway domain. Raises `ValueError` with a text that names the option."""
    check_options(options)
    return EmailBackend(options)

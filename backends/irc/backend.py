"""Knows what the IRC backend is as a whole: its description, addresses, registration, and how a session
starts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from weakref import WeakValueDictionary

from backends.irc import forms, trial
from backends.irc.address import AddressBook
from backends.irc.dial import TlsContexts, plan_for
from backends.irc.heard import Heard
from backends.irc.names import classic_nick, tidy_nick
from backends.irc.options import Options, read_password
from backends.irc.options import check as check_options
from backends.irc.registration import Identity
from backends.irc.session import CONTACT_CAPABILITIES, ROOM_CAPABILITIES, IrcSession, Setup
from bridge.api import Account, AccountId, Address, BackendInfo, Form, Host, NetworkId, Resolver, Session

_GHOST = 600.0
"""Seconds in which a server may still hold the nick of a connection that broke."""
_MOST_GHOSTS = 10_000

PROMPT = "Which channel or person, on which server? (like #debian%irc.oftc.net or nick%irc.oftc.net)"
FIXED_PROMPT = "Which channel or person? (like #debian or nick)"


class IrcBackend:
    """IRC on one gateway domain; see `bridge.api.Backend`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._book = AddressBook(options)
        self._contexts = TlsContexts()
        self._ghosts: dict[AccountId, float] = {}
        self._heard: WeakValueDictionary[NetworkId, Heard] = WeakValueDictionary()
        fixed = options.fixed_server
        self._info = BackendInfo(
            name="irc",
            type="irc",
            title="IRC",
            description=f"IRC network {fixed}" if fixed else "IRC networks",
            category="conference",
            rooms=True,
            on_demand=True,
            many_networks=not fixed,
            contact_prompt=FIXED_PROMPT if fixed else PROMPT,
            room_features=ROOM_CAPABILITIES,
            contact_features=CONTACT_CAPABILITIES,
        )

    @property
    def info(self) -> BackendInfo:
        """What it is."""
        return self._info

    def parse_address(self, local: str) -> Address:
        """See `Backend.parse_address`."""
        return self._book.parse(local)

    def format_address(self, address: Address) -> str:
        """See `Backend.format_address`."""
        return self._book.format(address)

    def contact_from_prompt(self, text: str, settings: Mapping[str, str]) -> Address:
        """See `Backend.contact_from_prompt`."""
        return self._book.from_prompt(text)

    def display_name(self, address: Address) -> str:
        """See `Backend.display_name`."""
        return self._book.display(address)

    def registration(self, network: NetworkId, known: Mapping[str, str]) -> Form:
        """See `Backend.registration`."""
        return forms.form(self._options, network, known)

    async def check_registration(
        self, network: NetworkId, values: Mapping[str, str], resolver: Resolver
    ) -> Mapping[str, str]:
        """See `Backend.check_registration`. A login is tried where there is a password."""
        kept = forms.check(self._options, network, values)
        if kept.get("password"):
            plan = plan_for(self._options, network, kept)
            identity = self._identity(network, kept, kept, kept.get("nick") or kept.get("username", "user"))
            await trial.login(self._options, plan, identity, self._contexts, resolver)
        return kept

    def open(self, account: Account, host: Host) -> Session:
        """See `Backend.open`."""
        nick = account.nick or classic_nick(account.user.partition("@")[0])
        identity = self._identity(
            account.network, account.settings, account.secrets, nick, ghost=self._has_ghost(account.id)
        )
        plan = plan_for(self._options, account.network, account.settings)
        heard = self._heard.setdefault(account.network, Heard())
        setup = Setup(
            self._options, self._book, self._contexts, plan, identity, lambda: self._broke(account.id), heard
        )
        return IrcSession(account, host, setup)

    def _identity(
        self, network: NetworkId, settings: Mapping[str, str], secrets: Mapping[str, str], nick: str,
        *, ghost: bool = False,
    ) -> Identity:  # fmt: skip
        own = settings.get("nick", "")
        known = self._options.network(network)
        return Identity(
            nick=tidy_nick(own or nick),
            realname=settings.get("realname", "") or self._options.realname,
            login=settings.get("username", ""),
            password=secrets.get("password", ""),
            server_password=secrets.get("pass", "") or read_password(known),
            persistent=bool(own) or ghost,
        )

    def _broke(self, account: AccountId) -> None:
        """A link ended against our will: its nick may be in use for a while, by nobody."""
        if len(self._ghosts) >= _MOST_GHOSTS:
            self._ghosts.clear()
        self._ghosts[account] = asyncio.get_running_loop().time() + _GHOST

    def _has_ghost(self, account: AccountId) -> bool:
        return self._ghosts.get(account, 0.0) > asyncio.get_running_loop().time()


def create(options: Options) -> IrcBackend:
    """The backend for one gateway domain. Raises `ValueError` with a text that names the option."""
    check_options(options)
    return IrcBackend(options)

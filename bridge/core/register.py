"""Who has registered with which networks of a gateway, and what: the part of it that is in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from bridge.api import Account, AuthFailed, ConnectionLost, NetworkId, Reason
from bridge.core.abilities import normalising
from bridge.core.ground import Ground
from bridge.core.live import LiveAccount
from bridge.core.storage import STORE_TEXT
from bridge.store.errors import StoreDown
from bridge.store.registrations import Registration

KNOWN_SECONDS = 5.0
"""For so long what another process may have changed in the store goes unseen by `known_account`."""


NOTHING: Mapping[str, str] = {}


class Register:
    """The register of one gateway. `Registering` writes the store, and then says so here. Settings are in
    memory for backends that ask for them at each message, and only for those."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._networks: dict[str, set[NetworkId]] = {}
        self._keeps = normalising(ground.backend) is not None
        self._settings: dict[tuple[str, NetworkId], Mapping[str, str]] = {}

    async def load(self) -> Sequence[tuple[str, NetworkId]]:
        """Read the store, at start. Returns all users with their networks."""
        rows = await self._ground.store.registrations.list(self._ground.domain)
        for row in rows:
            self.put(row.user, NetworkId(row.network), row.settings)
        return [(row.user, NetworkId(row.network)) for row in rows]

    def networks(self, user: str) -> Collection[NetworkId]:
        """What a user has registered with; `""` is the gateway itself."""
        return self._networks.get(user, ())

    def settings(self, user: str, network: NetworkId) -> Mapping[str, str]:
        """What an account has registered, as `account` has it, of a backend that normalises addresses. Hot:
        where there is but one network it is always the same value until it changes."""
        common = self._settings.get((user, NetworkId("")), NOTHING)
        own = self._settings.get((user, network)) if network else None
        return common if own is None else {**common, **own}

    def put(self, user: str, network: NetworkId, settings: Mapping[str, str]) -> None:
        """The store has a registration, or another than before."""
        self._networks.setdefault(user, set()).add(network)
        if self._keeps:
            self._settings[user, network] = {name: value for name, value in settings.items() if value}

    def remove(self, user: str, network: NetworkId) -> None:
        """The store has it no more."""
        networks = self._networks.get(user, set())
        networks.discard(network)
        self._settings.pop((user, network), None)
        if not networks:
            self._networks.pop(user, None)

    async def account(self, live: LiveAccount) -> Account:
        """The account with what is registered for the gateway, overridden by what is for the network. Raises
        `AuthFailed`, `ConnectionLost`."""
        settings: dict[str, str] = {}
        secrets: dict[str, str] = {}
        registered = self.networks(live.user)
        for network in dict.fromkeys((NetworkId(""), live.network)):
            found = await self._read(live.user, network) if network in registered else None
            if found is not None and found.locked:
                raise AuthFailed("Your stored password cannot be read any more: please register again.")
            if found is not None:
                settings.update({name: value for name, value in found.settings.items() if value})
                secrets.update({name: value for name, value in found.secrets.items() if value})
        return Account(live.id, live.user, live.network, settings, secrets, live.nick)

    async def known_account(self, live: LiveAccount) -> Account:
        """As `account`, from memory where it was asked for lately and nothing has changed here. Hot."""
        known, now = live.account, self._ground.clock()
        if known is not None and now < live.account_until:
            return known if known.nick == live.nick else msgspec.structs.replace(known, nick=live.nick)
        change = live.account_change
        account = await self.account(live)
        if change == live.account_change:
            live.account, live.account_until = account, now + KNOWN_SECONDS
        return account

    async def _read(self, user: str, network: NetworkId) -> Registration | None:
        try:
            return await self._ground.store.registrations.get(self._ground.domain, user, network)
        except StoreDown as error:
            raise ConnectionLost(STORE_TEXT, Reason.STORE_DOWN) from error

"""Knows what registering means towards the user's roster, for XEP-0077 and for the commands alike."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.api import Form, NetworkAddress, NetworkId, Refused
from bridge.core.gateway import Gateway

__all__ = ["Registrar"]


class Registrar:
    """Registrations of one gateway's users. `user` is a bare JID, network `""` the gateway itself."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def form(self, user: str, network: NetworkId, *, by_admin: bool = False) -> Form:
        """What to ask, filled in with what is known of a registered user; never a secret. An admin is asked
        for more."""
        return await self._gateway.accounts.form(user, network, by_admin=by_admin)

    def refused(self, user: str) -> Refused | None:
        """Why the user may have nothing to do with the gateway; None for those who may."""
        return self._gateway.refusal(user)

    async def registered_anywhere(self, user: str) -> bool:
        """Whether the gateway keeps anything for the user."""
        return bool(await self._gateway.accounts.registrations(user))

    async def registered(self, user: str, network: NetworkId) -> bool:
        """Whether the user is registered there."""
        return any(one.network == network for one in await self._gateway.accounts.registrations(user))

    async def register(
        self, user: str, network: NetworkId, values: Mapping[str, str], *, by_admin: bool = False
    ) -> bool:
        """Register, or change what is registered. Returns whether it is new.

        A new registration makes the gateway (or the network) ask to be in the user's roster (XEP-0100 §4.1).
        Raises RegistrationRefused.
        """
        return await self._gateway.accounts.register(user, network, values, by_admin=by_admin)

    async def unregister(self, user: str, network: NetworkId) -> bool:
        """Remove a registration (network `""`: everything), and leave the roster (XEP-0100 §4.3). Returns
        whether there was one."""
        gone = {network}
        if not network:
            gone |= {NetworkId(one.network) for one in await self._gateway.accounts.registrations(user)}
        if not await self._gateway.accounts.unregister(user, network):
            return False
        for one in sorted(gone):
            address = NetworkAddress(one) if one else None
            self._gateway.roster.unsubscribe(user, self._jid(one), address, "")
        return True

    def _jid(self, network: NetworkId) -> str:
        return self._gateway.face.jid(NetworkAddress(network)) if network else self._gateway.domain

"""A `GatewayHost` without a bridge behind it, for backends that are reached from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.api import Account, AccountId, Endpoint, NetworkId, ServingBackend
from bridge.testing.fake_host import FakeHost


class FakeGatewayHost:
    """What a serving backend asks of the bridge, for tests.

    `hosts` has who holds which claim (an exception is raised to whoever asks for that one); `accounts` has
    those who were enrolled. `backend` is asked for the claims of those for whom none are given."""

    def __init__(
        self, backend: ServingBackend | None = None, endpoints: Mapping[str, str] | None = None
    ) -> None:
        self.hosts: dict[str, FakeHost | Exception] = {}
        self.accounts: dict[tuple[str, NetworkId], FakeHost] = {}
        self._backend = backend
        self._resolver = FakeHost(endpoints=endpoints)

    async def holder(self, claim: str) -> FakeHost | None:
        """What stands in `hosts`."""
        found = self.hosts.get(claim)
        if isinstance(found, Exception):
            raise found
        return found

    async def enrol(
        self,
        user: str,
        network: NetworkId,
        settings: Mapping[str, str],
        claims: Sequence[str] | None = None,
    ) -> None:
        """Have a host for that account, which then has these settings, too, and the claims that go with
        all of them."""
        host = self.accounts.setdefault((user, network), FakeHost())
        known = {**host.account.settings, **settings}
        host.account = Account(AccountId(f"{user} {network}"), user, network, known)
        if claims is None:
            claims = self._backend.claims(network, known) if self._backend is not None else ()
        self.hosts = {claim: held for claim, held in self.hosts.items() if held is not host}
        self.hosts.update(dict.fromkeys(claims, host))

    async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
        """See `FakeHost.resolve`."""
        return await self._resolver.resolve(name, port)
